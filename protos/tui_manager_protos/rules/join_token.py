"""The join token that an operator gives to a host: `tm1.PIN.SECRET[.PORT]`."""

import re
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

_FORMAT = "tm1"
_SECRET_BYTES = 24  # 32 characters of base64url
_PATTERN = re.compile(
    rf"{_FORMAT}\.([A-Za-z0-9_-]{{43}})\.([A-Za-z0-9_-]{{32}})(?:\.([0-9]{{1,5}}))?"
)


@dataclass(frozen=True, slots=True)
class JoinToken:
    """The parts of a token.

    Attributes:
        pin: base64url of the SHA-256 of the key that the enrolment port must show.
        secret: proves to the manager that an operator lets the host join.
        port: the enrolment port; None: the next port after the command port.
    """

    pin: str
    secret: str = field(repr=False)
    port: int | None = None

    @classmethod
    def new(cls, pin: str, port: int | None) -> "JoinToken":
        """A token with a new random secret."""
        from secrets import token_urlsafe  # not at the top: an agent never needs it

        return cls(pin, token_urlsafe(_SECRET_BYTES), port)

    @classmethod
    def parse(cls, text: str) -> "JoinToken":
        """Reads a token. Raises ValueError; its text does not show the token, which is secret."""
        match = _PATTERN.fullmatch(text.strip())
        port = int(match[3]) if match and match[3] else None
        if match is None or (port is not None and not 0 < port < 65536):
            raise ValueError(
                f"this is not a join token: a token is one line that begins with {_FORMAT}., as "
                "`tui-manager token create` prints it"
            )
        return cls(pin=match[1], secret=match[2], port=port)

    @property
    def text(self) -> str:
        """The token as one line to paste."""
        port = "" if self.port is None else f".{self.port}"
        return f"{_FORMAT}.{self.pin}.{self.secret}{port}"

    @property
    def secret_hash(self) -> bytes:
        """The hash of the secret, which may be stored: it identifies the token and lets nobody
        join."""
        return hash_secret(self.secret)


def hash_secret(secret: str) -> bytes:
    """SHA-256. A secret of 192 random bits needs no slow hash."""
    from hashlib import sha256  # not at the top: it loads OpenSSL, which a running agent avoids

    return sha256(secret.encode()).digest()
