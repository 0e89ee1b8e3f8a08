"""The table `command_contents`: scripts, and what steps read from stdin. Their sizes and hashes are
columns of `commands`, because lists and details show them without the bytes."""

from collections.abc import Iterable, Mapping

from tui_manager.domain.task_spec.script_and_stdin import Content, content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction

_SQL = load_queries("command_contents.sql")


def insert(
    tx: Transaction, task_id: int, commands: Iterable[CommandSpec], rerun_of: int = 0
) -> None:
    """Adds the contents of the commands of a new task.

    Args:
        rerun_of: the task whose commands these are; its stored contents are copied. 0: the bytes
            are in the commands.
    """
    contents = [
        {"task_id": task_id, "position": position, "kind": kind, "data": content.data}
        for position, command in enumerate(commands)
        for kind, content in command.contents.items()
    ]
    if contents and rerun_of:
        tx.execute(_SQL["copy"], {"task_id": task_id, "of_task": rerun_of})
    elif contents:
        tx.executemany(_SQL["insert"], contents)


def contents_of_task(tx: Transaction, task_id: int) -> Mapping[int, Mapping[str, Content]]:
    """All contents of a task with their bytes: by the index of the command, then by the name of the
    field. `CommandSpec.with_contents` puts them in."""
    found: dict[int, dict[str, Content]] = {}
    for row in tx.execute(_SQL["of_task"], {"task_id": task_id}):
        found.setdefault(row["position"], {})[row["kind"]] = content_of(row["data"])
    return found


def contents_of_execution(tx: Transaction, execution_id: str) -> Mapping[str, Content]:
    """The contents of the command of a command host with their bytes, by the name of the field."""
    rows = tx.execute(_SQL["of_execution"], {"execution_id": execution_id})
    return {row["kind"]: content_of(row["data"]) for row in rows}
