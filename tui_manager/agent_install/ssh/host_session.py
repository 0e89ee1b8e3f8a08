"""One ssh session with a host, in which `host.sh` carries out requests.

There is one session for all steps on a host: so there is one login, one password for sudo, and the
lock on the host ends with the session. Nothing secret is on a command line, here or there: it goes
through stdin. `ssh` runs with the operator's configuration.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import field
from pathlib import Path
from typing import BinaryIO

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.agent_install.host_script import Opening, make_opening
from tui_manager.agent_install.outcomes import HostProblemError, LostConnectionError
from tui_manager.agent_install.ssh import ssh_problems
from tui_manager.agent_install.ssh.ssh_targets import SshTarget

CONNECT_WITHIN = 30  # seconds, for ssh's own connection
LOGIN_WITHIN = 120.0  # seconds until the host's shell answers
LOGIN_WITHIN_BY_HAND = 600.0  # the same when a person may have to type something
STEP_WITHIN = 300.0  # seconds of one request
_TRIES = 3  # to connect
_PAUSE = 2.0  # seconds between them, times a random factor
_ENDS_WITHIN = 5.0  # seconds that ssh has to end by itself
_SAID_MAX = 16 * 1024  # bytes that are kept of stderr, and of noise on stdout
_ANSWER_MAX = 4 << 20  # bytes of one answer, and of what is printed before it
_PIECE = 64 * 1024  # bytes
_OPTIONS = (
    "RemoteCommand=none",  # the configuration may have one for this host
    "LogLevel=ERROR",  # no banner
    f"ConnectTimeout={CONNECT_WITHIN}",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
    "ClearAllForwardings=yes",
    "ForwardX11=no",
)
Answer = Mapping[str, Sequence[str]]


class RefusedRequestError(HostProblemError):
    """The host could not do what it was asked for.

    Attributes:
        code: why, as `host.sh` calls it.
        detail: what it said.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class SudoPassword:
    """A password that is tried on one host at a time until one has accepted it, and on no further
    host once one has refused it: a mistyped one must not lock the operator out everywhere.

    Attributes:
        text: empty: there is none, and sudo must not ask for one.
    """

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._turn = asyncio.Lock()
        self._accepted = not text
        self._refused_by = ""

    @asynccontextmanager
    async def trial(self, host: str) -> AsyncIterator[Callable[[], None]]:
        """Gives a function to call once the password is accepted. Raises HostProblemError."""
        async with nullcontext() if self._accepted else self._turn:
            if self._refused_by:
                raise HostProblemError(
                    f"sudo was not tried there, because it has refused the password on "
                    f"{self._refused_by}."
                )
            try:
                yield self._accept
            except RefusedRequestError as error:
                if error.code == "sudo_password" and not self._accepted:
                    self._refused_by = host
                raise

    def _accept(self) -> None:
        self._accepted = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """How hosts are connected to.

    Attributes:
        config: another file than the operator's own configuration of ssh.
        batch: ssh must not ask for anything, because there are several hosts or no terminal.
        become: act as root, by sudo.
        password: for sudo.
    """

    config: Path | None = None
    batch: bool = True
    become: bool = False
    password: SudoPassword = field(default_factory=SudoPassword, repr=False)


