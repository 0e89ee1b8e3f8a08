"""A request of the manager as the order that a supervisor carries out, or why it is refused."""

import os
import uuid
from pathlib import Path

from tui_manager_protos.rules.host_variables import is_host_variable
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions.conversion import to_nanoseconds
from tui_manager_agent.journal.order_and_result import Order, RunAs
from tui_manager_agent.policy import account
from tui_manager_agent.policy.account import Account
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.supervisor import cgroup_limits, clock, record

TIMEOUT = 3600 * clock.SECOND
KILL_GRACE = 10 * clock.SECOND
OUTPUT_LIMIT = 16 * 1024 * 1024  # bytes
_LANGUAGE = ("LANG", "LANGUAGE", "TZ")
_INHERITED = (*_LANGUAGE, "PATH", "TMPDIR", "SHELL")
_SHOWN = 80  # characters of a name from the manager
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def is_execution_id(text: str) -> bool:
    """Ids name folders, so nothing but a plain UUID is one."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def make_order(run: wire.RunCommand, *, fifo: Path, boot_id: str) -> Order:
    """The order for a supervisor. Looking up a user may take long. Raises RefusedError."""
    _check(run)
    own = account.own()
    user = _find_user(run.run_as_user, own)
    is_own = user is own
    start_before = to_nanoseconds(run.start_before) if run.HasField("start_before") else None
    return Order(
        command=run.command,
        user=user.name,
        folder=run.cwd,
        cwd=run.cwd or user.folder,
        variables=tuple(
            name for name, value in run.environment.items() if not is_host_variable(name, value)
        ),
        timeout=to_nanoseconds(run.timeout) if run.HasField("timeout") else TIMEOUT,
        kill_grace=to_nanoseconds(run.kill_grace) if run.HasField("kill_grace") else KILL_GRACE,
        output_limit=run.output_limit or OUTPUT_LIMIT,
        priority=run.priority,
        fifo=fifo,
        boot_id=boot_id,
        limits={name: value for name in cgroup_limits.NEEDS if (value := getattr(run, name))},
        start_before=0 if start_before is None else clock.now() + start_before,
        run_as=None if is_own else RunAs(uid=user.uid, gid=user.gid, groups=user.groups),
        environment={
            **_base_environment(user, _INHERITED if is_own else _LANGUAGE),
            **run.environment,
            record.MARK: run.execution_id,
        },
    )


def _check(run: wire.RunCommand) -> None:
    if run.pty:
        raise RefusedError("rejected", "this agent does not offer a terminal (pty)")
    for name in run.environment:
        if not name or "=" in name:
            raise RefusedError("spawn_failed", f"{name!r} cannot name an environment variable")
    if any("\0" in text for text in (run.command, run.cwd, *run.environment.values())) or any(
        "\0" in name for name in run.environment
    ):
        problem = "a NUL byte cannot be part of a command, a folder or the environment"
        raise RefusedError("spawn_failed", problem)


def _find_user(name: str, own: Account) -> Account:
    if name in ("", own.name):
        return own
    shown = name[:_SHOWN]
    if own.uid != 0:
        problem = f"this agent is not root: it runs commands as {own.name} only, not as {shown}"
        raise RefusedError("rejected", problem)
    user = account.find(name)
    if user is None:
        raise RefusedError("rejected", f"there is no user {shown} on this host")
    return user


def _base_environment(user: Account, inherited: tuple[str, ...]) -> dict[str, str]:
    """The variables that each command has. Few come from the agent's own environment, and none that
    is meant for another user."""
    kept = {
        key: value for key, value in os.environ.items() if key in inherited or key.startswith("LC_")
    }
    own = {"HOME": user.home, "USER": user.name, "LOGNAME": user.name}
    return {"PATH": _PATH, "SHELL": user.shell, **kept, **own}
