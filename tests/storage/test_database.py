"""The database: opened, migrated, refused, and written by group commit."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases.new_databases import migrated_databases
from tui_manager.domain.errors import NotFoundError, StorageError
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.sqlite.migrations import migrations
from tui_manager.storage.engine.transaction import Transaction


@pytest.fixture(autouse=True)
def _migrations() -> Iterator[None]:
    """New databases are made as in production."""
    with migrated_databases():
        yield


def _note(text: str) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        tx.execute("INSERT INTO audit (at, actor, action) VALUES (0, '', ?)", (text,))

    return work


def _notes(tx: Transaction) -> list[str]:
    return [row["action"] for row in tx.execute("SELECT action FROM audit ORDER BY id")]


async def test_a_new_database_has_the_schema_and_the_promised_pragmas(tmp_path: Path) -> None:
    path = tmp_path / "manager.db"
    async with open_database(path) as database:

        def pragmas(tx: Transaction) -> list[Any]:
            names = ("journal_mode", "synchronous", "foreign_keys", "user_version")
            return [tx.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

        assert await database.write(pragmas) == ["wal", 2, 1, len(migrations())]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_database_that_others_can_read_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "manager.db"
    async with open_database(path) as database:
        await database.write(_note("kept"))
        copies = {end: path.with_name(path.name + end).read_bytes() for end in ("", "-wal", "-shm")}
    for end, content in copies.items():  # as after a kill, and a careless copy
        path.with_name(path.name + end).write_bytes(content)
        path.with_name(path.name + end).chmod(0o644)
    async with open_database(path) as database:
        assert await database.read(_notes) == ["kept"]
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        assert modes == dict.fromkeys(("manager.db", "manager.db-wal", "manager.db-shm"), 0o600)


async def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "manager.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="newer tui-manager \\(schema 999"):
        async with open_database(path):
            pass
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (999,)
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    connection.close()
    assert len(path.read_bytes()) == len(before)


async def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manager.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StorageError, match="another program"):
        async with open_database(path):
            pass


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manager.db"
    path.write_bytes(b"not a database at all, not even a little bit of one" * 100)
    with pytest.raises(StorageError, match="damaged or no database"):
        async with open_database(path):
            pass


async def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened for writing"):
        async with open_database(tmp_path / "missing" / "manager.db"):
            pass


async def test_many_changes_share_a_transaction(tmp_path: Path) -> None:
    commits: list[int] = []

    def told(_seconds: float, _error: str, units: int, _changed: object) -> None:
        commits.append(units)

    async with open_database(tmp_path / "manager.db", told) as database:
        await asyncio.gather(*(database.write(_note(str(n))) for n in range(100)))
        assert sorted(await database.read(_notes), key=int) == [str(n) for n in range(100)]
    assert len(commits) <= 3
    assert sum(commits) == 100


async def test_a_failed_unit_is_undone_alone_and_its_caller_learns_why(tmp_path: Path) -> None:
    def broken(tx: Transaction) -> None:
        _note("broken")(tx)
        raise NotFoundError("the test's own failure")

    async with open_database(tmp_path / "manager.db") as database:
        outcomes = await asyncio.gather(
            database.write(_note("a")),
            database.write(broken),
            database.write(_note("b")),
            return_exceptions=True,
        )
        assert isinstance(outcomes[1], NotFoundError)
        assert await database.read(_notes) == ["a", "b"]


async def test_a_failed_unit_in_its_own_transaction_changes_nothing(tmp_path: Path) -> None:
    def broken(tx: Transaction) -> None:
        _note("broken")(tx)
        raise NotFoundError("the test's own failure")

    async with open_database(tmp_path / "manager.db") as database:
        with pytest.raises(NotFoundError):
            await database.write(broken)
        await database.write(_note("after"))
        assert await database.read(_notes) == ["after"]


async def test_an_early_unit_begins_without_waiting_for_the_loop(tmp_path: Path) -> None:
    go_on, began = threading.Event(), threading.Event()

    def gather(tx: Transaction) -> None:
        began.set()

    async with open_database(tmp_path / "manager.db") as database:
        before = asyncio.ensure_future(database.write(lambda tx: go_on.wait()))
        early = asyncio.ensure_future(database.write(gather, early=True))
        for _ in range(10):  # the loop has time to hand both over
            await database.read(_notes)
        assert not began.is_set()
        go_on.set()
        assert began.wait(10)  # while this stands on the loop
        await asyncio.gather(before, early)


async def test_an_early_unit_is_written_when_the_manager_ends(
    tmp_path: Path,
) -> None:
    go_on = threading.Event()
    async with open_database(tmp_path / "manager.db") as database:
        before = asyncio.ensure_future(database.write(lambda tx: go_on.wait()))
        await database.read(_notes)
        notes = [asyncio.ensure_future(database.write(_note(text))) for text in ("a", "b")]
        await database.read(_notes)
        asyncio.get_running_loop().call_soon(go_on.set)
    await asyncio.gather(before, *notes)
    async with open_database(tmp_path / "manager.db") as database:
        assert await database.read(_notes) == ["a", "b"]


async def test_a_full_disk_fails_the_transaction_and_later_ones_succeed(
    tmp_path: Path,
) -> None:
    def limit(pages: int) -> Callable[[Transaction], None]:
        def work(tx: Transaction) -> None:
            tx.execute(f"PRAGMA max_page_count = {pages}")

        return work

    async with open_database(tmp_path / "manager.db") as database:
        await database.write(limit(1))
        big = "x" * 1_000_000
        outcomes = await asyncio.gather(
            database.write(_note("small")), database.write(_note(big)), return_exceptions=True
        )
        assert isinstance(outcomes[1], StorageError)
        assert "full" in str(outcomes[1])
        kept = await database.read(_notes)
        assert kept == ([] if isinstance(outcomes[0], StorageError) else ["small"])
        await database.write(limit(1_000_000))
        await database.write(_note("later"))
        assert (await database.read(_notes))[-1] == "later"


async def test_waiting_units_are_written_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "manager.db"
    async with open_database(path) as database:
        waiting = [asyncio.ensure_future(database.write(_note(str(n)))) for n in range(50)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    async with open_database(path) as database:
        assert len(await database.read(_notes)) == 50


async def test_a_reader_sees_one_state_and_cannot_write(tmp_path: Path) -> None:
    async with open_database(tmp_path / "manager.db") as database:
        with pytest.raises(StorageError, match="readonly"):
            await database.read(_note("no"))


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
async def test_the_audit_is_append_only(tmp_path: Path, statement: str) -> None:
    async with open_database(tmp_path / "manager.db") as database:
        await database.write(_note("kept"))
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            await database.write(lambda tx: tx.execute(statement))
        assert await database.read(_notes) == ["kept"]


async def test_a_manager_that_stops_does_not_wait_for_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "manager.db"
    async with open_database(path) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as locking:
            locking.execute("BEGIN IMMEDIATE")
            waiting = asyncio.ensure_future(database.write(_note("never")))
            await asyncio.sleep(0)
            database.stop_retrying()
            with pytest.raises(StorageError, match="locked by another program"):
                await waiting
        await database.write(_note("later"))
        assert await database.read(_notes) == ["later"]
