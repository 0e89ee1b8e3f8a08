"""Which hosts pass the filter of a list."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.filter_by_target import HOST_KEYS, HostTerms, read_host_terms
from tui_manager.domain.lists.filter_language import FilteredFields, fits
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.status import Admission
from tui_manager.domain.targets.target import TargetContext, TaskHost
from tui_manager.service.core.core import Core
from tui_manager.service.core.hosts.host_directory import Directory
from tui_manager.service.core.hosts.host_entry import HostEntry
from tui_manager.storage.views.host_classes import hosts_of_tasks

TaskHosts = Mapping[int, Sequence[TaskHost]]
_NO_TASKS: TaskHosts = {}
_STATES = frozenset((*Admission, "online", "offline", "maintenance"))


def _fields(now: datetime) -> FilteredFields[HostEntry]:
    """What a filter looks at in a host.

    Args:
        now: the time by which a maintenance has ended.
    """

    def states(entry: HostEntry) -> tuple[str, ...]:
        admission = entry.row.admission
        if admission is not Admission.ADMITTED:
            return (admission,)
        resting = ("maintenance",) if entry.maintenance(now) else ()
        return (admission, "online" if entry.online else "offline", *resting)

    return FilteredFields(
        noun="hosts",
        text=_text,
        exact=states,
        may_be_exact=_STATES.__contains__,
        values={
            "state": states,
            "name": lambda entry: (entry.row.name,),
            "agent": lambda entry: (entry.row.agent_version, entry.row.agent_build),
            "system": lambda entry: (entry.row.os, entry.row.arch),
            "address": lambda entry: (entry.row.address, entry.row.address.rpartition(":")[0]),
            "id": lambda entry: (entry.row.host_id,),
        },
    )


def _text(entry: HostEntry) -> str:
    row = entry.row
    if entry.search_text is None:
        labels = (f"{key}={value}" for key, value in row.labels.items())
        entry.search_text = "\n".join((row.name, *labels, row.fingerprint))
    return entry.search_text


def search(
    directory: Directory,
    window: Window,
    now: datetime,
    groups: Mapping[str, str],
    task_hosts: TaskHosts = _NO_TASKS,
) -> Page[Host]:
    """A window of the hosts that pass its filter.

    Args:
        now: the time by which a maintenance has ended.
        groups: host groups that the filter may name, without `@`, → target.
        task_hosts: the hosts of all tasks that the filter names.

    Raises InvalidInputError("text"): the filter is wrong.
    """
    if not window.text:
        return directory.sorted.window(window, now)
    terms = read_host_terms(window.text, HOST_KEYS, groups)
    passes = fits(terms.own, _fields(now)) if terms.own else None
    matching = _matching(directory, terms, now, task_hosts)
    return directory.sorted.window(window, now, passes, matching)


def _matching(
    directory: Directory, terms: HostTerms, now: datetime, task_hosts: TaskHosts
) -> frozenset[str] | None:
    if not terms.targets:
        return None
    context = TargetContext(now=now, is_online=directory.is_online, task_hosts=task_hosts)
    admitted = directory.sorted.targets().ids
    return terms.matching(directory.sorted.all_as_targets(), admitted, context)


async def _hosts_of_tasks(core: Core, terms: HostTerms) -> TaskHosts:
    task_ids = terms.task_ids
    if not task_ids:
        return _NO_TASKS
    try:
        return await core.database.read(lambda tx: hosts_of_tasks(tx, task_ids))
    except InvalidInputError as error:  # it names the field of a target
        raise InvalidInputError("text", str(error)) from error


async def list_hosts(core: Core, window: Window) -> Page[Host]:
    """A window of the hosts. Raises InvalidInputError("text"): its filter is wrong."""
    groups = core.limits.groups
    terms = read_host_terms(window.text, HOST_KEYS, groups)
    task_hosts = await _hosts_of_tasks(core, terms)
    return search(core.directory, window, core.clock.now(), groups, task_hosts)


async def matching_hosts(core: Core, terms: HostTerms) -> frozenset[str] | None:
    """The host_ids that fit the targets of a filter; None: it has none.

    Raises InvalidInputError("text"): a task that it names does not exist, or has not ended.
    """
    task_hosts = await _hosts_of_tasks(core, terms)
    return _matching(core.directory, terms, core.clock.now(), task_hosts)
