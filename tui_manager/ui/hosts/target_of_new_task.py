"""The target that the form of a new task begins with: what is marked or filtered on the screen.
A file of its own, because all screens open that form."""

from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.filter_by_target import filter_as_target
from tui_manager.domain.status import Admission
from tui_manager.ui.action import Pane
from tui_manager.ui.forms.new_task.new_task_fields import marked_target
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.listing.row_list import MARKED_MAX


async def target_of_new_task(screen: MainScreen) -> str:
    """The marked hosts, also those of a task; without marks what the filter of the list of hosts
    shows: the filter itself if it is a target, else the names. Empty if there is neither. May raise
    ManagerError."""
    if of_task := screen.marked_task_hosts():
        return marked_target(of_task.values())
    if marked := screen.marked_hosts():
        return _names_of(marked)
    table = screen.table
    if table is None or table.PANE is not Pane.HOSTS:
        return ""
    window = table.window
    if not window.text and not window.faults_only:
        return ""
    target = "" if window.faults_only else filter_as_target(window.text)
    return target or _names_of(await table.read_matching(MARKED_MAX))


def _names_of(hosts: list[Host]) -> str:
    return marked_target(host.name for host in hosts if host.admission is Admission.ADMITTED)
