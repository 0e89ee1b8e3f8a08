"""The private parts of aiosqlite that storage uses are there and do what the adapter needs."""

import sqlite3
import threading
from pathlib import Path

import aiosqlite
import pytest

from tui_manager.storage.engine.sqlite.aiosqlite_adapter import PRIVATE_PARTS
from tui_manager.storage.engine.sqlite.connection import open_connection

WHAT_TO_DO = (
    "aiosqlite {version} has no `Connection.{name}` any more. Look into aiosqlite/core.py for the "
    "method that hands a function to the thread of the connection and waits for its result: "
    "`execute` calls it. Call that one in StorageConnection.run "
    "(tui_manager/storage/engine/sqlite/aiosqlite_adapter.py). If there is none, keep the bound on "
    "aiosqlite in pyproject.toml below this version."
)


async def test_an_update_of_aiosqlite_keeps_the_private_parts(tmp_path: Path) -> None:
    async with open_connection(tmp_path / "file.db", read_only=False) as connection:
        for name in PRIVATE_PARTS:
            assert hasattr(connection, name), WHAT_TO_DO.format(
                version=aiosqlite.__version__, name=name
            )


async def test_a_function_runs_whole_in_the_thread_of_the_connection(tmp_path: Path) -> None:
    def work(tx: sqlite3.Connection) -> tuple[int, list[int]]:
        tx.execute("CREATE TABLE t (n)")
        tx.execute("INSERT INTO t VALUES (1), (2)")
        return threading.get_ident(), [row["n"] for row in tx.execute("SELECT n FROM t")]

    async with open_connection(tmp_path / "file.db", read_only=False) as connection:
        thread, numbers = await connection.run(work)
        same_thread = await connection.run(lambda _: threading.get_ident())
    assert numbers == [1, 2]
    assert thread == same_thread != threading.get_ident()


async def test_an_error_of_a_function_comes_back_and_the_connection_stays(tmp_path: Path) -> None:
    async with open_connection(tmp_path / "file.db", read_only=False) as connection:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await connection.run(lambda tx: tx.execute("SELECT * FROM missing"))
        assert await connection.run(lambda tx: tx.execute("SELECT 7").fetchone()[0]) == 7


async def test_a_connection_that_cannot_be_opened_leaves_no_thread(tmp_path: Path) -> None:
    def threads() -> set[threading.Thread]:
        return {item for item in threading.enumerate() if not item.name.startswith("asyncio")}

    before = threads()
    with pytest.raises(sqlite3.OperationalError):
        async with open_connection(tmp_path / "missing" / "file.db", read_only=True):
            pass
    assert threads() <= before  # a thread of an earlier test may have ended meanwhile
