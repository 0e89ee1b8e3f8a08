"""Forks what benchmarks start, as `warm_programs.py` does for other tests: `tui-manager`, and
modules of the benchmarks. A server of PostgreSQL is that of other tests too: in memory, and with
data that is copied."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from bench.under_test import postgresql
from tests.support.databases.own_postgresql import own_server
from tests.support.programs import warm_programs
from tests.support.programs.program_forker import BENCH, installed

_start_anew = asyncio.create_subprocess_exec


@contextmanager
def forked_programs() -> Iterator[None]:
    """Until the block is left, `asyncio` forks these programs. Others are started."""
    with (
        patch("asyncio.create_subprocess_exec", _start),
        patch.object(postgresql, "new_server", own_server),
    ):
        yield


class _Process:
    """What benchmarks use of `asyncio.subprocess.Process`."""

    def __init__(
        self,
        forked: warm_programs.Fork,
        stdin: asyncio.StreamWriter | None,
        stdout: asyncio.StreamReader | None,
    ) -> None:
        self._forked = forked
        self.pid = forked.pid
        self.stdin = stdin
        self.stdout = stdout
        self.returncode: int | None = None
        self._has_ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(forked, self._note_end)

    def _note_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._forked)
        self.returncode = self._forked.wait()
        self._has_ended.set()

    async def wait(self) -> int:
        """The exit status, once it has ended."""
        await self._has_ended.wait()
        assert self.returncode is not None
        return self.returncode

    async def communicate(self) -> tuple[bytes, None]:
        """All that it writes to stdout."""
        assert self.stdout
        said = await self.stdout.read()
        await self.wait()
        return said, None

    def send_signal(self, number: int) -> None:
        """Sends a signal, if it still runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)


async def _start(
    *words: str,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    env: Mapping[str, str] | None = None,
    limit: int = 1 << 16,
    **options: Any,
) -> Any:
    if words[0] == installed("tui-manager"):
        program, arguments = "tui-manager", words[1:]
    elif words[:2] == (sys.executable, "-m"):
        program, arguments = BENCH, words[2:]
    else:
        return await _start_anew(
            *words, stdin=stdin, stdout=stdout, stderr=stderr, env=env, limit=limit, **options
        )
    environment = dict(os.environ if env is None else env)
    environment.pop("GRPC_VERBOSITY", None)
    if "GRPC_VERBOSITY" in os.environ:  # with another one than this process it is not forked
        environment["GRPC_VERBOSITY"] = os.environ["GRPC_VERBOSITY"]
    writer = reader = None
    with ExitStack() as its_ends:
        if stdin == subprocess.PIPE:
            stdin, ours = os.pipe()
            its_ends.callback(os.close, stdin)
            writer = await _writer(ours)
        if stdout == subprocess.PIPE:
            ours, stdout = os.pipe()
            its_ends.callback(os.close, stdout)
            reader = await _reader(ours, limit)
        forked = warm_programs.start(
            program,
            arguments,
            environment,
            stdin=0 if stdin is None else stdin,
            stdout=1 if stdout is None else stdout,
            stderr=2 if stderr is None else stderr,
        )
    assert isinstance(forked, warm_programs.Fork)
    return _Process(forked, writer, reader)


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    pipe = open(descriptor, "wb", buffering=0)  # noqa: ASYNC230, SIM115
    reader = asyncio.StreamReader()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return asyncio.StreamWriter(transport, protocol, reader, loop)


async def _reader(descriptor: int, limit: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit)
    pipe = open(descriptor, "rb", buffering=0)  # noqa: ASYNC230, SIM115
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader
