"""Claims commands for many hosts at once: chooses what may be sent and marks it as sent."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules import host_variables

from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.storage.engine.statements import (
    fetch_ids,
    fetch_packed,
    load_queries,
    pack_rows,
    pack_values,
)
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import secrets
from tui_manager.storage.tables.tasks.tasks import spec_of

_SQL = load_queries("choose_commands.sql")


@dataclass(frozen=True, slots=True)
class Recipient:
    """A host that takes commands now.

    Attributes:
        host: its row id.
        room: commands that its session takes.
        limit: commands that may be under way.
        journal_id: of the journal to which they are sent.
        variables: that each of its commands gets; None: its agent takes none from the manager.
    """

    host: int
    room: int
    limit: int
    journal_id: str
    variables: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The same for all commands of a claim; `now` in microseconds since 1970 UTC, bytes of
    output."""

    now: int
    kill_grace: timedelta
    output_limit: int


@dataclass(frozen=True, slots=True)
class ClaimedCommand:
    """A command host that has just been marked as sent.

    Attributes:
        host: the row id of its host.
        run: without its secrets.
        secrets: sealed, by name; None: erased.
    """

    row_id: int
    host: int
    task_id: int
    command_id: int
    position: int
    run: Run
    secrets: Mapping[str, bytes | None]


def choose_and_mark_sent(
    tx: Transaction, recipients: Iterable[Recipient], settings: RunSettings
) -> list[ClaimedCommand]:
    """Marks the commands that may be sent to these hosts as sent, in the order of each host."""
    by_host = {recipient.host: recipient for recipient in recipients}
    rows = _fitting(tx, _unsent(tx, by_host, settings.now), by_host)
    rows = _mark_sent(tx, rows, by_host, settings)
    if not rows:
        return []
    command_ids = {"command_ids": pack_values({row.command_id for row in rows})}
    commands = tx.execute(_SQL["commands"], command_ids).fetchall()
    specs = {command["id"]: spec_of(command) for command in commands}
    with_secrets = [command["id"] for command in commands if command["has_secrets"]]
    sealed = secrets.sealed(tx, with_secrets) if with_secrets else {}
    return [
        ClaimedCommand(
            row_id=row.row_id,
            host=row.host,
            task_id=row.task_id,
            command_id=row.command_id,
            position=row.position,
            run=_run(row, specs[row.command_id], by_host[row.host], settings),
            secrets=sealed.get(row.command_id, {}),
        )
        for row in rows
    ]


class _Unsent(NamedTuple):
    row_id: int
    host: int
    execution_id: str
    command_id: int
    task_id: int
    position: int
    batch: int
    deliver_before: int | None


def _unsent(tx: Transaction, by_host: Mapping[int, Recipient], now: int) -> list[_Unsent]:
    room = max((recipient.room for recipient in by_host.values()), default=0)
    values = {"hosts": pack_values(by_host), "room": max(0, room), "now": now}
    return sorted(_Unsent(*row) for row in fetch_packed(tx, _SQL["to_send"], values))


def _fitting(
    tx: Transaction, unsent: Sequence[_Unsent], by_host: Mapping[int, Recipient]
) -> list[_Unsent]:
    """The first commands of each host, up to its room and to what it may have under way."""
    if not unsent:
        return []
    hosts = {row.host for row in unsent}
    spare = min(by_host[host].limit - by_host[host].room for host in hosts)
    values = {"hosts": pack_values(hosts), "spare": spare}
    busy = {row["host"]: row["commands"] for row in tx.execute(_SQL["under_way"], values)}
    left = {
        host: min(recipient.room, recipient.limit - busy.get(host, 0))
        for host, recipient in by_host.items()
    }
    fitting = []
    for row in unsent:
        if left[row.host] > 0:
            left[row.host] -= 1
            fitting.append(row)
    return fitting


def _mark_sent(
    tx: Transaction, rows: list[_Unsent], by_host: Mapping[int, Recipient], settings: RunSettings
) -> list[_Unsent]:
    """Marks these as sent, and returns those that were free."""
    if not rows:
        return []
    changes = [
        (row.row_id, settings.now, by_host[row.host].journal_id, settings.output_limit)
        for row in rows
    ]
    if tx.execute(_SQL["mark_sent"], {"rows": pack_rows(changes)}).rowcount == len(rows):
        return rows
    ids = {"row_ids": pack_values(row.row_id for row in rows)}
    sent = set(fetch_ids(tx, _SQL["sent"], ids))
    return [row for row in rows if row.row_id in sent]


def _run(row: _Unsent, spec: CommandSpec, recipient: Recipient, settings: RunSettings) -> Run:
    deadline = row.deliver_before
    environment = {**spec.environment, **spec.parameters}
    if recipient.variables is not None:
        environment |= recipient.variables
        environment[host_variables.TASK_ID] = str(row.task_id)
        environment[host_variables.EXECUTION_ID] = row.execution_id
        environment[host_variables.BATCH] = str(row.batch or 1)  # 0: the task has no batches
    return Run(
        execution_id=row.execution_id,
        command=spec,
        environment=environment,
        kill_grace=settings.kill_grace,
        output_limit=settings.output_limit,
        start_before=None if deadline is None else timedelta(microseconds=deadline - settings.now),
    )
