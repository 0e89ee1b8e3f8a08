"""Templates: task files that are saved under a name. Each save makes a version."""

import re
from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.names_and_labels import is_name

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.filter_language import FilteredFields
from tui_manager.domain.task_spec.template_version import TemplateVersion as TemplateVersion

VERSIONS_KEPT = 1000  # of one template, the newest
BYTES_KEPT = 64 * 1024 * 1024  # of all texts of one template together
VERSIONS_SHOWN = 100
TEMPLATE_SORT_COLUMNS = ("name", "saved")
_VERSION = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_SHOWN = 80  # characters of a wrong value in an error


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


TEMPLATE_FIELDS: FilteredFields[Template] = FilteredFields(
    noun="templates",
    text=lambda row: f"{row.name}\n{row.description}",
    values={
        "name": lambda row: (row.name,),
        "by": lambda row: (row.saved_by, row.saved_by.partition("@")[0]),
    },
)
TEMPLATE_KEYS = tuple(TEMPLATE_FIELDS.values)  # of a filter


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


def check_template_name(name: str) -> None:
    """Raises InvalidInputError("name") if a template cannot have this name."""
    if not is_name(name):
        raise InvalidInputError(
            "name",
            f"{name[:_SHOWN]!r} is not a template's name: 1 to 64 letters, digits, '.', '_' and "
            "'-', of which the first is a letter or a digit.",
        )


def split_version(text: str) -> tuple[str, int]:
    """Name and version of `NAME@VERSION`, or of `NAME`; without a version 0, which is the newest.

    Raises InvalidInputError("name") if there can be no such template, ("version") if the version is
    no number from 1 on.
    """
    name, at, version = text.partition("@")
    check_template_name(name)
    if at and not _VERSION.fullmatch(version):
        raise InvalidInputError(
            "version",
            f"{version[:_SHOWN]!r} is not a version of the template {name}: write {name}@3, or "
            f"{name} for the newest.",
        )
    return name, int(version or 0)
