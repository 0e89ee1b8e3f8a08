"""Join tokens as text, and the secret in them. Who may use one is the service's to say."""

import hashlib
import secrets

_SECRET_BYTES = 24
_FORMAT = "tm1"


def new_secret() -> str:
    """32 base64url characters that nobody guesses."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def secret_hash(secret: str) -> bytes:
    """What the database keeps of a secret. A plain hash: 192 random bits need no slow one."""
    return hashlib.sha256(secret.encode()).digest()


def token_text(pin: str, secret: str, port: int | None) -> str:
    """The line to paste: `tm1.PIN.SECRET`.

    Args:
        pin: of the enrolment port's key.
        port: of enrolment; None: the one after the command port, which needs no saying.
    """
    parts = [_FORMAT, pin, secret]
    if port is not None:
        parts.append(str(port))
    return ".".join(parts)
