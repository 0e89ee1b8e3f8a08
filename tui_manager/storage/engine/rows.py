"""Many rows in one step of SQLite, packed as JSON.

Python lets go of its lock around each step, a row that is written or read, and takes it back from
the other threads: where hundreds of reports are one transaction, that costs more than the rows.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tui_manager.storage.engine.connection import Transaction


def packed(rows: Iterable[Sequence[object]]) -> str:
    """Rows as a statement takes them: `json_each(:rows)`."""
    return json.dumps(list(rows), ensure_ascii=False, separators=(",", ":"))


def fetch(tx: Transaction, sql: str, values: Mapping[str, object]) -> list[list[Any]]:
    """What a statement has gathered: `SELECT json_group_array(json_array(…))`."""
    rows: list[list[Any]] = json.loads(tx.execute(sql, values).fetchone()[0])
    return rows
