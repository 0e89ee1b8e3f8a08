"""Templates: task files that are saved under a name, each save as a version."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A template as a task names it, `restart@3`; versions count from 1."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Template:
    """A template as lists show it.

    Attributes:
        version: the newest one.
        description: of that version.
        saved_by: who saved that version, `user@terminal`.
        schedules: how many use the template.
    """

    name: str
    version: int
    description: str
    saved_by: str
    saved_at: datetime
    schedules: int = 0


@dataclass(frozen=True, slots=True)
class SavedVersion:
    """Who saved a version, `user@terminal`, and when."""

    version: int
    saved_by: str
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class TemplateDetail:
    """One version of a template.

    Attributes:
        version: the one whose text this is.
        text: a task file (TOML), with its scripts in it.
        versions: the newest first, at most 100.
        schedules: names of those that use the template.
    """

    template: Template
    version: int
    text: str
    versions: tuple[SavedVersion, ...] = ()
    schedules: tuple[str, ...] = ()
