"""The manager's database: one writer, a few readers, on SQLite or on PostgreSQL."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from tui_manager.storage.engine.database_url import client_needed
from tui_manager.storage.engine.engine import Engine
from tui_manager.storage.engine.message_link import MessageLink
from tui_manager.storage.engine.sqlite.sqlite_engine import open_sqlite
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.engine.writer import OnTransaction, Writer

T = TypeVar("T")


class Database:
    """What the services read and write through; made by `open_database`."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self.engine = engine
        self._writer = writer

    @property
    def waiting(self) -> int:
        """Units of work that wait for the writer."""
        return self._writer.waiting

    @property
    def waiting_for(self) -> float:
        """See `Writer.waiting_for`."""
        return self._writer.waiting_for

    @property
    def place(self) -> str:
        """Where it is, for the operator; empty: a file in the state folder."""
        return self.engine.place

    @property
    def shared(self) -> bool:
        """Whether other managers may use it too."""
        return self.engine.shared

    @property
    def gateway(self) -> int:
        """The number of this manager among those of the database; 0: it is the only one."""
        return self.engine.gateway

    @property
    def committed(self) -> int:
        """How many transactions this manager has committed; see Engine."""
        return self.engine.committed

    @property
    def answers(self) -> int:
        """How often it has answered this manager; see Engine."""
        return self.engine.answers

    @property
    def reconnects(self) -> int:
        """How often it was lost and reached again; see Engine."""
        return self.engine.reconnects

    @property
    def epoch(self) -> int | None:
        """The epoch with which this manager believes that it leads the others; None: it does not
        lead."""
        return self.engine.epoch

    def lead(self, epoch: int | None) -> None:
        """Sets this epoch; see `transaction.leads`."""
        self.engine.lead(epoch)

    @property
    def folder(self) -> Path | None:
        """The folder whose disk the database fills; None: it is on another machine."""
        return self.engine.folder

    @property
    def size(self) -> int:
        """Bytes of the database and of its log, as last known."""
        return self.engine.size

    @property
    def log_size(self) -> int:
        """Bytes of its log alone; 0: it has none of its own."""
        return self.engine.log_size

    @property
    def problem(self) -> str:
        """Why nothing may be written now, as a sentence for the operator; empty: it may."""
        return self.engine.problem

    @property
    def new_message_link(self) -> Callable[[], MessageLink] | None:
        """See Engine."""
        return self.engine.new_message_link

    async def write(self, work: Callable[[Transaction], T], *, early: bool = False) -> T:
        """Runs `work` in a transaction; see `Writer.write`."""
        return await self._writer.write(work, early=early)

    def stop_retrying(self) -> None:
        """See `Writer.stop_retrying`."""
        self._writer.stop_retrying()

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` on one consistent state of the database.

        Raises:
            StorageError: the database cannot be read now.
        """
        return await self.engine.read(work)

    async def write_aside(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in a transaction of its own beside the writer; see Engine."""
        return await self.engine.write_aside(work)


@contextlib.asynccontextmanager
async def open_database(
    place: Path | str,
    on_transaction: OnTransaction = lambda *_: None,
    check_manager: Callable[[str], None] = lambda _manager_id: None,
    key: str = "",
) -> AsyncIterator[Database]:
    """Opens the database at `place`. Creates its tables if they are missing, migrates older ones.

    Args:
        place: the path of a file, whose folder exists; or `postgresql://…`.
        on_transaction: is told of each transaction; see there.
        check_manager: for a database of PostgreSQL: called with the id of its manager, empty if
            it has none, before anything in it is changed. What it raises refuses the database.
        key: names this manager among those of a database of PostgreSQL, also after a restart.

    Raises:
        AlreadyRunningError: another manager with this key uses the database of PostgreSQL.
        InvalidInputError: `place` cannot be read, or the client for PostgreSQL is not installed.
        StorageError: it cannot be opened, is damaged, or is from a newer program.
    """
    async with _open(place, check_manager, key) as engine:
        writer = Writer(engine, on_transaction)
        running = asyncio.create_task(writer.run(), name="writer")
        try:
            yield Database(engine, writer)
        finally:
            running.cancel()
            await asyncio.wait([running])
            await writer.drain()


def _open(
    place: Path | str, check_manager: Callable[[str], None], key: str
) -> contextlib.AbstractAsyncContextManager[Engine]:
    if isinstance(place, Path):
        return open_sqlite(place)
    with client_needed():
        from tui_manager.storage.engine.postgresql import postgresql_engine
    address = postgresql_engine.postgresql_address(place)
    return postgresql_engine.open_postgresql(address, check_manager, key)
