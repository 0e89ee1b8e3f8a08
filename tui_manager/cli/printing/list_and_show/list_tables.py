"""The tables of `hosts`, `task list`, `task show`, `token list`, `template list`, `managers` and
`audit`: their columns, and what each cell says. One host as text is in `host_details.py`, one task
in `task_details.py`, one template in `template_details.py`. JSON is in `json_fields.py`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from tui_manager.cli.printing.summary_text import count_words, outcome, update_words
from tui_manager.cli.printing.text_table import Table
from tui_manager.cli.printing.write_text import local_time
from tui_manager.domain.hosts.host import Host, labels_text
from tui_manager.domain.hosts.join_token import Token
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.manager.gateway import Gateway
from tui_manager.domain.status import Admission
from tui_manager.domain.task_files.template import Template
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import CommandHost, Task
from tui_manager.domain.text.number_format import age, size

_HOST_COLUMNS = (
    *("NAME", "STATE", "FINGERPRINT", "LABELS", "CPU", "MEM", "RUN", "SINCE", "ADDRESS"),
    *("SYSTEM", "AGENT"),
)
_TASK_COLUMNS = ("ID", "STATUS", "NAME", "TARGET", "COUNTS", "CREATED", "BY")
_TASK_OF_HOST_COLUMNS = ("ID", "STATUS", "NAME", "COUNTS", "CREATED", "BY")
_COMMAND_HOST_COLUMNS = (
    *("HOST", "COMMAND", "BATCH", "STATUS", "REASON", "STARTED", "FINISHED", "STDOUT", "STDERR"),
)
_TOKEN_COLUMNS = ("ID", "STATE", "BY", "MADE", "EXPIRES", "LEFT", "APPROVES", "LABELS")
_TEMPLATE_COLUMNS = ("NAME", "VERSION", "SAVED", "BY", "SCHEDULES", "ABOUT")
_MANAGER_COLUMNS = (
    *("NAME", "STATE", "HOSTS", "CPU", "MEMORY", "RESULTS/S", "STARTED", "HEARD", "VERSION"),
    "ADDRESS",
)
_AUDIT_COLUMNS = ("WHEN", "WHO", "DID", "HOST", "TASK", "DETAIL")


def host_table(hosts: Iterable[Host]) -> str:
    """The table of `hosts`."""
    return _table(_HOST_COLUMNS, map(_host_row, hosts), ("LABELS", "SYSTEM", "NAME"))


class TaskTable:
    """The table of `task list`."""

    def __init__(self) -> None:
        self._table = _empty_table(_TASK_COLUMNS, ("NAME", "TARGET", "COUNTS", "BY"))

    def add(self, task: Task) -> None:
        """Adds a row."""
        self._table.add(_task_row(task))

    @property
    def empty(self) -> bool:
        """It has no task."""
        return self._table.empty

    def lines(self) -> Iterator[str]:
        """The table."""
        return self._table.lines()


def task_of_host_table(tasks: Iterable[Task]) -> str:
    """The newest tasks of one host, in `hosts show`."""
    rows = map(_task_of_host_row, tasks)
    return _table(_TASK_OF_HOST_COLUMNS, rows, ("NAME", "COUNTS", "BY"))


class CommandHostTable:
    """The hosts of one task, in `task show`. Those of a rollout have a batch.

    Args:
        steps: of the task.
    """

    def __init__(self, steps: Sequence[CommandSpec]) -> None:
        self._steps = steps
        self._table = _empty_table(_COMMAND_HOST_COLUMNS, ("REASON", "HOST"))
        self._table.hidden = _COMMAND_HOST_COLUMNS.index("BATCH")

    def add(self, row: CommandHost) -> None:
        """Adds a row."""
        self._table.add(_command_host_row(row, self._steps[row.command]))
        if row.batch:
            self._table.hidden = None

    def lines(self) -> Iterator[str]:
        """An empty line and the table; nothing if there is no row."""
        if not self._table.empty:
            yield "\n"
            yield from self._table.lines()


def token_table(tokens: Iterable[Token]) -> str:
    """The table of `token list`."""
    return _table(_TOKEN_COLUMNS, map(_token_row, tokens), ("LABELS", "BY"))


def template_table(templates: Iterable[Template]) -> str:
    """The table of `template list`."""
    return _table(_TEMPLATE_COLUMNS, map(_template_row, templates), ("ABOUT", "BY", "NAME"))


def manager_table(managers: Iterable[Gateway], now: datetime) -> str:
    """The table of `managers`."""
    rows = (_manager_row(manager, now) for manager in managers)
    return _table(_MANAGER_COLUMNS, rows, ("NAME", "ADDRESS"))


def audit_table(entries: Iterable[AuditEntry]) -> str:
    """The table of `audit`."""
    return _table(_AUDIT_COLUMNS, map(_audit_row, entries), ("DETAIL", "TASK", "WHO", "HOST"))


def host_state(host: Host) -> str:
    """Online or offline; before it that the host is in maintenance or pending. A host that was
    turned away has its admission alone."""
    connection = "online" if host.online else "offline"
    match host.admission:
        case Admission.ADMITTED:
            return f"maintenance {connection}" if host.maintenance else connection
        case Admission.PENDING:
            return f"{host.admission} {connection}"
        case _:
            return host.admission


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], shortened: Iterable[str]) -> str:
    """A table whose columns `shortened` lose text, in this order, if the terminal is narrow."""
    made = _empty_table(columns, shortened)
    for row in rows:
        made.add(row)
    return "".join(made.lines())


def _empty_table(columns: Sequence[str], shortened: Iterable[str]) -> Table:
    return Table(columns, stretch=tuple(map(columns.index, shortened)))


def _host_row(host: Host) -> tuple[str, ...]:
    vitals = host.vitals
    return (
        host.name,
        host_state(host),
        host.fingerprint or "-",
        labels_text(host.labels) or "-",
        f"{vitals.cpu_percent:.0f}%" if vitals else "-",
        f"{vitals.memory_percent:.0f}%" if vitals else "-",
        "-" if host.online and vitals is None else str(host.running),
        local_time(host.since),
        host.address,
        f"{host.os} {host.arch}",
        host.agent_version,
    )


def _task_row(task: Task) -> tuple[str, ...]:
    return (
        str(task.task_id),
        task.state,
        task.name,
        task.target,
        count_words(task.counts) if task.counts.total else "-",
        local_time(task.created_at),
        task.created_by or "-",
    )


def _task_of_host_row(task: Task) -> tuple[str, ...]:
    return (
        str(task.task_id),
        "canceling" if task.canceling else task.status,
        task.name,
        count_words(task.counts),
        local_time(task.created_at),
        task.created_by or "-",
    )


def _command_host_row(row: CommandHost, step: CommandSpec) -> tuple[str, ...]:
    return (
        row.host,
        str(row.command),
        str(row.batch),
        "canceling" if row.canceling else f"{row.status}{' (late)' if row.late else ''}",
        _outcome(row, step) or "-",
        local_time(row.started_at),
        local_time(row.finished_at),
        str(row.stdout_bytes),
        str(row.stderr_bytes),
    )


def _outcome(row: CommandHost, step: CommandSpec) -> str:
    """Why it ended, or what a copy, a fetch or an update has done."""
    if row.reason or row.transfer is None:
        return outcome(row)
    if step.update is not None and row.status.ended:
        return update_words(row, step.update)
    return f"{_transfer_words(row.transfer)}{f' ({row.detail})' if row.detail else ''}"


def _transfer_words(transfer: Transfer) -> str:
    """`3 files, 12 kB, 2 unchanged`."""
    words = f"{transfer.files:,} file{'s' * (transfer.files != 1)}, {size(transfer.bytes)}"
    if transfer.unchanged:
        return f"unchanged: {words}"
    return f"{words}, {transfer.unchanged_files:,} unchanged" if transfer.unchanged_files else words


def _token_row(token: Token) -> tuple[str, ...]:
    return (
        str(token.token_id),
        token.state.replace("_", " "),
        token.created_by,
        local_time(token.created_at),
        local_time(token.expires_at),
        f"{token.uses - token.used} of {token.uses}",
        "at once" if token.auto_approve else "-",
        labels_text(token.labels) or "-",
    )


def _template_row(template: Template) -> tuple[str, ...]:
    return (
        template.name,
        str(template.version),
        local_time(template.saved_at),
        template.saved_by or "-",
        str(template.schedules or "-"),
        template.description or "-",
    )


def _manager_row(manager: Gateway, now: datetime) -> tuple[str, ...]:
    health, silent = manager.newest_health, manager.silent_for(now)
    heard = "now" if manager.alive else "-" if silent is None else f"{age(silent)} ago"
    return (
        manager.name,
        manager.state,
        f"{health.sessions:,}" if health else "-",
        f"{health.cpu_percent:.0f}%" if health else "-",
        size(health.memory_bytes) if health else "-",
        f"{health.commands_per_second:,.1f}" if health else "-",
        local_time(manager.started_at),
        heard,
        manager.version,
        manager.address,
    )


def _audit_row(entry: AuditEntry) -> tuple[str, ...]:
    return (
        local_time(entry.at),
        entry.actor,
        entry.action,
        entry.host or "-",
        f"#{entry.task_id} {entry.task_name}".rstrip() if entry.task_id else "-",
        _audit_detail(entry.detail) or "-",
    )


def _audit_detail(detail: Mapping[str, str]) -> str:
    """`key=value`; a value with blanks is quoted, an empty one is left out."""
    shown = {key: f'"{value}"' if " " in value else value for key, value in detail.items()}
    return " ".join(f"{key}={value}" for key, value in sorted(shown.items()) if value)
