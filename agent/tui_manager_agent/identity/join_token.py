"""The join token that an operator hands to a host: `tm1.PIN.SECRET[.PORT]`."""

import re
from dataclasses import dataclass, field

_SHAPE = re.compile(r"tm1\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{32})(?:\.([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class JoinToken:
    """What a token says.

    Attributes:
        pin: base64url of the SHA-256 of the key that the enrolment port must show.
        secret: what makes the manager let a host in.
        port: of enrolment; None: the next one after the manager's.
    """

    pin: str
    secret: str = field(repr=False)
    port: int | None = None

    @property
    def secret_hash(self) -> bytes:
        """What may be kept of the token: it tells it from others, and lets nobody in."""
        from hashlib import sha256  # loads OpenSSL, which a running agent does without

        return sha256(self.secret.encode()).digest()


def parse(text: str) -> JoinToken:
    """Raises ValueError with a sentence that does not show the token, which is a secret."""
    found = _SHAPE.fullmatch(text.strip())
    port = int(found[3]) if found and found[3] else None
    if found is None or (port is not None and not 0 < port < 65536):
        raise ValueError(
            "that is no join token: it is one line that begins with tm1., as "
            "`tui-manager token create` prints it"
        )
    return JoinToken(pin=found[1], secret=found[2], port=port)
