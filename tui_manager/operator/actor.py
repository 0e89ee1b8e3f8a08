"""The actor of a call: who made it. The manager sets it when a call arrives, and reads it when it
writes the audit. It is a file of its own because both the client and the manager import it."""

import getpass
import os
from contextvars import ContextVar

ACTOR_KEY = "tui-manager-actor-bin"  # metadata of a call over the socket, UTF-8
_ACTOR_LENGTH = 200  # characters kept of what a client states

CURRENT_ACTOR: ContextVar[str] = ContextVar("CURRENT_ACTOR", default="")


def this_actor() -> str:
    """`user@terminal` of this process; only `user` if there is no terminal."""
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
    """The actor that a client states, cut to the allowed length; empty if it states none."""
    return (value or b"").decode(errors="replace")[:_ACTOR_LENGTH]
