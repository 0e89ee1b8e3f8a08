"""SQLite's write-ahead log: commits are written to it, and a checkpoint copies them to the
database.

SQLite makes checkpoints within commits, and the log grows as long as a reader uses an old state.
Here a connection of its own makes the checkpoints, beside the writer. Between two transactions the
log is restarted: the next one is written over its beginning. A reader that stays, such as a backup
or a check, prevents that. The log grows then, and above `SIZE_MAX` the writer waits for the reader.

A value that was erased in the database is still in the log. So the log is truncated soon after a
secret was erased, and after each start.
"""

import asyncio
import contextlib
import logging
import sqlite3
from pathlib import Path

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.sqlite.aiosqlite_adapter import StorageConnection
from tui_manager.storage.engine.sqlite.connection import to_storage_error

log = logging.getLogger(__name__)
RESTART_PAGES = 4_000  # of 4 KiB: a log of this length is restarted
LAST_PAGES = 1_000  # that the writer itself may copy at a restart, while all others wait
FILE_BYTES = 64 << 20  # a longer file of the log is truncated at a restart
SIZE_MAX = 1 << 30  # bytes of the file, without the last transaction; then the writer waits
_PAUSE = 0.25  # seconds between two checkpoints: single commits hardly meet one
_BUSY_PAUSE = 0.05  # the same after `_BUSY_PAGES`: commits wait for the disk while those are synced
_BUSY_PAGES = 250  # copied by one checkpoint
_RETRY = 1.0  # seconds until the next attempt after an error
_WAIT_FOR_READERS = 50  # milliseconds, between two transactions


class FullLogError(StorageError):
    """Nothing is written, because a program has been reading for too long."""


class WriteAheadLog:
    """Keeps the log short."""

    def __init__(
        self, path: Path, writer: StorageConnection, checkpointer: StorageConnection
    ) -> None:
        """
        Args:
            path: of the database.
            writer: the connection of the writer, which makes no checkpoints by itself.
            checkpointer: a connection for checkpoints only.
        """
        self._path = path
        self._file = path.with_name(f"{path.name}-wal")
        self._writer = writer
        self._checkpointer = checkpointer
        self._written = asyncio.Event()
        self._checked = asyncio.Event()
        self._length = self._copied = 0  # pages of the log, and those that are in the database
        self._erased = True  # a secret, since the log was truncated; set in the writer's thread
        self._written.set()  # an earlier manager may have left a log
        self._busy = False

    @property
    def size(self) -> int:
        """Bytes of its file; 0: it cannot be found."""
        try:
            return self._file.stat().st_size
        except OSError:
            return 0

    def watch_secrets(self, tx: sqlite3.Connection) -> None:
        """Notices, on the writer's connection, each secret that is erased."""
        tx.create_function("secret_erased", 0, self._note_erased)
        for event in ("UPDATE OF value", "DELETE"):
            name = event.partition(" ")[0].lower()
            tx.execute(
                f"CREATE TEMP TRIGGER secret_erased_by_{name} AFTER {event} ON secrets "
                "WHEN old.value IS NOT NULL BEGIN SELECT secret_erased(); END"
            ).close()

    def _note_erased(self) -> None:
        self._erased = True

    def written(self) -> None:
        """A transaction was committed."""
        self._written.set()

    async def wait_for_room(self, seconds: float) -> None:
        """Waits while the log is longer than `SIZE_MAX`.

        Raises:
            FullLogError: it is still longer after so many seconds.
        """
        if self.size <= SIZE_MAX:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.size > SIZE_MAX:
                    self._checked.clear()
                    self._written.set()
                    await self._checked.wait()
                return
        raise FullLogError(
            f"The log of {self._path} has {self.size >> 20:,} MiB: a program has been reading the "
            "database for too long. Let it end, a backup or a check, or end it."
        )

    async def run(self) -> None:
        """Makes checkpoints until cancelled."""
        while True:
            await self._written.wait()
            await asyncio.sleep(_BUSY_PAUSE if self._busy else _PAUSE)
            self._written.clear()
            try:
                if not await self.checkpoint():
                    self._written.set()  # the reader may have ended by then
            except (sqlite3.Error, OSError) as error:
                log.error(
                    "the write-ahead log stays long",
                    extra={"error": str(to_storage_error(error, self._path))},
                )
                await asyncio.sleep(_RETRY)
                self._written.set()
            self._checked.set()

    async def checkpoint(self) -> bool:
        """Copies what is committed, and restarts a log of `RESTART_PAGES` or with an erased secret;
        False: a reader uses a state that is too old for that."""
        copied = await self._copy()
        self._busy = bool(copied and copied > _BUSY_PAGES)
        while copied is not None and self._is_due():
            # Fewer pages are new with each round, unless the disk is the bottleneck.
            before, copied = copied, await self._copy() if copied > LAST_PAGES else copied
            if copied is not None and (copied <= LAST_PAGES or copied >= before):
                return await self._writer.run(self._restart)
        return copied is not None

    def _is_due(self) -> bool:
        """Whether the log should be restarted."""
        return self._erased or self._length >= RESTART_PAGES or self.size > FILE_BYTES

    async def _copy(self) -> int | None:
        """How many pages were copied now; None: not all could be, because of a reader."""
        before = self._copied
        self._length, self._copied = await self._checkpointer.run(_checkpoint)
        copied = self._copied - (before if before <= self._copied else 0)  # 0: it was restarted
        return copied if self._copied == self._length else None

    def _restart(self, tx: sqlite3.Connection) -> bool:
        """Lets the next transaction be written over the beginning of the log. A file that is too
        long, or contains an erased secret, is truncated."""
        how = "TRUNCATE" if self._erased or self.size > FILE_BYTES else "RESTART"
        (usual,) = tx.execute("PRAGMA busy_timeout").fetchone()
        tx.execute(f"PRAGMA busy_timeout = {_WAIT_FOR_READERS}").close()
        try:
            busy, _, _ = tx.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        finally:
            tx.execute(f"PRAGMA busy_timeout = {usual}").close()
        if not busy and how == "TRUNCATE":
            self._erased = False
        return not busy


def _checkpoint(tx: sqlite3.Connection) -> tuple[int, int]:
    """Waits for nobody. Returns the pages of the log, and how many of them are in the database."""
    _, length, copied = tx.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return length, copied
