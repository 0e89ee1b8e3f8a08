"""The check of the audit finds what is wrong."""

import sqlite3
from collections.abc import Sequence

import pytest

from tests.faults.checks.audit_checks import audit_violations
from tui_manager.storage.engine.transaction import Row

_GOOD = "(1, 1, 'create_task'), (2, 1, 'start_task'), (3, 1, 'cancel_task'), (4, 2, 'create_task')"


def _found(audit: str) -> list[str]:
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    database.executescript(
        "CREATE TABLE tasks (id, started_at, cancel_requested_at);"
        "CREATE TABLE audit (id, task_id, action);"
        "INSERT INTO tasks VALUES (1, 5, 7), (2, NULL, NULL);"
        f"INSERT INTO audit VALUES {audit};"
    )

    def rows(query: str) -> Sequence[Row]:
        return database.execute(query).fetchall()

    try:
        return audit_violations(rows)
    finally:
        database.close()


def test_an_audit_that_has_everything_once_is_right() -> None:
    assert _found(_GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "violation"),
    [
        ("(2, 1, 'start_task')", "(2, 1, 'pause_task')", "task 1 has start_task 0 times"),
        ("(4, 2, 'create_task')", "(4, 2, 'cancel_task')", "task 2 has create_task 0 times"),
        ("(3, 1, 'cancel_task')", "(3, 1, 'pause_task')", "task 1 has cancel_task 0 times"),
        ("(4, 2,", "(4, 2, 'cancel_task'), (5, 2,", "task 2 has cancel_task 1 times"),
        ("(4, 2,", "(4, 1, 'start_task'), (5, 2,", "task 1 has start_task 2 times"),
        ("(4, 2,", "(6, 2,", "the audit has other numbers than 1 to 4"),
    ],
)
def test_what_is_missing_or_twice_is_found(old: str, new: str, violation: str) -> None:
    assert any(violation in found for found in _found(_GOOD.replace(old, new)))
