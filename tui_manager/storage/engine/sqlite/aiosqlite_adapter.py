"""The only module that uses private parts of aiosqlite: `_execute`, `_conn` and `_thread`.

aiosqlite's public methods run one statement each in the thread of the connection. A switch between
threads costs more than a short statement, so a unit of work here is a plain function of many
statements, which runs in that thread at one go. aiosqlite has no public method for that.
`tests/storage/test_aiosqlite_adapter.py` says what to do if an update of aiosqlite changes them.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Self, TypeVar

import aiosqlite

T = TypeVar("T")
PRIVATE_PARTS = ("_execute", "_conn", "_thread")


class StorageConnection(aiosqlite.Connection):
    """A connection that runs whole functions in its own thread."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        before_first: Callable[[sqlite3.Connection], None],
    ) -> None:
        """
        Args:
            before_first: is called with the connection before the first function.
        """
        super().__init__(connect, iter_chunk_size=64)
        self._before_first = before_first
        self._is_used = False

    async def __aenter__(self) -> Self:
        try:
            await self
        except BaseException:
            # The thread still posts its end to this loop, which must not be closed before.
            await asyncio.to_thread(self._thread.join)
            raise
        return self

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Calls `work` with the connection in its thread and returns what it returned."""
        result: T = await self._execute(self._run, work)  # type: ignore[no-untyped-call]
        return result

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if not self._is_used:
            self._before_first(self._conn)
            self._is_used = True
        return work(self._conn)
