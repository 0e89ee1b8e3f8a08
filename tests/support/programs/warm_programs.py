"""Starts the programs of this repository without the time that their imports take.

To import a program takes most of the CPU time of a test that starts it. For each program there is
one process that has imported it, and that forks for each start: `program_forker.py`. In a run of
several processes all of them use the same ones, which import while the tests are collected. It
differs from a start from the shell in what the system shows of it: `/proc/PID/cmdline` and
`/proc/PID/environ` are those of the process that has forked.

A start with other variables for Python, the loader or the locale takes a new process of Python,
except with a PYTHONPATH of `WARM_PATHS`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from tests.support.programs import program_forker
from tests.support.programs.program_forker import (
    BENCH,
    DASHBOARD,
    NUMBER,
    TAKE_TERMINAL,
    installed,
)
from tests.support.waiting import GIVE_UP

WARM_PATHS: set[str] = set()  # with programs of their own, which are imported and forked too
_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GRPC_")  # read before `main`, or on import


class Running(Protocol):
    """A program that was started: the part of `subprocess.Popen` that tests use."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """The exit status; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end; the exit status."""

    def send_signal(self, sig: int) -> None:
        """Sends a signal, if it still runs."""

    def terminate(self) -> None:
        """Sends SIGTERM."""

    def kill(self) -> None:
        """Sends SIGKILL."""


def start(
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    umask: int = -1,
    prefix: Sequence[str] = (),
    inject: Path | None = None,
    folder: Path | None = None,
    file: Path | None = None,
    terminal: bool = False,
    inside: int = 0,
) -> Running:
    """Starts an installed program in a session of its own.

    Args:
        umask: -1: that of the test.
        folder: in which it starts; None: that of the test.
        file: an executable of this Python that starts the program, instead of the installed one.
        terminal: stdin is one, and becomes the controlling terminal.
        prefix: the words of a program that starts it.
        inside: a process whose namespaces it enters if it is forked; else `prefix` does it.
        inject: the folder that `environment` has as PYTHONPATH, if its `sitecustomize` can do its
            work before the fork. It finds LD_FAULTS_ARM then, and again after the fork.
    """
    injected = _injected(inject)
    path = environment.get("PYTHONPATH", "")
    if path in WARM_PATHS:
        injected = {"PYTHONPATH": path}
    found, known = (
        {name: text for name, text in variables.items() if name.startswith(_AT_START)}
        for variables in (environment, {**os.environ, **injected})
    )
    if (prefix and not inside) or {**found, **injected} != known:
        taking = TAKE_TERMINAL if terminal else ()
        return subprocess.Popen(
            [*taking, *prefix, str(file or installed(program)), *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            cwd=folder,
            umask=umask,
            start_new_session=True,
        )
    server = _server(program, injected)
    with open(os.devnull, "r+b", buffering=0) as null:
        descriptors = [
            null.fileno() if stream == subprocess.DEVNULL else _descriptor(stream)
            for stream in (stdin, stdout, stderr)
        ]
        return server.fork(
            program,
            arguments,
            environment,
            umask,
            descriptors,
            folder,
            file,
            terminal=terminal,
            inside=inside,
        )


def _server(program: str, injected: Mapping[str, str]) -> "_Server":
    """The process that forks it; it is started if there is none."""
    program = DASHBOARD if program == BENCH else program
    key = (program, injected.get("PYTHONPATH", ""))
    if key not in _servers:
        _servers[key] = _Server(program, injected)
    return _servers[key]


def import_programs(programs: Iterable[str], inject: Path | None = None) -> None:
    """Starts the processes that fork now. All processes that this one forks use them too.

    Args:
        inject: see `start`.
    """
    for program in programs:
        _server(program, _injected(inject))


def _injected(inject: Path | None) -> Mapping[str, str]:
    return {"PYTHONPATH": str(inject), "LD_FAULTS_ARM": "before the fork"} if inject else {}


def run(
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: bytes = b"",
    umask: int = -1,
    prefix: Sequence[str] = (),
    folder: Path | None = None,
    inside: int = 0,
) -> tuple[int, bytes, bytes]:
    """Runs an installed program to its end; exit status, stdout, stderr. See `start`."""
    (in_, to_in), (from_out, out), (from_err, err) = (os.pipe() for _ in range(3))
    try:
        running = start(
            program,
            arguments,
            environment,
            stdin=in_,
            stdout=out,
            stderr=err,
            umask=umask,
            prefix=prefix,
            folder=folder,
            inside=inside,
        )
    finally:
        for descriptor in (in_, out, err):
            os.close(descriptor)
    with ThreadPoolExecutor(3) as threads:
        threads.submit(_write, to_in, stdin)
        said = [threads.submit(_read, descriptor) for descriptor in (from_out, from_err)]
        try:
            code = running.wait(GIVE_UP)
        finally:
            running.kill()
        return code, said[0].result(), said[1].result()


def _write(descriptor: int, data: bytes) -> None:
    with open(descriptor, "wb") as stream, suppress(BrokenPipeError):
        stream.write(data)


def _read(descriptor: int) -> bytes:
    with open(descriptor, "rb") as stream:
        return stream.read()


def _descriptor(stream: int | IO[bytes]) -> int:
    return stream if isinstance(stream, int) else stream.fileno()


def stop_servers() -> None:
    """Ends the processes that fork, for the end of all tests."""
    while _servers:
        _servers.popitem()[1].close()


def forkers() -> set[int]:
    """The ids of the processes that fork: children of the test."""
    return {server.pid for server in _servers.values()}


@dataclass(slots=True)
class Fork:
    """A program that was forked. The process that has forked it says how it ends."""

    pid: int
    _status: socket.socket
    returncode: int | None = None

    def fileno(self) -> int:
        """A descriptor that is readable when it has ended."""
        return self._status.fileno()

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end; the exit status, negative for a signal."""
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                self.returncode = read_number(self._status)
            except (BlockingIOError, TimeoutError) as error:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from error
            self._status.close()
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Sends a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        self._status.close()


