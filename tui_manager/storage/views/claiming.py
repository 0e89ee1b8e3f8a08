"""Takes what may be sent to hosts, for many hosts at once, and marks it as sent."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from tui_manager.domain.report import Run
from tui_manager.domain.spec import CommandSpec
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.queries import load
from tui_manager.storage.engine.rows import fetch
from tui_manager.storage.tables import secrets
from tui_manager.storage.tables.tasks import spec_of
from tui_manager.storage.views import sending
from tui_manager.storage.views.sending import Sending

_SQL = load("claiming.sql")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a host may be sent now.

    Attributes:
        host: its row id.
        room: commands that its session takes.
        most: commands that may be under way.
        journal_id: to which journal they are sent.
    """

    host: int
    room: int
    most: int
    journal_id: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all that is sent; `now` in microseconds since 1970 UTC, bytes of output."""

    now: int
    kill_grace: timedelta
    output_limit: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A command host that has just been marked as sent.

    Attributes:
        host: the row id of its host.
        run: without its secrets.
        secrets: sealed; None for one that is erased.
    """

    row_id: int
    host: int
    task_id: int
    command_id: int
    position: int
    run: Run
    secrets: Mapping[str, bytes | None]


def claim(tx: Transaction, asks: Iterable[Ask], terms: Terms) -> list[Claimed]:
    """Marks commands that may be sent to these hosts as sent, each host's in order."""
    asked = {ask.host: ask for ask in asks}
    rows = _fitting(tx, _waiting(tx, asked, terms.now), asked)
    if not rows:
        return []
    sending.mark_all_sent(
        tx,
        [
            Sending(row.row_id, terms.now, asked[row.host].journal_id, terms.output_limit)
            for row in rows
        ],
    )
    command_ids = {"command_ids": json.dumps(list({row.command_id for row in rows}))}
    commands = tx.execute(_SQL["commands"], command_ids).fetchall()
    specs = {command["id"]: spec_of(command) for command in commands}
    with_secrets = [command["id"] for command in commands if command["has_secrets"]]
    sealed = secrets.sealed(tx, with_secrets) if with_secrets else {}
    return [
        Claimed(
            row_id=row.row_id,
            host=row.host,
            task_id=row.task_id,
            command_id=row.command_id,
            position=row.position,
            run=_run(row, specs[row.command_id], terms),
            secrets=sealed.get(row.command_id, {}),
        )
        for row in rows
    ]


class _Waiting(NamedTuple):
    row_id: int
    host: int
    execution_id: str
    command_id: int
    task_id: int
    position: int
    deliver_before: int | None


def _waiting(tx: Transaction, asked: Mapping[int, Ask], now: int) -> list[_Waiting]:
    room = max((ask.room for ask in asked.values()), default=0)
    values = {"hosts": json.dumps(list(asked)), "room": max(0, room), "now": now}
    return sorted(_Waiting(*row) for row in fetch(tx, _SQL["to_send"], values))


def _fitting(
    tx: Transaction, waiting: Sequence[_Waiting], asked: Mapping[int, Ask]
) -> list[_Waiting]:
    """The first of what waits, up to the room of each host and to what it may have under way."""
    if not waiting:
        return []
    hosts = {row.host for row in waiting}
    spare = min(asked[host].most - asked[host].room for host in hosts)
    values = {"hosts": json.dumps(list(hosts)), "spare": spare}
    busy = {row["host"]: row["commands"] for row in tx.execute(_SQL["under_way"], values)}
    left = {host: min(ask.room, ask.most - busy.get(host, 0)) for host, ask in asked.items()}
    fitting = []
    for row in waiting:
        if left[row.host] > 0:
            left[row.host] -= 1
            fitting.append(row)
    return fitting


def _run(row: _Waiting, spec: CommandSpec, terms: Terms) -> Run:
    before = row.deliver_before
    return Run(
        execution_id=row.execution_id,
        text=spec.text,
        cwd=spec.cwd,
        environment={**spec.environment, **spec.parameters},
        timeout=spec.timeout,
        kill_grace=terms.kill_grace,
        output_limit=terms.output_limit,
        start_before=None if before is None else timedelta(microseconds=before - terms.now),
        user=spec.run_as_user,
        limits=spec.limits,
    )
