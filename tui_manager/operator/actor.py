"""Who asks: set where a call enters the manager, read where it is written into the audit."""

import getpass
import os
from contextvars import ContextVar

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
