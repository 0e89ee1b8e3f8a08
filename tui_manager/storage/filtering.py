"""What windows with a filter share."""

import sqlite3
from collections.abc import Mapping

from tui_manager.storage.connection import Transaction


def like(text: str) -> str:
    """The LIKE pattern of rows that contain `text`; empty for no filter."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if text else ""


def matching(
    tx: Transaction, query: str, values: Mapping[str, object], rows: list[sqlite3.Row]
) -> int:
    """How many rows pass the filter of `query`, of which `rows` are a window; also when the window
    lies behind the last."""
    if not rows and values["offset"]:
        rows = tx.execute(query, {**values, "offset": 0, "limit": 1}).fetchall()
    count: int = rows[0]["matching"] if rows else 0
    return count
