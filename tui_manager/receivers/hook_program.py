"""The way to a hook: its program runs once for each try, with the event on stdin.

Each try has a session of its own and a mark in its environment, by which all its processes are
found and killed: at the time limit, or if the manager stops. What a hook that ended by itself left
in the background lives on.
"""

import asyncio
import contextlib
import logging
import os
import signal
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
from tui_manager_protos.rules.duration import format_duration

from tui_manager.domain.manager.notification import ERROR_MAX, Answer, Hook, Outcome
from tui_manager.domain.text.safe_text import safe_text

log = logging.getLogger(__name__)
UNUSABLE = 65  # EX_DATAERR of sysexits.h: the program never wants this event
_MARK = "TUI_MANAGER_HOOK"
_OURS = "TUI_MANAGER_"  # variables of the manager, of which one may hold a password
_STDERR_MAX = 4096  # bytes that are read; the rest is thrown away
_STDERR_WAIT = 0.2  # seconds: a background process may keep it open
_KILL_ROUNDS = 5  # a process may have forked while the others were found


class HookProgram:
    """Implements Delivery."""

    def __init__(self, hook: Hook, environment: Mapping[str, str] | None = None) -> None:
        """
        Args:
            environment: of the manager; None: that of this process.
        """
        self.receiver = hook
        self._environment = environment
        path = Path(hook.program[0])
        if not (path.is_file() and os.access(path, os.X_OK)):
            log.warning(
                "the program of a hook is missing, or cannot be executed",
                extra={"hook": hook.name, "program": str(path)},
            )

    async def send(self, event: str, event_id: str, body: bytes) -> Answer:
        """See Delivery."""
        mark = str(uuid.uuid4())
        given = os.environ if self._environment is None else self._environment
        environment = {name: value for name, value in given.items() if not name.startswith(_OURS)}
        environment |= {_MARK: mark, "TUI_MANAGER_EVENT": event, "TUI_MANAGER_EVENT_ID": event_id}
        try:
            stderr = _Stderr()
        except OSError as error:
            return _not_started(error)
        try:
            return await self._run(body, environment, mark, stderr)
        finally:
            stderr.close()

    async def _run(
        self, body: bytes, environment: Mapping[str, str], mark: str, stderr: "_Stderr"
    ) -> Answer:
        try:
            process = await self._start(environment, mark, stderr)
        except (OSError, ValueError) as error:
            return _not_started(error)
        stderr.begin()
        limit = self.receiver.time_limit
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await _feed(process, body)
                status = await process.wait()
        except TimeoutError:
            return Answer(Outcome.FAILED, f"it was killed after {format_duration(limit)}")
        finally:
            if process.returncode is None:
                await _kill_all(process, mark)
        return await _answer(status, stderr)

    async def _start(
        self, environment: Mapping[str, str], mark: str, stderr: "_Stderr"
    ) -> asyncio.subprocess.Process:
        """Raises OSError and ValueError. The program runs a moment before asyncio has it."""
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *self.receiver.program,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr.writing,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait([starting])
            if starting.exception() is None:
                await _kill_all(starting.result(), mark)
            raise


def _not_started(error: OSError | ValueError) -> Answer:
    why = error.strerror if isinstance(error, OSError) else error
    return Answer(Outcome.FAILED, f"it cannot be started: {why}")


async def _feed(process: asyncio.subprocess.Process, body: bytes) -> None:
    """A program need not read what it is given."""
    assert process.stdin
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(body)
        await process.stdin.drain()
    process.stdin.close()


async def _answer(status: int, stderr: "_Stderr") -> Answer:
    if status == 0:
        return Answer(Outcome.DELIVERED, "exit status 0")
    how = f"exit status {status}" if status > 0 else f"killed by {_signal(-status)}"
    lines = (await stderr.beginning()).decode(errors="replace").strip().splitlines()
    said = f": {safe_text(lines[0])}" if lines else ""
    outcome = Outcome.REFUSED if status == UNUSABLE else Outcome.FAILED
    return Answer(outcome, f"{how}{said}"[:ERROR_MAX])


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class _Stderr:
    """Reads all that is written to a pipe, and keeps the beginning. `close` comes last.

    Attributes:
        writing: the end for the program, until `begin`.
    """

    def __init__(self) -> None:
        """Raises OSError."""
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._loop = asyncio.get_running_loop()
        self._kept = bytearray()
        self._ended = asyncio.Event()

    def begin(self) -> None:
        """The program has its end of the pipe."""
        self._close_writing()
        self._loop.add_reader(self._reading, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._reading, 65536)
            self._kept.extend(data[: _STDERR_MAX - len(self._kept)])
            if not data:
                self._loop.remove_reader(self._reading)
                self._ended.set()

    async def beginning(self) -> bytes:
        """What was written first. A background process may still write."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STDERR_WAIT):
                await self._ended.wait()
        return bytes(self._kept)

    def close(self) -> None:
        """Closes what is open."""
        self._loop.remove_reader(self._reading)
        self._close_writing()
        os.close(self._reading)

    def _close_writing(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1


async def _kill_all(process: asyncio.subprocess.Process, mark: str) -> None:
    """Kills the program with all processes that it has started, and waits for its end. It is quick,
    and goes on if it is cancelled."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    killing = asyncio.ensure_future(asyncio.to_thread(_kill_marked, mark))
    try:
        await asyncio.shield(killing)
    finally:
        if not killing.done():
            await asyncio.wait([killing])
        await process.wait()


def _kill_marked(mark: str) -> None:
    """Kills the processes that have left the session of their program."""
    for _ in range(_KILL_ROUNDS):
        found = list(_marked(mark))
        if not found:
            return
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=0.1)
    log.error("processes of a hook could not be killed")


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get(_MARK) == mark:
                yield process
