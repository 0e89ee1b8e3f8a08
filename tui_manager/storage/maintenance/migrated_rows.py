"""What is migrated from a database of SQLite into one of PostgreSQL: tables, columns, values.

A row is a row on both, with these differences: counters are rows of their own in PostgreSQL, which
counts them itself; output is stored with its execution id; texts cannot hold the character NUL.
"""

import hashlib
import marshal
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.storage.engine.statements import replace_nul, replace_nul_in_json

Row = tuple[Any, ...]

# In this order each row finds the rows that it refers to.
TABLES = (
    "manager",
    "tokens",
    "hosts",
    "tasks",
    "commands",
    "command_contents",
    "secrets",
    "command_hosts",
    "transfers",
    "file_sets",
    "output_chunks",
    "rollouts",
    "rollout_batches",
    "rollout_hosts",
    "audit",
    "clock",
    "clock_errors",
    "templates",
    "template_versions",
    "template_files",
    "template_requests",
    "schedules",
    "schedule_files",
    "schedule_runs",
    "receivers",
    "wanted_events",
    "notifications",
    "lost_hosts",
)
COUNTED = ("tasks", "commands")
COUNTERS = (
    "total",
    "pending",
    "running",
    "completed",
    "failed",
    "timeout",
    "canceled",
    "skipped",
)
SET_BY_TRIGGERS: Mapping[str, Collection[str]] = {
    "tasks": ("has_faults",),
    "hosts": ("changed",),
}
# Texts that are JSON. In them the character NUL is written as an escape.
JSON_COLUMNS: Mapping[str, Collection[str]] = {
    "tokens": ("labels",),
    "hosts": ("labels", "agent_labels", "bound_labels", "operator_labels", "facts"),
    "tasks": ("left_out", "parameters"),
    "commands": (
        "parameters",
        "environment",
        "arguments",
        "copy_step",
        "fetch_step",
        "update_step",
    ),
    "audit": ("detail",),
    "schedules": ("parameters",),
    "receivers": ("events",),
    "notifications": ("detail",),
}
_ESCAPE = r"\u0000"


def source_query(table: str, columns: Iterable[str]) -> str:
    """The query of SQLite for the rows of a table, in the order in which they were made."""
    if table == "output_chunks":
        names = ", ".join(f'{"ch" if name == "execution_id" else "o"}."{name}"' for name in columns)
        return (
            f"SELECT {names} FROM output_chunks AS o "
            "CROSS JOIN command_hosts AS ch ON ch.id = o.command_host_id ORDER BY o.id"
        )
    names = ", ".join(f'"{name}"' for name in columns)
    return f"SELECT {names} FROM {table}"


@dataclass(slots=True)
class RowSum:
    """How many rows there are, and one number for all of them, in whatever order they come."""

    count: int = 0
    digest: int = 0

    def add(self, row: Row) -> None:
        """Adds a row."""
        self.count += 1
        hashed = hashlib.blake2b(marshal.dumps(row, 0), digest_size=16).digest()
        self.digest = (self.digest + int.from_bytes(hashed)) % (1 << 128)


@dataclass(slots=True)
class TextCleaner:
    """Replaces the character NUL in texts, and counts the values of each column that it changed."""

    changed: dict[str, int] = field(default_factory=dict)

    def clean(self, table: str, columns: Mapping[str, str], rows: Iterable[Row]) -> Iterator[Row]:
        """The rows as PostgreSQL can store them.

        Args:
            columns: the name and type of each value of a row.
        """
        names = list(columns)
        texts = [number for number, name in enumerate(names) if columns[name] == "text"]
        json = {n for n, name in enumerate(names) if name in JSON_COLUMNS.get(table, ())}
        for row in rows:
            for number in texts:
                value = row[number]
                if value is None:
                    continue
                assert isinstance(value, str)
                if "\0" in value or (number in json and _ESCAPE in value):
                    row = self._replace(table, names, row, number, number in json)
            yield row

    def _replace(self, table: str, names: list[str], row: Row, number: int, json: bool) -> Row:
        value = str(row[number])
        cleaned = replace_nul(value)
        if json:
            cleaned = replace_nul_in_json(cleaned)
        if cleaned == value:
            return row
        name = f"{table}.{names[number]}"
        self.changed[name] = self.changed.get(name, 0) + 1
        return (*row[:number], cleaned, *row[number + 1 :])
