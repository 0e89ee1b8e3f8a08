"""The bytes that a step brings along: a script, or what its command reads from stdin."""

import hashlib
from dataclasses import dataclass, field

from tui_manager.domain.errors import InvalidInputError

CONTENT_LENGTH = 1024 * 1024  # bytes of one script, or of one input
CONTENTS_LENGTH = 16 * 1024 * 1024  # bytes of all of a task together


@dataclass(frozen=True, slots=True)
class Content:
    """Some bytes, or only their size and their hash.

    Attributes:
        size: in bytes.
        sha256: 64 hex digits.
        data: None if they were left where they are stored.
    """

    size: int
    sha256: str
    data: bytes | None = field(default=None, repr=False, compare=False)

    def check(self, name: str) -> None:
        """Raises InvalidInputError(name) if it is too long, or its bytes are not here."""
        if self.data is None:
            raise InvalidInputError(name, f"The bytes of the {name} are missing.")
        if self.size > CONTENT_LENGTH:
            raise InvalidInputError(
                name, f"The {name} has {self.size} bytes; at most {CONTENT_LENGTH} are allowed."
            )


def content_of(data: bytes) -> Content:
    """The content with these bytes."""
    return Content(len(data), hashlib.sha256(data).hexdigest(), data)
