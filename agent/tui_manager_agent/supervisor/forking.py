"""Starting the shell by a fork, for what posix_spawn cannot do: to become another user, and to
enter a cgroup that has limits, which must not hold up the supervisor.

The supervisor stays root, which lets it kill whatever the command becomes. It has one thread, and
so its child may run Python until the exec.
"""

from __future__ import annotations

import os

from tui_manager_agent.supervisor import processes, record, surroundings
from tui_manager_agent.supervisor.spawn import DEFAULT_SIGNALS, SHELL, SpawnError, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn

    from tui_manager_agent.supervisor.cgroup import Cgroup
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms


def spawn(
    order: dict[str, str],
    arguments: list[bytes],
    environment: dict[bytes, bytes],
    outputs: list[int],
    cgroup: Cgroup | None,
) -> int:
    """As `spawn.spawn`, with the order's uid, gid and groups if it has them. Raises SpawnError."""
    reader, writer = os.pipe()  # closed by the exec; before that it tells why there was none
    try:
        if "uid" in order and processes.ON_LINUX:  # elsewhere a pipe has no owner
            for output in outputs:  # a command may open /dev/stderr, its pipe, once more
                os.fchown(output, int(order["uid"]), int(order["gid"]))
        pid = os.fork()
        if pid == 0:
            _become(order, arguments, environment, outputs, cgroup, writer)
        os.close(writer)
        writer = -1
        with open(reader, "rb", buffering=0, closefd=False) as pipe:
            failure = record.decode(pipe.read())
    except OSError as error:
        raise SpawnError(f"cannot start {SHELL}: {error.strerror}") from None
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    if failure:
        os.waitpid(pid, 0)
        raise SpawnError(f"{failure['step']}: {failure['error']}")
    return pid


def _become(
    order: dict[str, str],
    arguments: list[bytes],
    environment: dict[bytes, bytes],
    outputs: list[int],
    cgroup: Cgroup | None,
    writer: int,
) -> NoReturn:
    """The child's life until the exec. It never returns into the supervisor's code."""
    step = f"cannot start {SHELL}"
    try:
        os.setpgid(0, 0)
        _reset_signals()
        for to, descriptor in enumerate((os.open("/dev/null", os.O_RDONLY), *outputs)):
            os.dup2(descriptor, to)
        if cgroup is not None:
            step = "cannot enter the cgroup of the command"
            cgroup.enter()
        who = ""
        if "uid" in order:
            step = f"cannot become {order['user']}"
            surroundings.shed()
            os.setgroups([int(group) for group in order["groups"].split()])
            os.setgid(int(order["gid"]))
            os.setuid(int(order["uid"]))  # by root: real, effective and saved, for good
            who = f" as {order['user']}"
        step = f"cannot use the folder {order['cwd']}{who}"
        os.chdir(to_bytes(order["cwd"]))
        step = f"cannot start {SHELL}{who}"
        os.execve(SHELL, arguments, environment)
    except BaseException as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        os.write(writer, record.encode({"step": step, "error": said}))
    finally:
        os._exit(127)


def _reset_signals() -> None:
    """As no supervisor had ever been there; a signal that is ignored would stay so after exec."""
    signal.set_wakeup_fd(-1)
    for number in DEFAULT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
