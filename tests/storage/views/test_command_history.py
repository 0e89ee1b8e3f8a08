"""The commands of earlier tasks, each once."""

from collections.abc import Iterator

import pytest

from tests.support.databases.engines import open_transaction
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.command_history import COMMAND_LENGTH, HISTORY_LIMIT
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import tasks
from tui_manager.storage.views import command_history


@pytest.fixture
def tx() -> Iterator[Transaction]:
    with open_transaction() as made:
        yield made


def store(tx: Transaction, *texts: str, target: str = "@all") -> int:
    spec = TaskSpec(target, tuple(CommandSpec(text) for text in texts))
    return tasks.insert(tx, spec, 0)


def found(tx: Transaction, text: str = "", limit: int = HISTORY_LIMIT) -> list[tuple[str, int]]:
    newest = command_history.newest_commands(tx, text, limit)
    return [(one.text, one.task.task_id) for one in newest]


def test_each_command_once_with_its_newest_task(tx: Transaction) -> None:
    store(tx, "uptime", target="db1")
    disk = store(tx, "df -h")
    newest = store(tx, "uptime", target="web*")
    assert found(tx) == [("uptime", newest), ("df -h", disk)]
    assert command_history.newest_commands(tx, "uptime", 1)[0].task.target == "web*"


def test_what_is_no_part_of_the_history(tx: Transaction) -> None:
    store(tx, "drain", "upgrade")  # its figures would be those of both steps
    script = content_of(b"#!/bin/sh\n")
    tasks.insert(tx, TaskSpec("@all", (CommandSpec("", script=script),)), 0)
    store(tx, "x" * (COMMAND_LENGTH + 1))
    pruned = store(tx, "true")
    tx.execute("UPDATE tasks SET pruned_at = 1 WHERE id = ?", (pruned,))
    assert found(tx) == []


def test_a_text_is_looked_for_anywhere_in_the_command(tx: Transaction) -> None:
    restart = store(tx, "systemctl restart nginx")
    percent = store(tx, "echo 100%")
    assert found(tx, "RESTART") == [("systemctl restart nginx", restart)]
    assert found(tx, "0%") == [("echo 100%", percent)]
    assert found(tx, "_") == []


def test_only_the_newest_tasks_are_looked_at(
    tx: Transaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_history, "HISTORY_TASKS", 2)
    _, b, c = (store(tx, text) for text in ("a", "b", "c"))
    assert found(tx) == [("c", c), ("b", b)]
    assert found(tx, limit=1) == [("c", c)]
    assert found(tx, limit=-1) == []
