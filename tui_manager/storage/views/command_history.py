"""The commands of the newest tasks, each once. A file of its own, because no list of tasks needs
it."""

from collections.abc import Sequence

from tui_manager.domain.tasks.command_history import (
    COMMAND_LENGTH,
    HISTORY_LIMIT,
    HISTORY_TASKS,
    PastCommand,
)
from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks.tasks import tasks_of, with_hosts

_SQL = load_queries("command_history.sql")


def newest_commands(tx: Transaction, text: str, limit: int) -> Sequence[PastCommand]:
    """Commands of tasks of one step that contain `text`, the newest first."""
    values = {
        "text": text,
        "tasks": HISTORY_TASKS,
        "length": COMMAND_LENGTH,
        "limit": max(0, min(limit, HISTORY_LIMIT)),
    }
    rows = tx.execute(_SQL["newest"], values).fetchall()
    tasks = with_hosts(tx, tasks_of(rows))
    return tuple(PastCommand(row["text"], task) for row, task in zip(rows, tasks, strict=True))
