"""What the keys of a screen do to hosts, with the questions before. Which key does it is in
`action_table.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

from textual.app import App

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.status import Admission
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import Action
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.confirm import ConfirmScreen, Question
from tui_manager.ui.forms.hosts.host_forms import (
    LabelsForm,
    MaintenanceForm,
    RenameForm,
    names_with_ids,
)
from tui_manager.ui.forms.questions import (
    approve_question,
    end_maintenance_question,
    reject_or_revoke_question,
    remove_question,
)
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.listing.row_list import RowList
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import is_open

_NAMES_WIDTH = 60  # cells


class HostActions(MainScreen):
    """A screen whose keys act on hosts."""

    def chosen_hosts(self) -> list[Host]:
        """The hosts that the keys act on."""
        raise NotImplementedError

    def find_hosts(self) -> list[Host]:
        """The same. If none are chosen, it shows the hosts to choose from."""
        return self.chosen_hosts()

    @property
    def host_rows(self) -> RowList[Host] | None:
        """The list that hosts are chosen from; None on the screen of one host."""
        raise NotImplementedError

    def is_useful(self, action: Action) -> bool:
        chosen = {host.admission for host in self.chosen_hosts()}
        match action.id:
            case "approve":
                use = Admission.PENDING in chosen
            case "reject":
                use = bool(chosen & {Admission.PENDING, Admission.ADMITTED})
            case _:
                use = True
        return use and super().is_useful(action)

    def label_of(self, action: Action) -> str:
        if not action.host_labels:
            return super().label_of(action)
        return action.label_for(host.admission for host in self.chosen_hosts())

    async def action_approve(self) -> None:
        """Admits the chosen hosts, after asking."""
        if await self.find_marks():
            self.run_to_end(approve_hosts(self.app, self.link, self.find_hosts(), self.host_rows))

    async def action_reject(self) -> None:
        """Rejects or revokes the chosen hosts, after asking."""
        if await self.find_marks():
            hosts = self.find_hosts()
            self.run_to_end(reject_or_revoke_hosts(self.app, self.link, hosts, self.host_rows))

    async def action_maintenance(self) -> None:
        """Puts the chosen hosts into maintenance. If all of them are, it ends that."""
        if await self.find_marks():
            hosts = self.find_hosts()
            self.run_to_end(maintain_hosts(self.app, self.link, hosts, self.host_rows))

    async def action_labels(self) -> None:
        """Changes the labels of the chosen hosts."""
        if await self.find_marks():
            self.run_to_end(label_hosts(self.app, self.link, self.find_hosts(), self.host_rows))

    async def action_rename_host(self) -> None:
        """Gives the chosen host another name."""
        if await self.find_marks():
            self.run_to_end(rename_host(self.app, self.link, self.find_hosts(), self.host_rows))

    async def action_remove_host(self) -> None:
        """Forgets the chosen hosts, after asking."""
        if await self.find_marks():
            self.run_to_end(remove_hosts(self.app, self.link, self.find_hosts(), self.host_rows))


async def approve_hosts(
    app: App[Any], link: Link, hosts: Sequence[Host], rows: RowList[Host] | None
) -> None:
    """Asks, then admits those that are pending."""
    pending = [host for host in hosts if host.admission is Admission.PENDING]
    if not hosts:
        key = key_of("approve", link.keys)
        _notify_warning(app, f"Approve which? Select or mark a pending host (◌), then press {key}.")
    elif len(pending) < len(hosts):
        others = [host for host in hosts if host not in pending]
        _notify_warning(app, f"{_admission_text(others)}: only a pending host can be approved.")
    if not pending or not await _confirmed(app, approve_question(pending)):
        return
    try:
        names = await link.operator.approve_hosts(names_with_ids(pending))
    except ManagerError as error:
        _notify_error(app, error)
    else:
        app.notify(f"Approved {_names_text(names)}.", markup=False)
        _reveal_hosts(rows)


async def reject_or_revoke_hosts(
    app: App[Any], link: Link, hosts: Sequence[Host], rows: RowList[Host] | None
) -> None:
    """Asks, then rejects those that are pending and revokes those that are admitted."""
    pending = [host for host in hosts if host.admission is Admission.PENDING]
    admitted = [host for host in hosts if host.admission is Admission.ADMITTED]
    if not hosts:
        key = key_of("reject", link.keys)
        _notify_warning(app, f"Reject or revoke which? Select or mark a host, then press {key}.")
    elif len(pending) + len(admitted) < len(hosts):
        others = [host for host in hosts if host not in pending and host not in admitted]
        _notify_warning(app, f"{_admission_text(others)} already.")
    if not (pending or admitted):
        return
    if not await _confirmed(app, reject_or_revoke_question(pending, admitted)):
        return
    done = []
    try:
        if admitted:
            done.append(f"Revoked {_names_text(await link.operator.revoke_hosts(_ids(admitted)))}.")
        if pending:
            done.append(f"Rejected {_names_text(await link.operator.reject_hosts(_ids(pending)))}.")
        _reveal_hosts(rows)
    except ManagerError as error:
        _notify_error(app, error)
    if done:
        app.notify(" ".join(done), markup=False)


async def maintain_hosts(
    app: App[Any], link: Link, hosts: Sequence[Host], rows: RowList[Host] | None
) -> None:
    """Asks why and until when, then puts hosts into maintenance. If all of them are, it asks, then
    ends that."""
    if not hosts:
        key = key_of("maintenance", link.keys)
        _notify_warning(app, f"Maintenance of which? Select or mark a host, then press {key}.")
    elif not all(host.maintenance for host in hosts):
        names = await app.push_screen_wait(MaintenanceForm(link, hosts))
        if names is not None:
            app.notify(f"In maintenance: {_names_text(names)}.", markup=False)
            _reveal_hosts(rows)
    elif await _confirmed(app, end_maintenance_question(hosts)):
        try:
            ended = await link.operator.set_maintenance(names_with_ids(hosts), end=True)
        except ManagerError as error:
            _notify_error(app, error)
        else:
            app.notify(f"Maintenance ended: {_names_text(ended)}.", markup=False)
            _reveal_hosts(rows)


async def label_hosts(
    app: App[Any], link: Link, hosts: Sequence[Host], rows: RowList[Host] | None
) -> None:
    """Asks which labels to set and unset, then does it."""
    if not hosts:
        key = key_of("labels", link.keys)
        _notify_warning(app, f"Labels of which? Select or mark a host, then press {key}.")
        return
    given: Mapping[str, str] = {}
    if len(hosts) == 1:
        try:
            given = (await link.operator.get_host(hosts[0].host_id)).operator_labels
        except ManagerError as error:
            _notify_error(app, error)
            return
    names = await app.push_screen_wait(LabelsForm(link, hosts, given))
    if names is not None:
        app.notify(f"Labels changed: {_names_text(names)}.", markup=False)
        _reveal_hosts(rows)


async def rename_host(
    app: App[Any], link: Link, hosts: Sequence[Host], rows: RowList[Host] | None
) -> None:
    """Asks for another name, then gives it to the host."""
    if len(hosts) != 1:
        which = "Two hosts cannot have one name: mark" if hosts else "Rename which? Select or mark"
        key = key_of("rename_host", link.keys)
        _notify_warning(app, f"{which} one host, then press {key}.")
        return
    names = await app.push_screen_wait(RenameForm(link, hosts))
    if names is not None:
        app.notify(f"{safe_line(hosts[0].name)} is now {_names_text(names)}.", markup=False)
        _reveal_hosts(rows)


async def remove_hosts(
    app: App[Any], link: Link, hosts: Sequence[Host], rows: RowList[Host] | None
) -> None:
    """Asks, then forgets hosts. The manager refuses hosts that are online or have work."""
    if not hosts:
        key = key_of("remove_host", link.keys)
        _notify_warning(app, f"Remove which? Select or mark a host, then press {key}.")
        return
    if not await _confirmed(app, remove_question(hosts)):
        return
    try:
        names = await link.operator.remove_hosts(names_with_ids(hosts))
    except ManagerError as error:
        _notify_error(app, error)
    else:
        app.notify(f"Removed {_names_text(names)}.", markup=False)
        _reveal_hosts(rows)


async def _confirmed(app: App[Any], question: Question) -> bool:
    return await app.push_screen_wait(ConfirmScreen(question))


def _reveal_hosts(rows: RowList[Host] | None) -> None:
    """Moves the cursor with its host, which has moved in the list: the next key acts on the same
    host."""
    if rows is None or not is_open(rows):
        return
    if rows.list.marks:
        rows.clear_marks()
    else:
        rows.reveal_selected()


def _ids(hosts: Sequence[Host]) -> list[str]:
    """Two hosts may have one name, but not one id."""
    return [host.host_id for host in hosts]


def _names_text(names: Sequence[str]) -> str:
    folded = shorten(safe_line(fold_names(names)), _NAMES_WIDTH)
    return folded if len(names) == 1 else f"{count_of(len(names), 'host')}: {folded}"


def _admission_text(hosts: Sequence[Host]) -> str:
    """`web01 is admitted`, `3 of the marked hosts are admitted or revoked`."""
    states = sorted({host.admission for host in hosts})
    if len(hosts) == 1:
        return f"{shorten(safe_line(hosts[0].name), _NAMES_WIDTH)} is {states[0]}"
    return f"{len(hosts):,} of the marked hosts are {' or '.join(states)}"


def _notify_warning(app: App[Any], text: str) -> None:
    app.notify(text, severity="warning", markup=False)


def _notify_error(app: App[Any], error: ManagerError) -> None:
    app.notify(safe_line(str(error)), severity="error", markup=False)
