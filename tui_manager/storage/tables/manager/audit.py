"""The table `audit`: who did what to whom. Rows are written in the transaction of the act
itself."""

import json
from collections.abc import Mapping

from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction, execute_last

_SQL = load_queries("audit.sql")
TASK_NAME = "task_name"  # the key of the detail that keeps the name of the task


def record(
    tx: Transaction,
    now: int,
    actor: str,
    action: str,
    *,
    task_id: int | None = None,
    host_id: str | None = None,
    more: Mapping[str, str | int] | None = None,
    **detail: str | int,
) -> None:
    """Adds a row.

    Args:
        now: microseconds since 1970 UTC.
        actor: `user@terminal`, "manager", or `host NAME`.
        action: a word such as "create_task".
        task_id: the row keeps the name of this task too.
        more, detail: what else is worth knowing later; `host` is the host's name at that time.
    """
    kept = {**detail, **(more or {})}
    if task_id is not None:
        found = tx.execute(_SQL["task_name"], {"task_id": task_id}).fetchone()
        kept |= {TASK_NAME: found["name"]} if found else {}
    execute_last(
        tx,
        _SQL["insert"],
        {
            "at": now,
            "actor": actor,
            "action": action,
            "task_id": task_id,
            "host_id": host_id,
            "detail": pack_detail(kept),
        },
    )


def pack_detail(value: object) -> str:
    """JSON with readable text, so that a search finds it. Half a surrogate pair becomes
    `\\ud800`."""
    text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()
