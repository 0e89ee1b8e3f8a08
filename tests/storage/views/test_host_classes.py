"""The classes of the hosts of a task, as SQL finds them, against the rule of the domain."""

from itertools import product
from pathlib import Path

from tests.support.databases.engines import SQLITE, database_in
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.tasks.host_class import HostClass, command_host_class, host_class
from tui_manager.domain.tasks.transitions import TRANSITIONS
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.views.host_classes import task_hosts

ENDS = sorted(
    {
        (move.status, reason)
        for move in TRANSITIONS.values()
        if move.status.ended
        for reason in move.reasons
    }
)
End = tuple[CommandHostStatus, Reason, bool]  # and whether it began


def store(tx: Transaction, hosts: list[tuple[End, End]]) -> None:
    """One task of two commands, and how each ended on each host."""
    tx.execute(
        "INSERT INTO tasks (id, name, description, target, created_by, created_at) "
        "VALUES (1, '', '', '', '', 0)"
    )
    for position in (0, 1):
        tx.execute(
            "INSERT INTO commands (id, task_id, position, text, timeout_after, parameters, "
            "environment, cwd) VALUES (?, 1, ?, '', 0, '', '', '')",
            (position + 1, position),
        )
    numbered = list(enumerate(hosts, start=1))
    tx.executemany(
        "INSERT INTO hosts (id, host_id, name, admission, first_seen, since) "
        "VALUES (?, ?, ?, 'admitted', 0, 0)",
        [(number, f"id-{number}", f"h{number}") for number, _ in numbered],
    )
    tx.executemany(
        "INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, "
        "status, reason, started_at) VALUES (?, 1, ?, ?, ?, ?, ?, ?)",
        [
            (f"{number}/{position}", position + 1, position, number, status, reason,
             1 if began else None)
            for number, ends in numbered
            for position, (status, reason, began) in enumerate(ends)
        ],
    )  # fmt: skip


def pairs(engine: str) -> list[tuple[End, End]]:
    """How both commands ended. On PostgreSQL, whose triggers take their time, one of the two has
    one end of each class."""
    ends = [(status, reason, began) for status, reason in ENDS for began in (True, False)]
    if engine == SQLITE:
        return list(product(ends, ends))
    of_class = {command_host_class(s, r, began=b): (s, r, b) for s, r, b in ends}.values()
    return sorted({*product(ends, of_class), *product(of_class, ends)})


async def test_sql_has_the_rule_of_the_domain(tmp_path: Path, engine: str) -> None:
    hosts = pairs(engine)
    async with open_database(database_in(tmp_path)) as database:
        await database.write(lambda tx: store(tx, hosts))
        found = await database.read(lambda tx: task_hosts(tx, 1))
    expected = {
        f"id-{number}": host_class(command_host_class(s, r, began=b) for s, r, b in pair)
        for number, pair in enumerate(hosts, start=1)
    }
    assert {host.host_id: host.host_class for host in found} == expected
    assert set(expected.values()) == set(HostClass)
    assert {host.name for host in found} == {f"h{number}" for number in range(1, len(hosts) + 1)}
