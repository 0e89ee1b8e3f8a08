"""The formats of a document of a task. A file of its own, so that the options of the command line
load nothing else."""

from enum import StrEnum


class Format(StrEnum):
    """The format of a document."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"
    JUNIT = "junit"

    @property
    def ending(self) -> str:
        """How the name of a file of this format ends."""
        return ".xml" if self is Format.JUNIT else f".{self}"
