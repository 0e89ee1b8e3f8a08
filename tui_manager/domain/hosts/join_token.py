"""Join tokens: what an operator asks for, what comes back, and what is known of them later."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import format_duration

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.host import check_labels

TTL_DEFAULT = timedelta(minutes=15)
TTL_RANGE = (timedelta(seconds=10), timedelta(days=30))
USES_MAX = 100_000  # hosts
_SHA256 = 32  # bytes


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """What a join token allows.

    Attributes:
        ttl: how long hosts may enrol with it.
        uses: how many hosts may.
        auto_approve: they are admitted at once, unless name or machine is known already.
        labels: given to them; an agent cannot change these.
        key_sha256: of the SubjectPublicKeyInfo of a host's key: only this host may enrol with it,
            and is admitted at once, whatever is known of its machine; empty: any host may.
    """

    ttl: timedelta = TTL_DEFAULT
    uses: int = 1
    auto_approve: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    key_sha256: bytes = b""

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds."""
        low, high = TTL_RANGE
        if not low <= self.ttl <= high:
            raise InvalidInputError(
                "ttl",
                f"A token lasts from {format_duration(low)} to {format_duration(high)}; "
                f"{format_duration(self.ttl)} is not.",
            )
        if not 1 <= self.uses <= USES_MAX:
            raise InvalidInputError(
                "uses", f"A token has from 1 to {USES_MAX:,} uses; {self.uses} is not."
            )
        check_labels(self.labels)
        if self.key_sha256 and (len(self.key_sha256) != _SHA256 or self.uses != 1):
            raise InvalidInputError(
                "key_sha256", f"A token for one key has its SHA-256, {_SHA256} bytes, and one use."
            )


@dataclass(frozen=True, slots=True)
class NewToken:
    """A join token, shown once.

    Attributes:
        text: `tm1.PIN.SECRET`, with `.PORT` behind it when enrolment is not on the next port.
        token_id: what it is called from then on.
    """

    text: str = field(repr=False)
    expires_at: datetime
    token_id: int


class TokenState(StrEnum):
    """What can be done with a join token now."""

    VALID = "valid"
    USED_UP = "used_up"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Token:
    """A join token as it is listed, without its secret, which is stored nowhere.

    Attributes:
        created_by: `user@terminal`.
        uses, used: hosts that may enrol with it, and that have.
        labels: given to these hosts.
        key_sha256: of the only host that may enrol with it; empty: any may.
    """

    token_id: int
    state: TokenState
    created_by: str
    created_at: datetime
    expires_at: datetime
    uses: int
    used: int
    auto_approve: bool
    labels: Mapping[str, str]
    key_sha256: bytes = b""
