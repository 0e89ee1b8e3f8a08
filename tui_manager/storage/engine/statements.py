"""What statements are made of: named queries, and values in the form that SQLite takes.

Many rows enter and leave one statement as one JSON text. Python releases its lock around each step
of SQLite, which is one row, and has to wait for it afterwards. If hundreds of reports share a
transaction, these waits cost more than the rows.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

from tui_manager.storage.engine.connection import Transaction

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def load_queries(file: str) -> dict[str, str]:
    """The queries of `sql/FILE` by name. Each begins with `-- name: NAME`, then a line on its use.

    Raises:
        ValueError: two queries have the same name.
    """
    text = (files("tui_manager.storage") / "sql" / file).read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"a query is named twice in {file}")
    return {name: body.strip() for name, body in zip(names, bodies, strict=True)}


def pack_rows(rows: Iterable[Sequence[object]]) -> str:
    """Rows for a statement that reads `json_each(:rows)`."""
    return json.dumps(list(rows), ensure_ascii=False, separators=(",", ":"))


def fetch_packed(tx: Transaction, sql: str, values: Mapping[str, object]) -> list[list[Any]]:
    """The rows of a statement that selects `json_group_array(json_array(…))`."""
    rows: list[list[Any]] = json.loads(tx.execute(sql, values).fetchone()[0])
    return rows


def like_pattern(text: str) -> str:
    """The LIKE pattern of rows that contain `text`; empty: no filter."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if text else ""


def from_datetime(instant: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (instant - _EPOCH) // _MICROSECOND


def to_datetime(microseconds: int | None) -> datetime | None:
    """The instant, in UTC; None stays None."""
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def from_timedelta(duration: timedelta) -> int:
    """Microseconds."""
    return duration // _MICROSECOND
