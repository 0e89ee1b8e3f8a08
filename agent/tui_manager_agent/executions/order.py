"""What the manager asks for, as the order that a supervisor carries out, or why it is refused."""

import os
import uuid
from pathlib import Path

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions.conversion import to_nanoseconds
from tui_manager_agent.policy import account
from tui_manager_agent.policy.account import Account
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.supervisor import clock, limits, record

TIMEOUT = 3600 * clock.SECOND
KILL_GRACE = 10 * clock.SECOND
OUTPUT_LIMIT = 16 * 1024 * 1024  # bytes
_LANGUAGE = ("LANG", "LANGUAGE", "TZ")
_INHERITED = (*_LANGUAGE, "PATH", "TMPDIR", "SHELL")
_SHOWN = 80  # characters of a name that the manager made up
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def is_execution_id(text: str) -> bool:
    """Ids name folders, so nothing but a plain UUID is one."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def order_for(run: wire.RunCommand, *, bell: Path, boot_id: str) -> dict[str, object]:
    """The order for a supervisor. May take its time over users. Raises RefusedError."""
    _check(run)
    me = account.own()
    user = _user(run.run_as_user, me)
    order: dict[str, object] = {
        "command": run.command,
        "user": user.name,
        "folder": run.cwd,  # as it was asked for, which is what a policy looks at
        "cwd": run.cwd or user.folder,
        "variables": "=".join(run.environment),  # a name holds no `=`
        "timeout": to_nanoseconds(run.timeout) if run.HasField("timeout") else TIMEOUT,
        "kill_grace": to_nanoseconds(run.kill_grace) if run.HasField("kill_grace") else KILL_GRACE,
        "output_limit": run.output_limit or OUTPUT_LIMIT,
        "priority": run.priority,
        "bell": bell,
        "boot_id": boot_id,
    }
    for name in limits.NEEDS:
        if value := getattr(run, name):
            order[name] = value
    if run.HasField("start_before"):
        order["start_before"] = clock.now() + to_nanoseconds(run.start_before)
    if user is not me:
        order["uid"], order["gid"] = user.uid, user.gid
        order["groups"] = " ".join(map(str, user.groups))
    environment = {
        **_base_environment(user, _INHERITED if user is me else _LANGUAGE),
        **run.environment,
        record.MARK: run.execution_id,
    }
    order.update((record.ENVIRONMENT + name, value) for name, value in environment.items())
    return order


def is_late(order: dict[str, str]) -> bool:
    """Whether it is past the time by which it had to start."""
    limit = int(order.get("start_before", 0))
    return bool(limit) and limit <= clock.now()


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


def _user(name: str, me: Account) -> Account:
    if name in ("", me.name):
        return me
    shown = name[:_SHOWN]
    if me.uid != 0:
        problem = f"this agent is not root: it runs commands as {me.name} only, not as {shown}"
        raise RefusedError("rejected", problem)
    user = account.find(name)
    if user is None:
        raise RefusedError("rejected", f"there is no user {shown} on this host")
    return user


def _base_environment(user: Account, inherited: tuple[str, ...]) -> dict[str, str]:
    """What a command has without anybody's asking: little of the agent's own, and none of it that
    is for another user."""
    kept = {
        key: value for key, value in os.environ.items() if key in inherited or key.startswith("LC_")
    }
    own = {"HOME": user.home, "USER": user.name, "LOGNAME": user.name}
    return {"PATH": _PATH, "SHELL": user.shell, **kept, **own}
