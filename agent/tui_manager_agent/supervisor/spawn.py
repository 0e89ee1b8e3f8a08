"""Starts the program of an order: as the supervisor's own user, or as the one that the order names.

Usually posix_spawn does it, which is cheaper. A fork does what posix_spawn cannot: become another
user, and enter a cgroup that has limits, which must not slow down the supervisor. The supervisor
stays root, so it can kill whatever the command becomes. It has one thread, and so its child may run
Python until the exec.
"""

from __future__ import annotations

import errno
import os
import resource

from tui_manager_agent.supervisor import record
from tui_manager_agent.supervisor.processes import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn

    from tui_manager_agent.supervisor.processes.cgroup import Cgroup
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms

SHELL = "/bin/sh"
# Those whose disposition a process can change.
DEFAULT_SIGNALS = [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)]
_RESOURCE_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
_INIT = 1  # its limits are those of a process that nobody has limited


class SpawnError(Exception):
    """The program could not be started; the text is for the operator."""


def shell_command(text: str) -> list[bytes]:
    """The program and arguments that run shell text."""
    return [SHELL.encode(), b"-c", b"--", to_bytes(text)]


def spawn(
    order: dict[str, str],
    arguments: list[bytes],
    outputs: list[int],
    cgroup: Cgroup | None = None,
    stdin: int = -1,
) -> int:
    """Starts a program in a process group of its own, and returns its pid.

    Args:
        arguments: the path of the program is the first one.
        outputs: descriptors that become its stdout and stderr.
        cgroup: the program enters it before the exec; None: it stays where this process is.
        stdin: a descriptor that becomes its stdin; -1: /dev/null.

    Raises SpawnError.
    """
    prefix = record.ENVIRONMENT
    environment = {
        to_bytes(key.removeprefix(prefix)): to_bytes(value)
        for key, value in order.items()
        if key.startswith(prefix)
    }
    if "uid" in order or cgroup is not None:
        return _fork(order, arguments, environment, outputs, cgroup, stdin)
    return _posix_spawn(order["cwd"], arguments, environment, outputs, stdin)


def _posix_spawn(
    cwd: str,
    arguments: list[bytes],
    environment: dict[bytes, bytes],
    outputs: list[int],
    stdin: int,
) -> int:
    try:
        os.chdir(to_bytes(cwd))
    except OSError as error:
        raise SpawnError(f"cannot use the folder {cwd}: {error.strerror}") from None
    try:
        return os.posix_spawn(
            arguments[0],
            arguments,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)
                if stdin < 0
                else (os.POSIX_SPAWN_DUP2, stdin, 0),
                *((os.POSIX_SPAWN_DUP2, output, to) for to, output in enumerate(outputs, start=1)),
            ],
            setpgroup=0,
            setsigmask=[],
            setsigdef=DEFAULT_SIGNALS,
        )
    except OSError as error:
        raise SpawnError(f"cannot start {_named(arguments)}: {_why(error, arguments)}") from None
    finally:
        os.chdir("/")  # so that no file system of the host is in use


def _fork(
    order: dict[str, str],
    arguments: list[bytes],
    environment: dict[bytes, bytes],
    outputs: list[int],
    cgroup: Cgroup | None,
    stdin: int,
) -> int:
    """As `spawn`, with the order's uid, gid and groups if it has them. Raises SpawnError."""
    reader, writer = os.pipe()  # the exec closes it; an error before that is written to it
    try:
        if "uid" in order and processes.ON_LINUX:  # on other systems a pipe has no owner
            # A command may open /dev/stderr, its pipe, or /dev/stdin, its file, once more.
            for descriptor in outputs if stdin < 0 else (stdin, *outputs):
                os.fchown(descriptor, int(order["uid"]), int(order["gid"]))
        pid = os.fork()
        if pid == 0:
            _exec_in_child(order, arguments, environment, (stdin, *outputs), cgroup, writer)
        os.close(writer)
        writer = -1
        with open(reader, "rb", buffering=0, closefd=False) as pipe:
            failure = record.decode(pipe.read())
    except OSError as error:
        raise SpawnError(f"cannot start {_named(arguments)}: {error.strerror}") from None
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    if failure:
        os.waitpid(pid, 0)
        raise SpawnError(f"{failure['step']}: {failure['error']}")
    return pid


