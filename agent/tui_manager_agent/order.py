"""What the manager asks for, as the order that a supervisor carries out, or why it is refused."""

import os
import pwd
import uuid
from pathlib import Path

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.convert import to_nanoseconds
from tui_manager_agent.supervisor import clock, record

TIMEOUT = 3600 * clock.SECOND
KILL_GRACE = 10 * clock.SECOND
OUTPUT_LIMIT = 16 * 1024 * 1024  # bytes
_INHERITED = ("PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SHELL")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class RefusedError(Exception):
    """This agent does not run that; the text is for the operator.

    Attributes:
        reason: the result's reason.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def is_execution_id(text: str) -> bool:
    """Ids name folders, so nothing but a plain UUID is one."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def order_for(run: wire.RunCommand, *, bell: Path, boot_id: str) -> dict[str, object]:
    """The order for a supervisor. Raises RefusedError."""
    name, home = _me()
    _check(run, name)
    order: dict[str, object] = {
        "command": run.command,
        "cwd": run.cwd or (home if os.path.isdir(home) else "/"),
        "timeout": to_nanoseconds(run.timeout) if run.HasField("timeout") else TIMEOUT,
        "kill_grace": to_nanoseconds(run.kill_grace) if run.HasField("kill_grace") else KILL_GRACE,
        "output_limit": run.output_limit or OUTPUT_LIMIT,
        "priority": run.priority,
        "bell": bell,
        "boot_id": boot_id,
    }
    if run.HasField("start_before"):
        order["start_before"] = clock.now() + to_nanoseconds(run.start_before)
    environment = {
        **_base_environment(name, home),
        **run.environment,
        record.MARK: run.execution_id,
    }
    order.update((record.ENVIRONMENT + name, value) for name, value in environment.items())
    return order


def _check(run: wire.RunCommand, me: str) -> None:
    if run.pty:
        raise RefusedError("rejected", "this agent does not offer a terminal (pty)")
    if run.run_as_user not in ("", me):
        problem = f"this agent runs commands as {me} only, not as {run.run_as_user}"
        raise RefusedError("rejected", problem)
    for name in run.environment:
        if not name or "=" in name:
            raise RefusedError("spawn_failed", f"{name!r} cannot name an environment variable")
    if any("\0" in text for text in (run.command, run.cwd, *run.environment.values())) or any(
        "\0" in name for name in run.environment
    ):
        problem = "a NUL byte cannot be part of a command, a folder or the environment"
        raise RefusedError("spawn_failed", problem)


def _me() -> tuple[str, str]:
    """Name and home folder of the agent's user, who in a container may not be in passwd."""
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError:
        return str(os.geteuid()), os.environ.get("HOME", "/")
    return entry.pw_name, entry.pw_dir


def _base_environment(name: str, home: str) -> dict[str, str]:
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key in _INHERITED or key.startswith("LC_")
    }
    own = {"HOME": home, "USER": name, "LOGNAME": name}
    return {"PATH": _PATH, **inherited, **own}
