"""Request ids: UUIDs with which a client names one wish, so that asking again does it only once."""

import os
import re

from tui_manager.domain.errors import InvalidInputError

_FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VARIANT = "89ab"  # RFC 9562's


def new_request_id() -> str:
    """A random UUID. The module `uuid` would take a short command a millisecond to import."""
    digits = os.urandom(16).hex()
    variant = _VARIANT[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def check_request_id(request_id: str) -> str:
    """The id as it is stored; empty for none.

    Raises:
        InvalidInputError: it is no UUID.
    """
    known = request_id.lower()
    if known and not _FORM.fullmatch(known):
        raise InvalidInputError("request_id", f"The request id {request_id[:80]!r} is no UUID.")
    return known
