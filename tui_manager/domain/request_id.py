"""Request ids: UUIDs with which a client marks a request, so that a repeat is done only once."""

import os
import re

from tui_manager.domain.errors import InvalidInputError

_FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VARIANT = "89ab"  # RFC 9562's


def new_request_id() -> str:
    """A random UUID. Importing the module `uuid` would cost a short command a millisecond."""
    digits = os.urandom(16).hex()
    variant = _VARIANT[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def check_request_id(request_id: str) -> str:
    """The id as it is stored; empty for none.

    Raises:
        InvalidInputError: it is not a UUID.
    """
    known = request_id.lower()
    if known and not _FORM.fullmatch(known):
        raise InvalidInputError("request_id", f"The request id {request_id[:80]!r} is not a UUID.")
    return known
