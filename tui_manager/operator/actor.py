"""Who asks: set where a call enters the manager, read where it is written into the audit."""

import getpass
import os
from contextvars import ContextVar

ACTOR_KEY = "tui-manager-actor-bin"  # metadata of a call over the socket, UTF-8
_ACTOR_LENGTH = 200  # characters kept of what a client states

CURRENT_ACTOR: ContextVar[str] = ContextVar("CURRENT_ACTOR", default="")


def this_actor() -> str:
    """`user@terminal` of this process; the terminal is left out where there is none."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    for descriptor in (0, 1, 2):
        try:
            return f"{user}@{os.ttyname(descriptor).removeprefix('/dev/')}"
        except OSError:
            continue
    return user


def stated_actor(value: bytes | None) -> str:
    """What a client states of itself, cut to a sane length; empty when it states nothing."""
    return (value or b"").decode(errors="replace")[:_ACTOR_LENGTH]
