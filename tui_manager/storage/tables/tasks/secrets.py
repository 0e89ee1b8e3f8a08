"""The table `secrets`: values are sealed before they come here, and a trigger erases them when
their task ends."""

from collections.abc import Iterable, Mapping

from tui_manager.storage.engine.statements import load_queries, pack_values
from tui_manager.storage.engine.transaction import Transaction

_SQL = load_queries("secrets.sql")


def insert(tx: Transaction, command_id: int, sealed: Mapping[str, bytes]) -> None:
    """Adds the secrets of a new command by their names."""
    tx.executemany(
        _SQL["insert"],
        [
            {"command_id": command_id, "name": name, "value": value}
            for name, value in sealed.items()
        ],
    )


def names(tx: Transaction, task_id: int) -> dict[int, list[str]]:
    """Names of the secrets of a task, by the row id of their command."""
    found: dict[int, list[str]] = {}
    for row in tx.execute(_SQL["of_task"], {"task_id": task_id}):
        found.setdefault(row["command_id"], []).append(row["name"])
    return found


def sealed(tx: Transaction, command_ids: Iterable[int]) -> dict[int, dict[str, bytes | None]]:
    """The sealed values of commands, by name; None: erased. Commands without secrets are left
    out."""
    values = {"command_ids": pack_values(command_ids)}
    found: dict[int, dict[str, bytes | None]] = {}
    for row in tx.execute(_SQL["of_commands"], values):
        found.setdefault(row["command_id"], {})[row["name"]] = row["value"]
    return found


def erase_all(tx: Transaction) -> None:
    """Erases every value. For a copy of the database, not for the database itself."""
    tx.execute(_SQL["erase"])
