"""The signature of a webhook, as "Standard Webhooks" has it, so that its libraries can check it."""

import base64
import binascii
import hashlib
import hmac
from pathlib import Path

PREFIX = "whsec_"
KEY_FILE_MAX = 64 * 1024  # bytes


def read_key(path: Path) -> bytes:
    """The key in a file: `whsec_` and base64, or the bytes of the file without the end of its last
    line.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is empty, too long, or not base64.
    """
    with path.open("rb") as file:
        text = file.read(KEY_FILE_MAX + 1)
    if len(text) > KEY_FILE_MAX:
        raise ValueError(f"it has more than {KEY_FILE_MAX} bytes")
    key = text.removesuffix(b"\n").removesuffix(b"\r")
    if key.startswith(PREFIX.encode()):
        try:
            key = base64.b64decode(key.removeprefix(PREFIX.encode()), validate=True)
        except binascii.Error:
            raise ValueError(f"what follows {PREFIX} is not base64") from None
    if not key:
        raise ValueError("it is empty")
    return key


def sign(key: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`.

    Args:
        timestamp: of the header `webhook-timestamp`: seconds since 1970 UTC.
    """
    signed = f"{event_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
