"""The bytes that come with a step: a script, or what its command reads from stdin."""

from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError

CONTENT_LENGTH = 1024 * 1024  # bytes of one script, or of one input
FIRST_LINE_LENGTH = 255  # bytes, `#!` included: Linux reads 256 (BINPRM_BUF_SIZE) with the newline
_SHOWN_LENGTH = 80  # bytes of a wrong first line
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

    def check(self, name: str, *, stored: bool = False) -> None:
        """Raises InvalidInputError(name) if it is too long, or if its bytes are neither here nor
        `stored`, as those of a task that is run again."""
        if self.data is None and not stored:
            raise InvalidInputError(name, f"The bytes of the {name} are missing.")
        if self.size > CONTENT_LENGTH:
            raise InvalidInputError(
                name, f"The {name} has {self.size} bytes; at most {CONTENT_LENGTH} are allowed."
            )


def check_script(script: Content, *, stored: bool = False) -> None:
    """Raises InvalidInputError("script") unless a host can run it by its first line."""
    script.check("script", stored=stored)
    if script.data is None:
        return
    first = script.data.partition(b"\n")[0]
    if not first.startswith(b"#!") or not first[2:].strip():
        shown = first[:_SHOWN_LENGTH].decode(errors="replace")
        raise InvalidInputError(
            "script",
            "The first line of a script must name the program that runs it, such as #!/bin/sh; "
            f"the first line of this one is {shown!r}.",
        )
    if b"\r" in first:
        raise InvalidInputError(
            "script",
            "The first line of the script ends with a carriage return, as in files of Windows, and "
            "no host has a program of this name; remove them, e.g. with: sed -i 's/\\r$//' FILE",
        )
    if len(first) > FIRST_LINE_LENGTH or b"\0" in first:
        raise InvalidInputError(
            "script",
            f"The first line of the script must have at most {FIRST_LINE_LENGTH} bytes and no NUL: "
            "Linux reads no more of it.",
        )


def content_of(data: bytes) -> Content:
    """The content with these bytes."""
    import hashlib  # not at the top, because most tasks have no contents

    return Content(len(data), hashlib.sha256(data).hexdigest(), data)
