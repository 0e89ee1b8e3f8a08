"""The formats of a document of a task. A file of its own, so that the options of the command line
load nothing else."""

from enum import StrEnum
from pathlib import PurePath
from typing import Self


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

    @classmethod
    def of_file(cls, name: str) -> Self | None:
        """The format that the ending of a name chooses; None: no format has this ending."""
        ending = PurePath(name).suffix.lower()
        return next((one for one in cls if one.ending == ending), None)
