"""The one row of `manager`: whose database this is."""

import uuid

from tui_manager.storage.engine.connection import Transaction


def manager_id(tx: Transaction, now: int) -> str:
    """The id of the manager that owns this database, made at the first start.

    Args:
        now: microseconds since 1970 UTC.
    """
    row = tx.execute("SELECT manager_id FROM manager").fetchone()
    if row is None:
        made = str(uuid.uuid4())
        tx.execute("INSERT INTO manager (manager_id, created_at) VALUES (?, ?)", (made, now))
        return made
    found: str = row["manager_id"]
    return found
