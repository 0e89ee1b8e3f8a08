"""Which environment variables a command has. How they reach it is in `supervisor/spawn.py`. A file
of its own, because people look here for what a command can read."""

import os

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.policy.users import Account
from tui_manager_agent.supervisor import record

_LANGUAGE = ("LANG", "LANGUAGE", "TZ")
_INHERITED = (*_LANGUAGE, "PATH", "TMPDIR", "SHELL")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def command_environment(run: wire.RunCommand, user: Account, *, is_own: bool) -> dict[str, str]:
    """All variables of a command: its own over those that each command has.

    Args:
        is_own: the user is that of the agent.
    """
    base = _base_environment(user, _INHERITED if is_own else _LANGUAGE)
    return {**base, **run.environment, record.MARK: run.execution_id}


def _base_environment(user: Account, inherited: tuple[str, ...]) -> dict[str, str]:
    """The variables that each command has. Few come from the agent's own environment, and none that
    is meant for another user."""
    kept = {
        key: value for key, value in os.environ.items() if key in inherited or key.startswith("LC_")
    }
    own = {"HOME": user.home, "USER": user.name, "LOGNAME": user.name}
    return {"PATH": _PATH, "SHELL": user.shell, **kept, **own}
