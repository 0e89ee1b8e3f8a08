"""Windows onto the command hosts of a task, compared with a list that is filtered in memory."""

import itertools
import random
from collections.abc import Iterator

import pytest

from tests.support.databases.engines import SQLITE, open_transaction
from tui_manager.domain.lists.filter_language import parse_filter
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.views import command_host_list
from tui_manager.storage.views.command_host_list import CommandHostScan

COMMANDS, HOSTS = 3, 7
TASK, OTHER = 1, 2
STATES = [
    ("failed", "exit_code"),
    ("failed", "agent_lost"),
    ("timeout", "timeout"),
    ("skipped", "earlier_failed"),
    ("running", ""),
    ("pending", ""),
    ("canceled", "canceled"),
    ("completed", ""),
]
ATTENTION = ("failed", "timeout", "skipped", "running", "pending", "canceled", "completed")
FAULTS = ATTENTION[:3]
TEXTS = ("", "web1", "WEB", "fail", "exit", "e", "100%", "_", "nothing")


@pytest.fixture
def tx() -> Iterator[Transaction]:
    with open_transaction() as made:
        made.executemany(
            "INSERT INTO hosts (id, host_id, name, admission, first_seen, since)"
            " VALUES (:id, :host_id, :name, 'admitted', 0, 0)",
            [{"id": n, "host_id": f"id-{n}", "name": f"web{n}"} for n in range(1, HOSTS + 1)],
        )
        chance = random.Random(5)
        for task in (TASK, OTHER):
            _add_task(made, task, chance)
        yield made


def _add_task(tx: Transaction, task: int, chance: random.Random) -> None:
    tx.execute(
        "INSERT INTO tasks (id, name, description, target, created_by, created_at)"
        " VALUES (?, '', '', '', '', 0)",
        (task,),
    )
    for position in range(COMMANDS):
        tx.execute(
            "INSERT INTO commands (id, task_id, position, text, timeout_after, parameters,"
            " environment, cwd) VALUES (?, ?, ?, '', 0, '{}', '{}', '')",
            (10 * task + position, task, position),
        )
        tx.executemany(
            "INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, status,"
            " reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (f"{task}/{position}/{host}", task, 10 * task + position, position, host, *state)
                for host in range(1, HOSTS + 1)
                for state in [chance.choice(STATES)]
            ],
        )


def _expected(tx: Transaction, window: Window, command: int | None) -> list[str]:
    rows = [
        row
        for row in tx.execute(
            "SELECT ch.*, h.name FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host"
            " WHERE task_id = ? ORDER BY ch.position, ch.id",
            (TASK,),
        )
        if (command is None or row["position"] == command)
        and (not window.faults_only or row["status"] in FAULTS)
        and any(window.text.casefold() in row[column] for column in ("name", "status", "reason"))
    ]
    if window.sort != "host":
        rows.sort(key=lambda row: ATTENTION.index(row["status"]))
    return [row["execution_id"] for row in rows]


def _names(rows: Page[CommandHost]) -> list[str]:
    return [row.execution_id for row in rows.rows]


CASES = list(itertools.product(("", "host"), (None, 0, 2, 9), (False, True)))


@pytest.mark.parametrize(("sort", "command", "faults_only"), CASES)
def test_any_window_shows_its_rows(
    tx: Transaction, engine: str, sort: str, command: int | None, faults_only: bool
) -> None:
    total = COMMANDS * HOSTS
    offsets = range(0, total + 2, 1 if engine == SQLITE else 4)
    expected = _expected(tx, Window(sort=sort, faults_only=faults_only), command)
    for offset, limit in itertools.product(offsets, (1, 3, 8, 100)):
        window = Window(sort=sort, faults_only=faults_only, offset=offset, limit=limit)
        page = command_host_list.window(tx, TASK, window, command, total)
        assert _names(page) == expected[offset : offset + limit]
        assert (page.matching, page.total, page.partial) == (len(expected), total, False)


@pytest.mark.parametrize(("sort", "command", "faults_only"), CASES)
def test_a_text_is_looked_for_a_few_rows_at_a_time(
    tx: Transaction,
    engine: str,
    monkeypatch: pytest.MonkeyPatch,
    sort: str,
    command: int | None,
    faults_only: bool,
) -> None:
    steps = (1, 2, 5, 1000) if engine == SQLITE else (5, 1000)
    for text, looks in itertools.product(filter(None, TEXTS), steps):
        monkeypatch.setattr(command_host_list, "ROWS_A_STEP", looks)
        window = Window(text=text, sort=sort, faults_only=faults_only, limit=1000)
        expected = _expected(tx, window, command)
        passes = command_host_list.passes(parse_filter(text), None)
        scan = CommandHostScan(TASK, window, command, passes)
        questions = 0
        while True:
            page = command_host_list.scanned(tx, scan, window, 99)
            questions += 1
            assert _names(page) == expected[: page.matching], (text, looks)
            if not page.partial:
                break
        assert _names(page) == expected, (text, looks)
        assert questions <= COMMANDS * HOSTS / looks + 1, (text, looks)


def test_a_scan_begins_anew_when_its_task_changes() -> None:
    scan = CommandHostScan(TASK, Window(text="x"), None, lambda row: True)
    assert scan.accept_changes(Changes(tasks=frozenset({OTHER}), hosts=True, manager=True))
    assert not scan.accept_changes(Changes(tasks=frozenset({TASK})))
    assert not scan.accept_changes(Changes(all_tasks=True))