class HostSession:
    """A session with a host; `open_session` makes it."""

    def __init__(
        self,
        target: SshTarget,
        settings: SshSettings,
        opening: Opening,
        process: asyncio.subprocess.Process,
    ) -> None:
        self._target = target
        self._settings = settings
        self._process = process
        self._opening = opening
        self._said = bytearray()  # the end of what came on stderr
        self._noise = bytearray()  # the end of what a login shell printed on stdout
        self._prints_too_much = False
        self._stderr = asyncio.create_task(self._read_stderr())

    async def begin(self) -> None:
        """Waits until the host's shell answers. Raises HostProblemError."""
        settings = self._settings
        within = LOGIN_WITHIN if settings.batch else LOGIN_WITHIN_BY_HAND
        async with settings.password.trial(self._target.typed) as accept:
            await self._write(self._opening.data)
            answer = await self._read_answer(within, last="ready")
            if "error" in answer:
                raise RefusedRequestError(
                    first_value(answer, "error"), first_value(answer, "detail")
                )
            if "password" in answer:
                accept()

    async def ask(
        self, verb: str, fields: Sequence[tuple[str, str]] = (), *, within: float = STEP_WITHIN
    ) -> Answer:
        """What the host answers to a request. Raises RefusedRequestError, LostConnectionError."""
        await self._write(_request(verb, fields))
        return self._checked(await self._read_answer(within))

    async def send(
        self,
        fields: Sequence[tuple[str, str]],
        file: BinaryIO,
        size: int,
        on_sent: Callable[[int], None],
    ) -> None:
        """Sends `size` bytes of a file, from its position on, once the host is ready for them.

        Args:
            on_sent: is told how many bytes were sent.
        """
        await self._write(_request("receive", fields))
        answer = await self._read_answer(STEP_WITHIN, last="go")
        if "go" in answer:
            sent = 0
            while sent < size:
                piece = await asyncio.to_thread(file.read, min(_PIECE, size - sent))
                if not piece:
                    raise HostProblemError("the bundle has become shorter.")
                if not await self._write(piece):
                    break  # the answer says why
                sent += len(piece)
                on_sent(sent)
            answer = await self._read_answer(STEP_WITHIN)
        self._checked(answer)

    async def close(self) -> None:
        """Ends the session, and so whatever the host does for it."""
        process = self._process
        with suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            async with asyncio.timeout(0 if self._prints_too_much else _ENDS_WITHIN):
                await self._stdout_end()
                await process.wait()
        except TimeoutError:
            pass
        finally:
            self._kill()
            # Its pipes stay open if ssh has left a process, such as that of a kept connection, and
            # `wait` waits for them too.
            process._transport.close()  # type: ignore[attr-defined]
            await asyncio.shield(process.wait())
            self._stderr.cancel()
            await asyncio.gather(self._stderr, return_exceptions=True)

    async def _stdout_end(self) -> None:
        assert self._process.stdout is not None
        while await self._process.stdout.read(_PIECE):
            pass

    def _kill(self) -> None:
        """Ends ssh, if it has not ended, and the programs that it has started to connect."""
        with suppress(ProcessLookupError):
            if self._process.returncode is not None:
                return
            if self._settings.batch:
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def _checked(self, answer: Answer) -> Answer:
        if first_value(answer, "done") != "yes":
            raise RefusedRequestError(first_value(answer, "error"), first_value(answer, "detail"))
        return answer

    async def _write(self, data: bytes) -> bool:
        """False if the host reads no more. Raises LostConnectionError if it reads too slowly."""
        assert self._process.stdin is not None
        try:
            async with asyncio.timeout(STEP_WITHIN):
                self._process.stdin.write(data)
                await self._process.stdin.drain()
        except TimeoutError as error:
            raise LostConnectionError(f"it has read nothing for {STEP_WITHIN:.0f} s.") from error
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    async def _read_answer(self, within: float, last: str = "done") -> Answer:
        """The lines up to `done`, or `last`. Raises LostConnectionError."""
        found: dict[str, list[str]] = {}
        mark = f"{self._opening.nonce} ".encode()
        try:
            async with asyncio.timeout(within):
                length = 0
                while length < _ANSWER_MAX:
                    line = await self._read_line()
                    length += len(line)
                    if not line:
                        raise await self._lost()
                    if not line.startswith(mark):
                        _keep_end(self._noise, line)
                        continue
                    text = line[len(mark) :].decode(errors="replace").rstrip("\n")
                    name, _, value = text.partition("=")
                    found.setdefault(name, []).append(value)
                    if name in ("done", last):
                        return found
        except TimeoutError as error:
            raise LostConnectionError(f"no answer within {within:.0f} s.") from error
        self._prints_too_much = True
        raise HostProblemError("its login shell prints too much.")

    async def _read_line(self) -> bytes:
        assert self._process.stdout is not None
        try:
            return await self._process.stdout.readline()
        except ValueError:  # longer than the reader's limit; dropped
            return b"\n"

    async def _lost(self) -> LostConnectionError:
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDS_WITHIN):
                await self._process.wait()
                await self._stderr
        status = self._process.returncode
        said = self._said.decode(errors="replace")
        sentence = ssh_problems.describe(
            self._target,
            255 if status is None or status < 0 else status,
            said,
            self._noise.decode(errors="replace"),
            batch=self._settings.batch,
        )
        dropped = ssh_problems.is_worth_a_retry(said)
        return _DroppedError(sentence) if dropped else LostConnectionError(sentence)

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        while piece := await self._process.stderr.read(_PIECE):
            _keep_end(self._said, piece)


class _DroppedError(LostConnectionError):
    """The connection was dropped, maybe because there were too many."""


async def open_session(
    target: SshTarget, settings: SshSettings, pause: Callable[[], float] | None = None
) -> HostSession:
    """Connects to a host. The session must be closed.

    Args:
        pause: seconds before it is tried again when a server drops the connection, as it does when
            there are too many.

    Raises:
        HostProblemError: with a sentence that says what to do.
    """
    wait = pause or (lambda: _PAUSE * (0.5 + secrets.randbelow(1000) / 1000))
    for left in reversed(range(_TRIES)):
        session = await _start(target, settings)
        try:
            await session.begin()
        except _DroppedError:
            await session.close()
            if not left:
                raise
        except BaseException:
            await session.close()
            raise
        else:
            return session
        await asyncio.sleep(wait())
    raise AssertionError


async def _start(target: SshTarget, settings: SshSettings) -> HostSession:
    opening = make_opening(become=settings.become, password=settings.password.text)
    options = [*_OPTIONS, *(("BatchMode=yes",) if settings.batch else ())]
    command = [
        "ssh",
        "-T",
        *(("-F", str(settings.config)) if settings.config else ()),
        *(word for option in options for word in ("-o", option)),
        "--",
        target.typed,
        opening.command,
    ]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
            start_new_session=settings.batch,  # ctrl-c is for this program, which then ends ssh
        )
    except OSError as error:
        raise HostProblemError(f"ssh cannot be run: {error.strerror}.") from error
    return HostSession(target, settings, opening, process)


def _request(verb: str, fields: Sequence[tuple[str, str]]) -> bytes:
    lines = (("do", verb), *fields)
    for name, value in lines:
        if "\n" in value or "\r" in value or "\0" in value:
            raise ValueError(f"{name} is not one line")
    return "".join(f"{name}={value}\n" for name, value in lines).encode() + b"\n"


def first_value(answer: Answer, name: str) -> str:
    """The first value of a name in an answer; empty: there is none."""
    return next(iter(answer.get(name, ())), "")


def _keep_end(kept: bytearray, more: bytes) -> None:
    kept += more
    del kept[:-_SAID_MAX]
