"""Ids of executions and of requests.

An execution id is a UUID of version 7, which begins with the time at which it was made. Ids that
are made together are next to each other in the index of the database; a random id would write a
separate page. Also, an unknown id shows whether it is older than the kept history.

A request id is a random UUID with which a client marks a request, so that a repeat is done only
once.

`uuid` is not imported at the top, because this costs a short command a millisecond.
"""

import os
import re
from string import hexdigits

from tui_manager.domain.errors import InvalidInputError

_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
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
    random = os.urandom(_BYTES * count).hex()
    return [
        f"{begin}{r[:3]}-{_VARIANT[r[3]]}{r[4:7]}-{r[7:19]}"
        for at in range(0, len(random), 2 * _BYTES)
        for r in (random[at : at + 2 * _BYTES],)
    ]


def made_before(execution_id: str, instant: int) -> bool:
    """Whether an id says that it was made before an instant (microseconds since 1970 UTC)."""
    from uuid import UUID

    try:
        found = UUID(execution_id)
    except ValueError:
        return False
    return found.version == _VERSION and (found.int >> 80) < instant // _MILLISECOND


def new_request_id() -> str:
    """A random UUID."""
    digits = os.urandom(16).hex()
    variant = _VARIANT[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def check_request_id(request_id: str) -> str:
    """The id as it is stored; empty for none.

    Raises:
        InvalidInputError: it is not a UUID.
    """
    known = request_id.lower()
    if known and not re.fullmatch(_UUID, known):
        raise InvalidInputError("request_id", f"The request id {request_id[:80]!r} is not a UUID.")
    return known