def read_number(stream: socket.socket) -> int:
    """A number that a process that forks has sent."""
    data = stream.recv(NUMBER.size)
    assert len(data) == NUMBER.size, "the process that forks programs has ended"
    return int(NUMBER.unpack(data)[0])


class _Server:
    """The process that has imported a program and forks, as the test sees it."""

    def __init__(self, program: str, variables: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        version = "other" if variables.get("PYTHONPATH") in WARM_PATHS else "present"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, program_forker.__file__, program, str(theirs.fileno()), version],
                env={**os.environ, **variables},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def fork(
        self,
        program: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        umask: int,
        descriptors: Sequence[int],
        folder: Path | None,
        file: Path | None,
        *,
        terminal: bool,
        inside: int,
    ) -> Fork:
        """Starts the program."""
        asked = {
            "program": program,
            "arguments": arguments,
            "environment": dict(environment),
            "umask": umask if umask >= 0 else umask_now(),
            "folder": str(folder or os.getcwd()),
            "file": str(file or ""),
            "terminal": terminal,
            "inside": inside,
        }
        return Fork(*ask_for_fork(self._control, asked, descriptors))

    def close(self) -> None:
        """Ends the process."""
        self._control.close()
        self._process.wait()


def ask_for_fork(
    control: socket.socket, asked: Mapping[str, Any], streams: Sequence[int]
) -> tuple[int, socket.socket]:
    """Asks a process that forks for a program: its id, and where its exit status comes.

    Args:
        streams: the descriptors of its standard streams.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(control, [b"!"], [theirs.fileno(), *streams])
    ours.settimeout(GIVE_UP)
    ours.sendall(json.dumps(asked).encode())
    ours.shutdown(socket.SHUT_WR)
    return read_number(ours), ours


def umask_now() -> int:
    """The umask of this process."""
    now = os.umask(0o077)
    os.umask(now)
    return now


_servers: dict[tuple[str, str], _Server] = {}  # by the program and PYTHONPATH
