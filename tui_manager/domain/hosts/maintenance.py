"""The maintenance of a host: an operator works on it, and tasks leave it out."""

from datetime import UTC, datetime

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.text.safe_text import safe_line

REASON_LENGTH = 200  # characters


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Why, and for how long.

    Attributes:
        reason: why; one line.
        until: when it ends by itself; None: an operator ends it.
        asked_by: who put the host into maintenance, `user@terminal`.
    """

    reason: str
    until: datetime | None
    asked_by: str

    def active(self, now: datetime) -> bool:
        """Whether it has not ended yet. One that has ended is as if there were none."""
        return self.until is None or now < self.until

    def check(self, now: datetime) -> None:
        """Raises InvalidInputError unless a host can be put into this maintenance now."""
        if not self.reason.strip():
            raise InvalidInputError("reason", "Give the reason of the maintenance.")
        if len(self.reason) > REASON_LENGTH:
            raise InvalidInputError(
                "reason", f"The reason is longer than {REASON_LENGTH} characters."
            )
        if safe_line(self.reason) != self.reason:
            raise InvalidInputError(
                "reason", "The reason is one line of text, without control characters."
            )
        if self.until is not None and self.until <= now:
            end = self.until.astimezone(UTC)
            raise InvalidInputError(
                "until",
                f"The maintenance would end at {end:%Y-%m-%d %H:%M:%S} UTC, which has passed. "
                "Give a later end.",
            )
