"""Starting the shell of an order: as the supervisor's own user, or as the one that it names."""

from __future__ import annotations

import os

from tui_manager_agent.supervisor import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from tui_manager_agent.supervisor.cgroup import Cgroup
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms

SHELL = "/bin/sh"
# Those whose disposition a process can change.
DEFAULT_SIGNALS = [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)]


class SpawnError(Exception):
    """The shell could not be started; the text is for the operator."""


def spawn(order: dict[str, str], outputs: list[int], cgroup: Cgroup | None = None) -> int:
    """Starts `/bin/sh -c -- COMMAND` in a process group of its own, and returns its pid.

    Args:
        outputs: descriptors that become its stdout and stderr; its stdin is /dev/null.
        cgroup: which the shell enters before the exec; None: it stays where this process is.

    Raises SpawnError.
    """
    arguments = [SHELL.encode(), b"-c", b"--", to_bytes(order["command"])]
    prefix = record.ENVIRONMENT
    environment = {
        to_bytes(key.removeprefix(prefix)): to_bytes(value)
        for key, value in order.items()
        if key.startswith(prefix)
    }
    if "uid" in order or cgroup is not None:
        from tui_manager_agent.supervisor import forking  # few commands need it

        return forking.spawn(order, arguments, environment, outputs, cgroup)
    return _spawn(order["cwd"], arguments, environment, outputs)


def _spawn(
    cwd: str, arguments: list[bytes], environment: dict[bytes, bytes], outputs: list[int]
) -> int:
    try:
        os.chdir(to_bytes(cwd))
    except OSError as error:
        raise SpawnError(f"cannot use the folder {cwd}: {error.strerror}") from None
    try:
        return os.posix_spawn(
            SHELL,
            arguments,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                *((os.POSIX_SPAWN_DUP2, output, to) for to, output in enumerate(outputs, start=1)),
            ],
            setpgroup=0,
            setsigmask=[],
            setsigdef=DEFAULT_SIGNALS,
        )
    except OSError as error:
        raise SpawnError(f"cannot start {SHELL}: {error.strerror}") from None
    finally:
        os.chdir("/")  # keeps no disk of the host busy


def to_bytes(text: str) -> bytes:
    """What the record held, whatever this process's locale."""
    return text.encode("utf-8", "surrogateescape")
