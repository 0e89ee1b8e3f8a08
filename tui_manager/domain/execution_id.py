"""Ids of executions: UUIDs of version 7, which begin with the time at which they were made.

Ids that are made together are next to each other in the index of the database; a random id would
write a separate page. Also, an unknown id shows whether it is older than the kept history."""

import secrets
from string import hexdigits
from uuid import UUID

_VERSION = 7
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in hexdigits.lower()}  # RFC 9562's: 10xx
_BYTES = 10  # random bytes of an id
_MILLISECOND = 1000  # microseconds


def new_execution_ids(now: int, count: int) -> list[str]:
    """Ids that were never used before.

    Args:
        now: microseconds since 1970 UTC.
    """
    made = f"{now // _MILLISECOND:012x}"
    begin = f"{made[:8]}-{made[8:]}-{_VERSION:x}"
    random = secrets.token_hex(_BYTES * count)
    return [
        f"{begin}{r[:3]}-{_VARIANT[r[3]]}{r[4:7]}-{r[7:19]}"
        for at in range(0, len(random), 2 * _BYTES)
        for r in (random[at : at + 2 * _BYTES],)
    ]


def made_before(execution_id: str, instant: int) -> bool:
    """Whether an id says that it was made before an instant (microseconds since 1970 UTC)."""
    try:
        found = UUID(execution_id)
    except ValueError:
        return False
    return found.version == _VERSION and (found.int >> 80) < instant // _MILLISECOND
