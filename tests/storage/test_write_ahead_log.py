"""The write-ahead log stays short whoever reads, and no commit makes a checkpoint."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tui_manager.domain.errors import StorageError
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.database import Database, open_database
from tui_manager.storage.engine.sqlite import sqlite_engine
from tui_manager.storage.engine.sqlite import write_ahead_log as module
from tui_manager.storage.engine.sqlite.sqlite_engine import SqliteEngine
from tui_manager.storage.engine.sqlite.write_ahead_log import FullLogError, WriteAheadLog
from tui_manager.storage.engine.transaction import Transaction

PAGE = 4096
MIB = 1 << 20


def _note(size: int, action: str = "") -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        values = (action, "x" * size)
        tx.execute("INSERT INTO audit (at, actor, action, detail) VALUES (0, '', ?, ?)", values)

    return work


def _size(tx: Transaction) -> int:
    return int(tx.execute("SELECT coalesce(sum(length(detail)), 0) FROM audit").fetchone()[0])


def _log(database: Database) -> WriteAheadLog:
    assert isinstance(database.engine, SqliteEngine)
    return database.engine.write_ahead_log


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program that reads one state for as long as the block lasts."""
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM audit").fetchone()
    try:
        yield reader
    finally:
        reader.close()


async def _short(log: WriteAheadLog, size: int) -> None:
    async def look() -> int:
        return log.size

    await wait_until(look, lambda found: found <= size)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything at a small part of its size."""
    for name, value in (
        ("RESTART_PAGES", 40),
        ("LAST_PAGES", 10),
        ("FILE_BYTES", 64 * PAGE),
        ("SIZE_MAX", 2 * MIB),  # a new database begins with more than half a MiB
    ):
        monkeypatch.setattr(module, name, value)


async def test_a_commit_makes_no_checkpoint(tmp_path: Path) -> None:
    def automatic(tx: Transaction) -> int:
        return int(tx.execute("PRAGMA wal_autocheckpoint").fetchone()[0])

    async with open_database(tmp_path / DATABASE) as database:
        assert await database.write(automatic) == 0


@pytest.mark.usefixtures("small")
async def test_the_log_stays_short_while_much_is_written_and_read(tmp_path: Path) -> None:
    done = asyncio.Event()

    async def read(database: Database) -> None:
        while not done.is_set():
            await database.read(_size)

    async with open_database(tmp_path / DATABASE) as database:
        reading = [asyncio.create_task(read(database)) for _ in range(3)]
        for _ in range(20):
            await asyncio.gather(*(database.write(_note(10_000)) for _ in range(10)))
        done.set()
        await asyncio.gather(*reading)
        await _short(_log(database), module.FILE_BYTES)
        assert (tmp_path / DATABASE).stat().st_size > 2_000_000
        assert await database.read(_size) == 2_000_000


@pytest.mark.usefixtures("small")
async def test_the_log_becomes_short_after_a_long_reader_without_a_write(
    tmp_path: Path,
) -> None:
    async with open_database(tmp_path / DATABASE) as database:
        await database.write(_note(1))
        with _reading(tmp_path / DATABASE) as reader:
            for _ in range(6):
                await database.write(_note(100_000))
            assert _log(database).size > 6 * 100_000
            assert reader.execute("SELECT count(*) FROM audit").fetchone() == (1,)
        await _short(_log(database), module.FILE_BYTES)
        assert await database.read(_size) == 6 * 100_000 + 1


@pytest.mark.usefixtures("small")
async def test_a_log_above_its_maximum_makes_the_writer_wait_for_readers(tmp_path: Path) -> None:
    async with open_database(tmp_path / DATABASE) as database:
        with _reading(tmp_path / DATABASE):
            while _log(database).size <= module.SIZE_MAX:
                await database.write(_note(200_000))
            full = _log(database).size
            waiting = [asyncio.create_task(database.write(_note(200_000))) for _ in range(5)]
            with pytest.raises(FullLogError):
                await _log(database).wait_for_room(0.1)
            assert _log(database).size == full
            assert not any(task.done() for task in waiting)
            before = await database.read(_size)
        await asyncio.gather(*waiting)
        assert await database.read(_size) == before + 5 * 200_000
        await _short(_log(database), module.SIZE_MAX)


@pytest.mark.usefixtures("small")
async def test_a_writer_that_waits_too_long_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[str]()
    monkeypatch.setattr(sqlite_engine, "LOCK_TIMEOUT", 0)
    monkeypatch.setattr(sqlite_engine, "LOCK_WAIT", 10)
    async with open_database(
        tmp_path / DATABASE, lambda _seconds, error, *_: told.append(error)
    ) as database:
        with _reading(tmp_path / DATABASE):
            while _log(database).size <= module.SIZE_MAX:
                await database.write(_note(200_000))
            with pytest.raises(StorageError, match=r"2 MiB: a program has been reading .*backup"):
                await database.write(_note(1))
            assert "backup" in told[-1]
        await _short(_log(database), module.SIZE_MAX)
        await database.write(_note(1))
        assert told[-1] == ""


async def test_a_failed_checkpoint_is_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY", 0.0)
    carry, failures = module._checkpoint, 0

    def failing_first(tx: sqlite3.Connection) -> tuple[int, int]:
        nonlocal failures
        failures += 1
        if failures < 3:
            raise sqlite3.OperationalError("database or disk is full")
        return carry(tx)

    monkeypatch.setattr(module, "_checkpoint", failing_first)
    async with open_database(tmp_path / DATABASE) as database:
        await database.write(_note(100_000))

        async def carried() -> int:
            return (tmp_path / DATABASE).stat().st_size

        await wait_until(carried, lambda size: size > 100_000)


async def test_reading_output_in_pieces_blocks_no_checkpoint_in_between(
    tmp_path: Path,
) -> None:
    def pieces(tx: Transaction) -> list[int]:
        return [row["id"] for row in tx.execute("SELECT id FROM audit LIMIT 1")]

    async with open_database(tmp_path / DATABASE) as database:
        await asyncio.gather(*(database.write(_note(100)) for _ in range(5)))
        assert await database.read(pieces) == [1]
        other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)

        async def truncated() -> tuple[int, int, int]:
            found: tuple[int, int, int] = other.execute(
                "PRAGMA wal_checkpoint(TRUNCATE)"
            ).fetchone()
            return found  # busy also while the log is carried over

        await wait_until(truncated, lambda found: found == (0, 0, 0))
        other.close()
