"""A version of a template. A file of its own, because every task has one, and needs nothing else of
templates."""

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.names_and_labels import is_name

from tui_manager.domain.errors import InvalidInputError

_SHOWN = 80  # characters of a wrong value in an error


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A template as a task names it, `restart@3`; versions count from 1."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def check(self) -> None:
        """Raises InvalidInputError("template") if no template can have this name."""
        if not is_name(self.name):
            raise InvalidInputError("template", f"There is no template {self.name[:_SHOWN]!r}.")
