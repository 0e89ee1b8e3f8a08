"""Transfers: the copies and fetches that are under way at this manager, for its sessions. A file of
its own, because sessions are given this alone."""

from tui_manager.service.core.core import Core
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.transfers.fetch_limit import FetchLimit
from tui_manager.service.transfers.fetches import Fetches
from tui_manager.service.transfers.receive_files import STALLED_AFTER
from tui_manager.service.transfers.transfer_orders import TransferOrders
from tui_manager.service.transfers.transfer_progress import ProgressOfTransfers


class Transfers:
    """Puts the parts together.

    Attributes:
        store: has the bytes.
        orders: looks up what executions copy and fetch.
        progress: keeps how far they are.
        fetches: receives files.
    """

    def __init__(
        self,
        core: Core,
        store: FileStore,
        turns: FetchLimit | None = None,
        stalled_after: float = STALLED_AFTER,
    ) -> None:
        """`turns`, `stalled_after`: for tests."""
        self.store = store
        self.orders = TransferOrders(core)
        self.progress = ProgressOfTransfers(core, self.orders)
        self.fetches = Fetches(
            core, store, self.orders, self.progress, turns or FetchLimit(), stalled_after
        )
