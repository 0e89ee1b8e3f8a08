"""The audit: who did what to which, written in the transaction of the act itself."""

import json

from tui_manager.storage.connection import Transaction

_INSERT = """
INSERT INTO audit (at, actor, action, task_id, host_id, detail)
VALUES (:at, :actor, :action, :task_id, :host_id, :detail)
"""


def record(
    tx: Transaction,
    now: int,
    actor: str,
    action: str,
    *,
    task_id: int | None = None,
    host_id: str | None = None,
    **detail: str | int,
) -> None:
    """Adds a row.

    Args:
        now: microseconds since 1970 UTC.
        actor: `user@terminal`, or "manager".
        action: a word such as "create_task".
        detail: what else is worth knowing later.
    """
    tx.execute(
        _INSERT,
        {
            "at": now,
            "actor": actor,
            "action": action,
            "task_id": task_id,
            "host_id": host_id,
            "detail": json.dumps(detail),
        },
    )
