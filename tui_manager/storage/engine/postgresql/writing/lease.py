"""The lease: the right of one manager to plan, which each transaction of the leader checks."""

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.storage.engine.transaction import Transaction

# The lock prevents a takeover by another manager before the transaction ends. The statement does
# not wait for the lock: a manager that holds it is taking over and will lead.
_LOCK = "SELECT gateway, epoch FROM leader FOR SHARE SKIP LOCKED"
# What a manager may take at its start: a lease that is free, or that an earlier process had, which
# has ended, because this one has the lock of its number.
_TAKE = """
UPDATE leader SET gateway = :gateway, epoch = epoch + 1, renewals = 0
WHERE gateway IN (0, :gateway) RETURNING epoch
"""


@dataclass(slots=True)
class Lease:
    """What a manager believes. Changed by the manager's loop, read by the thread that writes.

    Attributes:
        gateway: the number of the manager.
        epoch: with which it leads; None: it does not.
    """

    gateway: int
    epoch: int | None = None

    def lock(self, tx: Transaction) -> bool:
        """Whether this manager leads, and will until the end of the transaction."""
        if self.epoch is None:
            return False
        row = tx.execute(_LOCK).fetchone()
        return row is not None and (row["gateway"], row["epoch"]) == (self.gateway, self.epoch)

    def take_if_free(self, tx: Transaction) -> None:
        """Leads from now on, if nobody does. Runs in no transaction."""
        row = tx.execute(_TAKE, {"gateway": self.gateway}).fetchone()
        if row is not None:
            self.epoch = row["epoch"]
