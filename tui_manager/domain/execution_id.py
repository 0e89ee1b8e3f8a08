"""Ids of executions: UUIDs of version 7, whose first bits are the time at which they were made.

Those that are made together stand together in the database's index: to put one there at random
writes a page of its own. And an id that the database does not know tells whether it is too old to
be known."""

import secrets
from uuid import UUID

_VERSION, _VARIANT = 7, 0b10
_MILLISECOND = 1000  # microseconds


def new_execution_id(now: int) -> str:
    """An id that was never used before.

    Args:
        now: microseconds since 1970 UTC.
    """
    random = secrets.randbits(74)
    high, low = random >> 62, random & ((1 << 62) - 1)
    made = now // _MILLISECOND
    return str(UUID(int=made << 80 | _VERSION << 76 | high << 64 | _VARIANT << 62 | low))


def made_before(execution_id: str, instant: int) -> bool:
    """Whether an id was made before an instant (microseconds since 1970 UTC), as far as it says."""
    try:
        found = UUID(execution_id)
    except ValueError:
        return False
    return found.version == _VERSION and (found.int >> 80) < instant // _MILLISECOND
