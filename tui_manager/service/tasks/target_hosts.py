"""The hosts that a target matches: by what is stored when a task starts, and by what is in memory
for a preview."""

from collections.abc import Iterable, Mapping, Sequence, Set
from functools import partial

from tui_manager.domain.hosts.agent_features import Feature, refusal
from tui_manager.domain.targets.target import (
    ResolvedTarget,
    TargetContext,
    read_notation,
    resolve_target,
)
from tui_manager.domain.targets.target_matching import TargetHost, TargetHosts
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.text.host_name_ranges import fold_sorted_names
from tui_manager.service.core.core import Core
from tui_manager.storage.engine.statements import to_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.views.host_classes import hosts_of_tasks


def find_hosts(
    tx: Transaction,
    target: str,
    *,
    include_maintenance: bool,
    groups: Mapping[str, str],
    online: Set[int],
    now: int,
) -> tuple[ResolvedTarget, dict[str, int]]:
    """The hosts of a target, and row ids by host_id, of these and of others.

    Args:
        groups: host groups that the target may name.
        online: row ids of the hosts that are connected.
        now: microseconds since 1970 UTC.

    Raises InvalidInputError("target"): as `resolve_target`; or the target names hosts of a task
    that does not exist or has not ended.
    """
    notation = read_notation(target, groups)
    targetable, row_ids = hosts.targetable(tx, notation.names, with_facts=notation.asks_for_facts)
    moment = to_datetime(now)
    assert moment is not None
    context = TargetContext(
        now=moment,
        include_maintenance=include_maintenance,
        is_online=lambda host_id: row_ids[host_id] in online,
        admission_of=partial(hosts.admission_of, tx),
        task_hosts=hosts_of_tasks(tx, notation.task_ids),
    )
    return resolve_target(notation, TargetHosts(targetable), context), row_ids


async def resolve_now(core: Core, target: str, *, include_maintenance: bool) -> ResolvedTarget:
    """The hosts of a target now. The database is read only for hosts of earlier tasks.

    Raises InvalidInputError("target"): as `find_hosts`.
    """
    directory = core.directory
    notation = read_notation(target, core.limits.groups)
    task_hosts = {}
    if notation.task_ids:
        task_hosts = await core.database.read(lambda tx: hosts_of_tasks(tx, notation.task_ids))
    context = TargetContext(
        now=core.clock.now(),
        include_maintenance=include_maintenance,
        is_online=directory.is_online,
        admission_of=directory.admission_of,
        task_hosts=task_hosts,
    )
    return resolve_target(notation, directory.sorted.targets(), context)


async def preview(core: Core, target: str, *, include_maintenance: bool) -> TargetPreview:
    """The names of these hosts, and which are offline. Raises InvalidInputError as
    `resolve_now`."""
    found = await resolve_now(core, target, include_maintenance=include_maintenance)
    names = tuple(host.name for host in found.hosts)
    online = core.directory.online_ids
    offline = tuple(host.name for host in found.hosts if host.host_id not in online)
    every = core.directory.sorted.targets()
    folded = every.folded if len(names) == len(every) else fold_sorted_names(names)
    return TargetPreview(names, offline, folded, found.left_out)


def refusals(
    core: Core, commands: Sequence[CommandSpec], hosts: Iterable[TargetHost]
) -> dict[str, str]:
    """Why the agents of some of these hosts cannot get one of the commands, by the names of the
    hosts. What the agent of a host that is offline can do is not known."""
    found = {}
    for host in hosts:
        entry = core.directory.get(host.host_id)
        if entry is None:
            continue
        features = entry.features if entry.online else frozenset(Feature)
        reasons = (refusal(command, features, entry.row.agent) for command in commands)
        if why := next(filter(None, reasons), ""):
            found[host.name] = why
    return found
