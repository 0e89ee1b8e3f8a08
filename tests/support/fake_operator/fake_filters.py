"""What the filters of the fake operator look at. The language itself is the product's."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.filter_by_target import COMMAND_HOST_KEYS, HOST_KEYS, read_host_terms
from tui_manager.domain.lists.filter_language import FilteredFields, FilterTerm, fits, parse_filter
from tui_manager.domain.manager.audit import AUDIT_KEYS, AuditEntry
from tui_manager.domain.status import Admission
from tui_manager.domain.targets.target import TargetContext, TargetHost, TargetHosts
from tui_manager.domain.tasks.task import CommandHost, Task

GROUPS: Mapping[str, str] = {}


def _states(host: Host) -> tuple[str, ...]:
    if host.admission is not Admission.ADMITTED:
        return (host.admission,)
    resting = ("maintenance",) if host.maintenance else ()
    return (host.admission, "online" if host.online else "offline", *resting)


def _host_text(host: Host) -> str:
    labels = [f"{key}={value}" for key, value in host.labels.items()]
    return "\n".join((host.name, *labels, host.fingerprint))


HOSTS: FilteredFields[Host] = FilteredFields(
    "hosts",
    _host_text,
    {
        "state": _states,
        "name": lambda host: (host.name,),
        "agent": lambda host: (host.agent_version, host.agent_build),
        "system": lambda host: (host.os, host.arch),
        "address": lambda host: (host.address, host.address.rpartition(":")[0]),
        "id": lambda host: (host.host_id,),
    },
    _states,
)
TASKS: FilteredFields[Task] = FilteredFields(
    "tasks",
    lambda task: f"{task.name}\n{task.target}\n{task.status}",
    {
        "status": lambda task: (task.status,),
        "by": lambda task: (
            task.created_by,
            task.created_by.partition("@")[0],
            task.created_by.removeprefix("schedule:"),
        ),
        "target": lambda task: (task.target,),
        "name": lambda task: (task.name,),
        "id": lambda task: (str(task.task_id),),
        "template": lambda task: (task.template.name if task.template else "",),
    },
    lambda task: (str(task.task_id), f"#{task.task_id}"),
)
COMMAND_HOSTS: FilteredFields[CommandHost] = FilteredFields(
    "command hosts",
    lambda row: f"{row.host}\n{row.status}\n{row.reason}",
    {
        "status": lambda row: (row.status,),
        "reason": lambda row: (row.reason,),
        "exit": lambda row: () if row.exit_code is None else (str(row.exit_code),),
        "signal": lambda row: () if row.signal is None else (str(row.signal),),
        "host": lambda row: (row.host,),
        "batch": lambda row: (str(row.batch),),
        "step": lambda row: (str(row.command + 1),),
    },
)
AUDIT: FilteredFields[AuditEntry] = FilteredFields(
    "audit entries",
    lambda entry: "\n".join(
        (entry.actor, entry.action, entry.host, *(f"{k} {v}" for k, v in entry.detail.items()))
    ),
    {
        "actor": lambda entry: (entry.actor, entry.actor.partition("@")[0]),
        "action": lambda entry: (entry.action,),
        "host": lambda entry: (entry.host,),
        "task": lambda entry: (str(entry.task_id or ""),),
    },
    lambda entry: (f"#{entry.task_id}", entry.host_id),
)
assert (*AUDIT.values,) == AUDIT_KEYS


def filter_hosts(text: str, hosts: Collection[Host], now: datetime) -> list[Host]:
    """The hosts that pass a filter."""
    terms = read_host_terms(text, HOST_KEYS, GROUPS)
    matching = _matching(text, HOST_KEYS, hosts, now)
    passes = fits(terms.own, HOSTS)
    return [h for h in hosts if (matching is None or h.host_id in matching) and passes(h)]


def filter_command_hosts(
    text: str, rows: Iterable[CommandHost], hosts: Collection[Host], now: datetime
) -> list[CommandHost]:
    """The command hosts that pass a filter."""
    matching = _matching(text, COMMAND_HOST_KEYS, hosts, now)
    passes = fits(read_host_terms(text, COMMAND_HOST_KEYS, GROUPS).own, COMMAND_HOSTS)
    return [row for row in rows if (matching is None or row.host_id in matching) and passes(row)]


def _matching(
    text: str, keys: Collection[str], hosts: Collection[Host], now: datetime
) -> frozenset[str] | None:
    online = {host.host_id for host in hosts if host.online}
    return read_host_terms(text, keys, GROUPS).matching(
        TargetHosts(TargetHost(h.host_id, h.name, h.labels, {}, h.maintenance) for h in hosts),
        frozenset(host.host_id for host in hosts if host.admission is Admission.ADMITTED),
        TargetContext(now, is_online=online.__contains__),
    )


def passes_tasks(terms: Collection[FilterTerm]) -> Callable[[Task], bool]:
    """Whether a task passes terms that `narrow` has left."""
    return fits(terms, TASKS)


def passes_audit(text: str) -> Callable[[AuditEntry], bool]:
    """Whether an entry passes a filter."""
    return fits(parse_filter(text), AUDIT)
