"""The log of the database, SQLite's WAL: what is committed lies there until it is carried over into
the file.

SQLite itself carries over within a commit, and lets the log grow for as long as somebody reads an
old state. Here a connection of its own carries over beside the writer, and between two transactions
the log begins anew. A reader who stays, a backup or a check, holds that up: the log grows then, and
past `MOST` the writer waits for the reader.

A value that was erased in the database still stands in the log. So the log is emptied soon after a
secret was erased, and after each start.
"""

import asyncio
import contextlib
import logging
import sqlite3
from pathlib import Path

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.connection import StorageConnection, Transaction, explain

log = logging.getLogger(__name__)
LENGTH = 4_000  # pages of 4 KiB of a log that begins anew
BRIEF = 1_000  # pages that the writer itself may carry over then, while all others wait
KEPT = 64 << 20  # bytes of the log's file that stay to be written over
MOST = 1 << 30  # bytes of it, and one transaction; then the writer waits for who reads
_REST = 0.25  # seconds between two looks: single commits hardly meet one
_REST_OF_MUCH = 0.05  # where `_MUCH` comes: commits wait for the disk while that is synced
_MUCH = 250  # pages within a rest
_RETRY = 1.0  # seconds until it is tried again when it could not be carried over
_WAIT_FOR_READERS = 50  # milliseconds, between two transactions


class FullLogError(StorageError):
    """Nothing is written, because somebody reads for too long."""


class Log:
    """Keeps the log short."""

    def __init__(self, path: Path, writing: StorageConnection, carrying: StorageConnection) -> None:
        """
        Args:
            path: of the database.
            writing: the connection of the writer; it carries nothing over by itself.
            carrying: one that does nothing else.
        """
        self._path = path
        self._file = path.with_name(f"{path.name}-wal")
        self._writing = writing
        self._carrying = carrying
        self._written = asyncio.Event()
        self._looked = asyncio.Event()
        self._length = self._carried = 0  # pages of the log, and those that are in the file
        self._erased = True  # a secret, since the log was emptied; set in the writer's thread
        self._written.set()  # an earlier manager may have left a log
        self._much = False

    @property
    def size(self) -> int:
        """Bytes of its file; 0 while that is out of reach."""
        try:
            return self._file.stat().st_size
        except OSError:
            return 0

    def watch_secrets(self, tx: Transaction) -> None:
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
        """There is something to carry over."""
        self._written.set()

    async def wait_for_room(self, seconds: float) -> None:
        """Waits while it is longer than `MOST`.

        Raises:
            FullLogError: it still is after so many seconds.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.size > MOST:
                    self._looked.clear()
                    self._written.set()
                    await self._looked.wait()
                return
        raise FullLogError(
            f"The log of {self._path} has {self.size >> 20:,} MiB: a program has been reading the "
            "database for too long. Let it end, a backup or a check, or end it."
        )

    async def run(self) -> None:
        """Carries over until cancelled."""
        while True:
            await self._written.wait()
            await asyncio.sleep(_REST_OF_MUCH if self._much else _REST)
            self._written.clear()
            try:
                if not await self.carry_over():
                    self._written.set()  # the reader may have gone at the next look
            except (sqlite3.Error, OSError) as error:
                log.error("the log stays long", extra={"error": str(explain(error, self._path))})
                await asyncio.sleep(_RETRY)
                self._written.set()
            self._looked.set()

    async def carry_over(self) -> bool:
        """Carries over what is committed, and lets a log of `LENGTH`, or with an erased secret in
        it, begin anew; False when somebody reads a state that is too old for that."""
        moved = await self._look()
        self._much = bool(moved and moved > _MUCH)
        while moved is not None and (self._erased or self._length >= LENGTH or self.size > KEPT):
            # What was written meanwhile is less with each round, unless the disk is the bottleneck.
            before, moved = moved, await self._look() if moved > BRIEF else moved
            if moved is not None and (moved <= BRIEF or moved >= before):
                return await self._writing.run(self._begin_anew)
        return moved is not None

    async def _look(self) -> int | None:
        """How many pages were carried over now; None: not all, because of a reader."""
        before = self._carried
        self._length, self._carried = await self._carrying.run(_carry_over)
        moved = self._carried - (before if before <= self._carried else 0)  # 0: it began anew
        return moved if self._carried == self._length else None

    def _begin_anew(self, tx: Transaction) -> bool:
        """The next transaction is written over the beginning. Nothing is kept of a file that grew
        too long, or in which an erased secret stands."""
        how = "TRUNCATE" if self._erased or self.size > KEPT else "RESTART"
        (usual,) = tx.execute("PRAGMA busy_timeout").fetchone()
        tx.execute(f"PRAGMA busy_timeout = {_WAIT_FOR_READERS}").close()
        try:
            busy, _, _ = tx.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        finally:
            tx.execute(f"PRAGMA busy_timeout = {usual}").close()
        if not busy and how == "TRUNCATE":
            self._erased = False
        return not busy


def _carry_over(tx: Transaction) -> tuple[int, int]:
    """Waits for nobody; how many pages the log had, and how many of them are in the file now."""
    _, length, carried = tx.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return length, carried
