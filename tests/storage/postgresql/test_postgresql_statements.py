"""How statements are run on PostgreSQL."""

import asyncio
import re
import threading
from typing import Any

import pytest

from tests.support.databases.postgresql import postgresql_database, unused_database
from tests.support.waiting import GIVE_UP
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.postgresql import readers
from tui_manager.storage.engine.statements import load_queries, pack_rows, pack_values
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts

BY_ID, BY_EXECUTION = "command_hosts_pkey", "command_hosts_execution_id_key"
UNENDED = "command_hosts_unended"
ROW: dict[str, Any] = {"id": 1, "now": 1, "detail": ""}
AFTER: dict[str, Any] = {"rows": pack_rows([(1, 1, 0, 1)]), "reason": "", "spare_always": True}
ON_HOSTS: dict[str, Any] = {"task_id": 2, "hosts": pack_values([1]), "now": 1}
OUTPUT: dict[str, Any] = {"rows": pack_rows([(1, 1, 1, 0, 0, 1, 1, 1)]), "data": b"x"}
FINISH = [1, "completed", "", "", 0, None, None, 5, 1, 0, 1, 0, 0, 0, 0, False]
# What is written for each report, and the indexes by which it finds its rows.
QUERIES: dict[tuple[str, str], tuple[dict[str, Any], *tuple[str, ...]]] = {
    ("command_hosts.sql", "stored_executions"): ({"execution_ids": pack_values("e")}, BY_EXECUTION),
    ("command_hosts.sql", "start"): ({"rows": pack_rows([(1, 1)])}, BY_ID),
    ("command_hosts.sql", "finish"): ({"rows": pack_rows([FINISH])}, BY_ID),
    ("command_hosts.sql", "set_output_sizes"): ({"rows": pack_rows([(1, 1, 1, 0)])}, BY_ID),
    ("command_hosts.sql", "give_up_sending"): (ROW, BY_ID),
    ("command_hosts.sql", "refuse_sending"): (ROW, BY_ID),
    ("command_hosts.sql", "lose_state"): (ROW, BY_ID),
    ("command_hosts.sql", "skip"): (AFTER, UNENDED, BY_ID),
    ("command_hosts.sql", "make_ready"): (AFTER, UNENDED, BY_ID),
    ("command_hosts.sql", "cancel_unsent_on_hosts"): (ON_HOSTS, UNENDED),
    ("command_hosts.sql", "request_cancel_on_hosts"): (ON_HOSTS, UNENDED),
    ("choose_commands.sql", "mark_sent"): ({"rows": pack_rows([(1, 1, "j", 1)])}, BY_ID),
    ("command_delivery.sql", "mark_unsent"): (ROW, BY_ID),
    ("command_delivery.sql", "mark_not_held"): ({"row_ids": pack_values([1])}, BY_ID),
    ("output.sql", "insert"): (OUTPUT, BY_ID),
    ("output.sql", "streams_of_execution"): ({"execution_id": "e", "task_id": 2}, BY_EXECUTION),
}


def _prepared(tx: Transaction) -> int:
    query = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%BY admission%'"
    count: int = tx.execute(query).fetchone()[0]
    return count


async def test_a_connection_keeps_its_prepared_statements() -> None:
    all_read = threading.Barrier(readers._COUNT)

    def look_in_each(tx: Transaction) -> None:
        all_read.wait(GIVE_UP)
        _look(tx)

    with postgresql_database() as url:
        async with open_database(url) as database:
            for _ in range(5):
                await asyncio.gather(*(database.read(look_in_each) for _ in range(readers._COUNT)))
                await database.write(_look)
            assert await database.read(_prepared) == 1
            assert await database.write(_prepared) == 1


def _add_ended(tx: Transaction) -> None:
    """A history without anything that waits or runs, of which the planner knows."""
    tx.execute(
        "INSERT INTO hosts (id, host_id, name, admission, first_seen, since)"
        " VALUES (1, 'h', 'web1', 'admitted', 0, 0)"
    )
    tx.execute(
        "INSERT INTO tasks (id, name, description, target, created_by, created_at)"
        " VALUES (1, '', '', '@all', '', 0)"
    )
    tx.execute(
        "INSERT INTO commands (id, task_id, position, text, timeout_after, parameters, environment,"
        " cwd) VALUES (1, 1, 0, 'true', 1, '{}', '{}', '')"
    )
    tx.execute(
        "INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, status)"
        " SELECT 'e' || number, 1, 1, 0, 1, 'completed' FROM generate_series(1, 5000) AS number"
    )
    tx.execute("ANALYZE")


def _look(tx: Transaction) -> None:
    hosts.by_name(tx, "web1")


@pytest.mark.parametrize("history", [False, True])
async def test_what_a_report_changes_is_found_by_an_index(history: bool) -> None:
    """Also when the planner takes the table, or the indexes of what has not ended, for empty."""

    def explain(tx: Transaction) -> None:
        if history:
            _add_ended(tx)
        for (file, name), (values, *indexes) in QUERIES.items():
            query = f"EXPLAIN {load_queries(file)[name].postgresql}"
            plan = "\n".join(row[0] for row in tx.execute(query, values))
            assert "Seq Scan on command_hosts" not in plan, plan
            assert set(re.findall(r"(?:on|using) (command_hosts_\w+)", plan)) == {*indexes}, plan

    with unused_database() as url:
        async with open_database(url) as database:
            await database.write(explain)