def _exec_in_child(
    order: dict[str, str],
    arguments: list[bytes],
    environment: dict[bytes, bytes],
    streams: tuple[int, ...],
    cgroup: Cgroup | None,
    writer: int,
) -> NoReturn:
    """What the child does until the exec. It never returns into the supervisor's code.

    `streams` are stdin, -1 for /dev/null, stdout and stderr.
    """
    step = f"cannot start {_named(arguments)}"
    try:
        os.setpgid(0, 0)
        _reset_signals()
        for to, descriptor in enumerate(streams):
            os.dup2(os.open("/dev/null", os.O_RDONLY) if descriptor < 0 else descriptor, to)
        if cgroup is not None:
            step = "cannot enter the cgroup of the command"
            cgroup.enter()
        who = ""
        if "uid" in order:
            step = f"cannot become {order['user']}"
            _reset_inherited()
            os.setgroups([int(group) for group in order["groups"].split()])
            os.setgid(int(order["gid"]))
            os.setuid(int(order["uid"]))  # by root: real, effective and saved, for good
            who = f" as {order['user']}"
        step = f"cannot use the folder {order['cwd']}{who}"
        os.chdir(to_bytes(order["cwd"]))
        step = f"cannot start {_named(arguments)}{who}"
        _exec(arguments, environment)
    except BaseException as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        os.write(writer, record.encode({"step": step, "error": said}))
    finally:
        os._exit(127)


def _exec(arguments: list[bytes], environment: dict[bytes, bytes]) -> NoReturn:
    try:
        os.execve(arguments[0], arguments, environment)
    except OSError as error:
        raise SpawnError(_why(error, arguments)) from None


def _named(arguments: list[bytes]) -> str:
    """The program, for the operator."""
    program = arguments[0].decode("utf-8", "replace")
    return program if program == SHELL else f"{program}, which the script names"


def _why(error: OSError, arguments: list[bytes]) -> str:
    """Why a program cannot be started. The kernel says of a folder only that it is not allowed."""
    if error.errno == errno.EACCES and os.path.isdir(arguments[0]):
        return "it is a folder"
    return error.strerror or str(error)


def _reset_signals() -> None:
    """Undoes what the supervisor has set. A signal that is ignored would stay so after the exec."""
    signal.set_wakeup_fd(-1)
    for number in DEFAULT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _reset_inherited() -> None:
    """Resets what a process of another user must not have from the agent: its setting for the OOM
    killer, its keyring, its resource limits. Called as root."""
    if not processes.ON_LINUX:
        return
    try:  # noqa: SIM105 - contextlib is not cheap
        _reset_oom_score()
    except OSError:
        pass  # it stays as likely to be killed as the agent
    processes.leave_keyring()
    _reset_limits()


def _reset_oom_score() -> None:
    """The agent may be protected, as a service can be; its commands are ordinary processes."""
    descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, b"0")
    finally:
        os.close(descriptor)


def _reset_limits() -> None:
    """Those of PID 1, but no core file unless the command asks for one."""
    for number in _RESOURCE_LIMITS:
        try:
            soft, hard = resource.prlimit(_INIT, number)
        except OSError:
            continue  # a container's PID 1 may be out of reach: the agent's limit stays
        if number == resource.RLIMIT_CORE:
            soft = 0
        own_hard = resource.getrlimit(number)[1]
        # Without CAP_SYS_RESOURCE root can set what is below the hard limit, and cannot raise it.
        for limits in ((soft, hard), (soft, own_hard), (own_hard, own_hard)):
            try:
                resource.setrlimit(number, limits)
                break
            except (OSError, ValueError):
                pass


def to_bytes(text: str) -> bytes:
    """The bytes of the record, independent of this process's locale."""
    return text.encode("utf-8", "surrogateescape")
