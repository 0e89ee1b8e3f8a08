"""`check` finds each contradiction that is put into a sound database of PostgreSQL."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from tests.storage.maintenance.test_check import SPOILED, history
from tests.support.databases.engines import POSTGRESQL, database_in
from tests.support.databases.postgresql import connect_to
from tests.support.managers.manager_parts import Parts, manager_parts
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction
from tui_manager.storage.maintenance.check import Finding, check_postgresql, contradictions

pytestmark = [
    pytest.mark.sqlite("its own engine is said here"),
    pytest.mark.parametrize("engine", [POSTGRESQL], indirect=True),
]

# What SQLite's own checks find; here the server does not let it happen, or looks after it.
_OF_SQLITE = ("foreign_key", "schema")
_HERE = {
    **{name: statement for name, statement in SPOILED.items() if name not in _OF_SQLITE},
    "task_counters": "UPDATE command_counts SET running = running + 1 WHERE task_id = 1",
    "command_counters": "UPDATE command_counts SET total = 7 WHERE command_id = 1",
    "out_of_turn": "UPDATE command_hosts SET status = 'pending', ready = false WHERE position = 1",
    "contents": "UPDATE command_contents SET data = '\\x00' WHERE kind = 'stdin'",
    "secret_not_erased": "INSERT INTO secrets VALUES (3, 'KEY', '\\x00')",
}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(database_in(tmp_path))


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with manager_parts(tmp_path) as made:
        await history(made)
        yield made


def _spoil(url: str, statements: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statements.encode())


def _found_after(url: str, statements: str) -> list[Finding]:
    """What is found after statements, which are rolled back then."""
    with contextlib.closing(connect_to(url)) as connection:
        connection.execute("BEGIN")
        connection.execute(statements.encode())
        found = contradictions(PostgresqlTransaction(connection))
        connection.execute("ROLLBACK")
    return found


async def test_a_sound_database_is_clean_beside_a_manager(parts: Parts, url: str) -> None:
    checked = check_postgresql(url)
    assert checked.findings == ()
    assert (checked.tasks, checked.command_hosts, checked.output_bytes) == (3, 5, 22)


async def test_each_contradiction_is_found_and_named(parts: Parts, url: str) -> None:
    for check, statements in _HERE.items():
        found = _found_after(url, statements)
        assert check in {finding.check for finding in found}, check
        for finding in found:
            assert "{" not in finding.text
            assert finding.text.endswith(".")
    assert check_postgresql(url).findings == ()


async def test_a_wrong_flag_of_faults_is_named(parts: Parts, url: str) -> None:
    _spoil(url, "UPDATE tasks SET has_faults = false")
    (finding,) = check_postgresql(url).findings
    assert finding.text == ("Counters of task 1 differ from a recount: has_faults 0 instead of 1.")
