"""`tui-manager hosts`: lists, shows and changes hosts."""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.values import parse_pairs, read_moment
from tui_manager.cli.printing.list_and_show.host_details import host_text, maintenance_text
from tui_manager.cli.printing.list_and_show.list_tables import host_table
from tui_manager.cli.printing.write_text import (
    note,
    note_storage_trouble,
    one_line,
    write,
    write_json,
)
from tui_manager.client.connection import connect_operator
from tui_manager.client.read_lists import all_hosts
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.host import Host, HostDetail
from tui_manager.domain.manager.address import join_line
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.domain.presentation.json_fields import host_detail_shape, host_shape
from tui_manager.domain.status import Admission
from tui_manager.domain.text.host_name_ranges import unfold_names
from tui_manager.operator.api import Operator
from tui_manager.own_addresses import reachable_addresses
from tui_manager.settings import Settings


def run_hosts(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a command of `hosts`, and returns the exit status."""
    if options.hosts_action == "list":
        hosts, status = asyncio.run(_read(settings))
        _print_list(hosts, status, as_json=options.json)
        note_storage_trouble(status)
        return 0
    if options.hosts_action == "show":
        _show(settings, *options.names, as_json=options.json)
        return 0
    if options.json:
        raise InvalidInputError("arguments", "--json is only for the list and for `show`.")
    names = [name for text in options.names for name in unfold_names(text)]
    if options.hosts_action not in ("approve", "reject", "revoke"):
        changed = asyncio.run(_change_properties(settings, options, names))
        write("".join(f"{one_line(name)}\n" for name in changed))
        return 0
    if bool(names) is options.all_pending:
        raise InvalidInputError("names", "Name hosts, or use --all-pending for all pending hosts.")
    changed, waiting = asyncio.run(_change(settings, options.hosts_action, names))
    write("".join(f"{one_line(name)}\n" for name in changed))
    if options.all_pending and waiting:
        who = "1 host waits" if waiting == 1 else f"{waiting} hosts wait"
        note(f"{who} still, because of a note; see `{PROGRAM} hosts`, and approve by name.")
    elif not changed:
        note("No host waits to be approved.")
    return 0


async def _change(
    settings: Settings, action: str, names: Sequence[str]
) -> tuple[Sequence[str], int]:
    """Approves, rejects or revokes hosts; no names mean all pending ones. Returns the names of the
    changed hosts, and how many are still pending."""
    async with connect_operator(settings.state_dir) as operator:
        match action:
            case "approve":
                changed = await operator.approve_hosts(names, all_pending=not names)
            case "reject":
                changed = await operator.reject_hosts(names, all_pending=not names)
            case _:
                changed = await operator.revoke_hosts(names)
        return changed, (await operator.manager_status()).hosts_pending


async def _read(settings: Settings) -> tuple[list[Host], ManagerStatus]:
    async with connect_operator(settings.state_dir) as operator:
        return await _list(operator)


def _show(settings: Settings, name: str, *, as_json: bool) -> None:
    async def read() -> tuple[HostDetail, ManagerStatus]:
        async with connect_operator(settings.state_dir) as operator:
            return await operator.get_host(name), await operator.manager_status()

    detail, status = asyncio.run(read())
    if as_json:
        write_json(host_detail_shape(detail))
    else:
        write(host_text(detail))
    note_storage_trouble(status)


async def _list(operator: Operator) -> tuple[list[Host], ManagerStatus]:
    return await all_hosts(operator), await operator.manager_status()


def _print_list(hosts: Sequence[Host], status: ManagerStatus, *, as_json: bool) -> None:
    if as_json:
        write_json([host_shape(host) for host in hosts])
    elif hosts:
        write(host_table(hosts))
        write("".join(f"{one_line(line)}\n" for line in _approval_notes(hosts)))
        write("".join(f"{one_line(line)}\n" for line in _maintenance_notes(hosts)))
    else:
        note(_no_hosts(status))


def _no_hosts(status: ManagerStatus) -> str:
    line = join_line(status.dials(reachable_addresses)[0], status.security)
    if status.security == "insecure":
        return f"No hosts yet; start an agent: {line}"
    install = f"bring agents to them with `{PROGRAM} agent install --ssh HOSTS`"
    make = f"or make a token with `{PROGRAM} token create`, and start an agent with it"
    return f"No hosts yet; {install}, {make}: {line}"


def _approval_notes(hosts: Sequence[Host]) -> Iterator[str]:
    """What the operator should know before an approval: notes, and ids of hosts with the same
    name."""
    waiting = [host for host in hosts if host.admission is Admission.PENDING]
    known = Counter(host.name for host in waiting)
    for host in hosts:
        same = host in waiting and known[host.name] > 1
        if host.note or same:
            why = host.note or "another host waits under the same name; approve it by its id."
            yield f"{host.name} {host.fingerprint} (id {host.host_id}): {why}"


def _maintenance_notes(hosts: Sequence[Host]) -> Iterator[str]:
    """Why hosts are in maintenance, and until when."""
    for host in hosts:
        if (found := host.maintenance) is not None:
            yield f"{host.name} is in maintenance {maintenance_text(found)}"


async def _change_properties(
    settings: Settings, options: argparse.Namespace, names: Sequence[str]
) -> Sequence[str]:
    """Does what was asked, and returns the names of the hosts.

    Args:
        names: those that were typed, without ranges.
    """
    async with connect_operator(settings.state_dir) as operator:
        match options.hosts_action:
            case "remove":
                return await operator.remove_hosts(names)
            case "rename":
                (name,) = names
                return (await operator.rename_host(name, options.new_name),)
            case "label":
                if not (options.set or options.unset):
                    raise InvalidInputError(
                        "label",
                        "Say which labels are to be set or unset, with --set K=V or --unset K.",
                    )
                to_set = parse_pairs("set", options.set)
                return await operator.label_hosts(names, to_set, options.unset)
            case _:
                return await _maintain(operator, options, names)


async def _maintain(
    operator: Operator, options: argparse.Namespace, names: Sequence[str]
) -> Sequence[str]:
    if options.end:
        if options.until is not None:
            raise InvalidInputError("until", "--until is for a maintenance that begins, not --end.")
        return await operator.set_maintenance(names, end=True)
    until = options.until and read_moment("until", options.until, datetime.now(UTC), ahead=True)
    return await operator.set_maintenance(names, options.reason, until)
