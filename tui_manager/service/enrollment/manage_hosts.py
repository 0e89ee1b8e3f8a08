"""The transactions in which an operator changes hosts: labels, name, maintenance, removal."""

from collections.abc import Mapping, Sequence
from datetime import UTC

from tui_manager_protos.rules.names_and_labels import LABELS_LIMIT

from tui_manager.domain.errors import IllegalMoveError, InvalidInputError
from tui_manager.domain.hosts.host import check_labels, check_name, labels_text
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.status import Admission
from tui_manager.service.enrollment import named_hosts
from tui_manager.storage.engine.statements import to_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import admissions, host_changes, hosts
from tui_manager.storage.tables.hosts.hosts import HostRow

_TASKS_NAMED = 5  # tasks that an error names


def label(
    tx: Transaction,
    names: Sequence[str],
    to_set: Mapping[str, str],
    to_unset: Sequence[str],
    actor: str,
    now: int,
) -> list[HostRow]:
    """Sets labels, and takes away labels that operators have set; see
    `HostManagementService.label`."""
    selected = named_hosts.members(tx, names, "labeled")
    unknown = [key for key in to_unset if not any(key in host.operator_labels for host in selected)]
    if unknown:
        whom = "this host" if len(selected) == 1 else "one of these hosts"
        raise InvalidInputError(
            "label",
            f"No operator has given {whom} the label {unknown[0][:80]!r}. Labels of its agent and "
            "of its join token cannot be unset; set another value instead.",
        )
    rows = []
    for host in selected:
        before = host.operator_labels
        kept = {key: value for key, value in before.items() if key not in to_unset}
        after = {**kept, **to_set}
        check_labels(after)
        row = host_changes.label(tx, host, after) if after != before else host
        _check_label_count(host, row)
        rows.append(row)
        if after != before:
            changed = {key: value for key, value in after.items() if before.get(key) != value}
            gone = ",".join(sorted(before.keys() - after.keys()))
            more = {"set": labels_text(changed), "unset": gone}
            more = {key: value for key, value in more.items() if value}
            named_hosts.record(tx, now, actor, "label_host", host, more)
    return rows


def _check_label_count(before: HostRow, after: HostRow) -> None:
    """Raises InvalidInputError if labels were added to a host that has too many by that. One that
    its agent gives more labels later keeps them; an operator can still take labels away."""
    count = len(after.labels)
    if count > max(LABELS_LIMIT, len(before.labels)):
        raise InvalidInputError(
            "label",
            f"{after.name} would have {count:,} labels, with those of its agent and of its join "
            f"token; a host has at most {LABELS_LIMIT}. Set fewer, or unset others.",
        )


def rename(tx: Transaction, name: str, new_name: str, actor: str, now: int) -> HostRow:
    """Gives a host another name; see `HostManagementService.rename`."""
    (host,) = named_hosts.any_hosts(tx, [name], "renamed")
    check_name(new_name, "Give the host another name.")
    if host.name == new_name:
        raise IllegalMoveError(f"The host is called {new_name} already.")
    if hosts.by_host_id(tx, new_name):
        raise InvalidInputError("name", f"{new_name} is the id of a host. Give another name.")
    for owner in hosts.by_name(tx, new_name):
        raise IllegalMoveError(
            f"{host.name} cannot be renamed to {new_name}: another host has this name "
            f"({owner.admission}, id {owner.host_id}). Rename or remove that one first."
        )
    row = host_changes.rename(tx, host.host_id, new_name)
    more = {"before": host.name, "after": new_name}
    named_hosts.record(tx, now, actor, "rename_host", row, more)
    return row


def begin_maintenance(
    tx: Transaction, names: Sequence[str], maintenance: Maintenance, now: int
) -> list[HostRow]:
    """Puts hosts into maintenance; see `HostManagementService.set_maintenance`."""
    more = {"reason": maintenance.reason}
    if maintenance.until is not None:
        more["until"] = f"{maintenance.until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    rows = []
    for host in named_hosts.members(tx, names, "put into maintenance"):
        rows.append(host_changes.set_maintenance(tx, host.host_id, maintenance))
        named_hosts.record(tx, now, maintenance.asked_by, "set_maintenance", host, more)
    return rows


def end_maintenance(tx: Transaction, names: Sequence[str], actor: str, now: int) -> list[HostRow]:
    """Ends the maintenance of hosts; see `HostManagementService.end_maintenance`."""
    instant = to_datetime(now)
    assert instant is not None
    rows = []
    for host in named_hosts.members(tx, names, "taken out of maintenance"):
        if host.maintenance is None or not host.maintenance.active(instant):
            raise IllegalMoveError(f"{host.name} is not in maintenance.")
        rows.append(host_changes.set_maintenance(tx, host.host_id, None))
        more = {"reason": host.maintenance.reason}
        named_hosts.record(tx, now, actor, "end_maintenance", host, more)
    return rows


def remove(
    tx: Transaction, names: Sequence[str], offline: Mapping[str, int], actor: str, now: int
) -> list[HostRow]:
    """Removes hosts; see `HostManagementService.remove`.

    Args:
        offline: the generation of each host that had no session when this was asked, by host_id. A
            host with a higher one has opened a session meanwhile.
    """
    rows = []
    for host in named_hosts.any_hosts(tx, names, "removed"):
        if offline.get(host.host_id) != host.generation:
            raise IllegalMoveError(
                f"{host.name} cannot be removed: it is online. Stop its agent, or "
                f"{_end_membership(host)} the host first."
            )
        _refuse_unended(tx, host)
        row = admissions.remove(tx, host.host_id, now)
        assert row is not None
        more = {"admission": host.admission.value}
        named_hosts.record(tx, now, actor, "remove_host", row, more)
        rows.append(row)
    return rows


def _refuse_unended(tx: Transaction, host: HostRow) -> None:
    """Raises IllegalMoveError if a host has commands that have not ended."""
    tasks = host_changes.unended_tasks(tx, host.row_id)
    if not tasks:
        return
    count = sum(tasks.values())
    what = "a command that has" if count == 1 else f"{count:,} commands that have"
    which = ", ".join(map(str, list(tasks)[:_TASKS_NAMED]))
    more = ", …" if len(tasks) > _TASKS_NAMED else ""
    raise IllegalMoveError(
        f"{host.name} cannot be removed: it has {what} not ended (task {which}{more}). Cancel the "
        f"task, or {_end_membership(host)} the host first."
    )


def _end_membership(host: HostRow) -> str:
    return "reject" if host.admission is Admission.PENDING else "revoke"
