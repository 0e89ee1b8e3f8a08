"""On which hosts a task can run again: by class, all, or the marked ones."""

from collections.abc import Mapping, Sequence
from dataclasses import field

from textual.content import Content
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.tasks.host_class import RERUN_DEFAULT, HostClass, task_target
from tui_manager.domain.tasks.task import TaskDetail
from tui_manager.operator.api import Operator
from tui_manager.ui.forms.questions import names_text

# The classes in the order in which they are shown, with the key that ticks each.
KEYS = {
    HostClass.FAILED: "f",
    HostClass.UNREACHED: "u",
    HostClass.UNKNOWN: "k",
    HostClass.COMPLETED: "c",
}
_NAMES_WIDTH = 36  # cells of the names of a line


@dataclass(frozen=True, slots=True)
class RerunChoice:
    """A task that has ended, and the names of its hosts that are still in the fleet.

    Attributes:
        hosts: by class.
        marked: names by host_id of hosts that the operator has marked, whatever their class is.
        gone: names of hosts that the operator has marked, and that are not in the fleet any more.
    """

    detail: TaskDetail
    hosts: Mapping[HostClass, Sequence[str]]
    marked: Mapping[str, str] = field(default_factory=dict)
    gone: Sequence[str] = ()

    @property
    def secrets(self) -> list[str]:
        """Names of the secrets that must be given again."""
        return sorted({name for one in self.detail.commands for name in one.spec.secrets})

    def meaning_of(self, one: HostClass) -> str:
        """An explanation of a class, beside its name."""
        if one is HostClass.UNKNOWN:
            return "may still run: "
        canceled = one is HostClass.FAILED and self.detail.task.counts.canceled
        return "or canceled: " if canceled else ""

    @property
    def filled(self) -> frozenset[HostClass]:
        """The classes that have hosts."""
        return frozenset(one for one, names in self.hosts.items() if names)

    @property
    def preset(self) -> tuple[HostClass, ...]:
        """The classes that are ticked at first: failed and unreached; all, if all completed. None
        if hosts are marked, or if only hosts are left that may still run."""
        usual = tuple(one for one in RERUN_DEFAULT if self.hosts[one])
        if self.marked or usual:
            return () if self.marked else usual
        return () if self.hosts[HostClass.UNKNOWN] else (HostClass.COMPLETED,)


async def look_up_choice(
    operator: Operator, task_id: int, marked: Mapping[str, str] | None = None
) -> RerunChoice:
    """Raises ManagerError."""
    detail = await operator.get_task(task_id)
    hosts: dict[HostClass, Sequence[str]] = {}
    for one in KEYS:
        try:
            found = await operator.preview_target(
                task_target(task_id, [one]), include_maintenance=True
            )
            hosts[one] = found.hosts
        except InvalidInputError:  # no host is of this class, or all of them are gone
            hosts[one] = ()
    present = {name for names in hosts.values() for name in names}
    kept = {host_id: name for host_id, name in (marked or {}).items() if name in present}
    gone = [name for name in (marked or {}).values() if name not in present]
    return RerunChoice(detail, hosts, kept, gone)


def hosts_line(word: str, names: Sequence[str], meaning: str = "") -> Content:
    """What can be ticked: `failed      2 hosts   db02,web03`."""
    hosts = f"{word:<10}{len(names):>8,} {'host ' if len(names) == 1 else 'hosts'}"
    shown = names_text(names, _NAMES_WIDTH - len(meaning))
    # A plain string would be read as markup, and names have brackets.
    return Content(f"{hosts}   {meaning}{shown}" if names else hosts)
