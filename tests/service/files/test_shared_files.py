"""File sets of several managers on one database of PostgreSQL."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.file_sets import MadeSet, make_set, read, store
from tests.support.managers.manager_parts import Parts, spec
from tests.support.managers.several_managers import Managers, several_managers
from tui_manager.domain.errors import NotFoundError, StorageError
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FileSetPart
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.files import file_pieces

pytestmark = pytest.mark.postgresql
HOUR = timedelta(hours=1).total_seconds()
DAY = 24 * HOUR


def large(seed: int, size: int = 2_500_000) -> MadeSet:
    """Of three pieces."""
    return make_set({b"large": random.Random(seed).randbytes(size), b"zeros": bytes(70_000)})


MADE = large(1)


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with several_managers(tmp_path) as made:
        yield made


async def count(parts: Parts, table: str) -> int:
    def work(tx: Transaction) -> int:
        return int(tx.execute(f"SELECT count(*) AS n FROM {table}").fetchone()["n"])

    return await parts.database.read(work)


async def test_a_manager_reads_a_set_that_another_one_has(managers: Managers) -> None:
    one, other = await managers.start("one"), await managers.start("other")
    await store(one.files, MADE)
    assert not other.files.folder.has(MADE.files)
    assert await read(other.files, MADE)
    assert other.files.folder.has(MADE.files)
    await managers.kill("one")
    again = make_set({b"empty": b""})
    await store(other.files, again)
    assert await read((await managers.start("one")).files, again)


async def test_a_set_of_another_manager_is_not_sent_again(managers: Managers) -> None:
    one, other = await managers.start("one"), await managers.start("other")
    await store(one.files, MADE)
    assert await store(other.files, MADE) == 0
    copy = CommandSpec("", copy=CopySpec(MADE.files, "/srv/app/"))
    await other.tasks.create_task(spec("@all", copy))


async def test_two_managers_store_the_same_set_at_once(managers: Managers) -> None:
    one, other = await managers.start("one"), await managers.start("other")
    await asyncio.gather(store(one.files, MADE), store(other.files, MADE))
    third = await managers.start("third")
    assert await read(third.files, MADE)
    managers.clock.turn(DAY + 10)
    await third.leadership.beat()
    for parts in (one, other, third):  # the bytes that were stored in vain go
        await parts.files_clean_up._remove_pieces()
    assert await count(third, "file_uploads") == await count(third, "file_sets") == 1


async def test_many_readers_load_a_set_once(managers: Managers) -> None:
    one, other = await managers.start("one"), await managers.start("other")
    await store(one.files, MADE)
    found = await asyncio.gather(
        *(other.files.read(MADE.files.sha256, FileSetPart.DATA, at, 5) for at in range(20))
    )
    assert found == [MADE.data[at : at + 5] for at in range(20)]
    assert not list(other.files.folder.incoming.iterdir())


async def test_a_load_that_was_cut_goes_on(
    managers: Managers, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await managers.start("one"), await managers.start("other")
    await store(one.files, MADE)
    object.__setattr__(other.core.limits, "files_limit", 3 << 20)  # what is here counts once
    asked: list[tuple[str, int]] = []
    real = file_pieces.piece

    def piece(tx: Transaction, upload: int, part: FileSetPart, number: int) -> bytes | None:
        asked.append((part, number))
        if len(asked) == 3:
            raise StorageError("The server is away.")
        return real(tx, upload, part, number)

    monkeypatch.setattr(file_pieces, "piece", piece)
    with pytest.raises(StorageError, match="away"):
        await other.files.read(MADE.files.sha256, FileSetPart.DATA, 0, 1)
    other.clock.turn(10)
    assert await read(other.files, MADE)
    assert asked == [("manifest", 0), ("data", 0), ("data", 1), ("data", 1), ("data", 2)]


async def test_pieces_that_are_gone_or_damaged_are_said(managers: Managers) -> None:
    one, other = await managers.start("one"), await managers.start("other")
    await store(one.files, MADE)
    change = "UPDATE file_pieces SET bytes = ? WHERE part = 'data' AND number = 1"
    await one.database.write(lambda tx: tx.execute(change, (b"x" * (1 << 20),)))
    with pytest.raises(StorageError, match="damaged in the database"):
        await other.files.read(MADE.files.sha256, FileSetPart.DATA, 0, 1)
    await one.database.write(lambda tx: tx.execute("DELETE FROM file_pieces WHERE number = 1"))
    with pytest.raises(StorageError, match="not whole in the database"):
        await other.files.read(MADE.files.sha256, FileSetPart.DATA, 0, 1)


async def test_a_migrated_set_is_given_to_the_others(managers: Managers) -> None:
    """A database that was migrated from SQLite has the rows, and the folder the bytes."""
    one, other = await managers.start("one"), await managers.start("other")
    await store(one.files, MADE)
    for change in (
        "UPDATE file_sets SET upload = NULL",
        "DELETE FROM file_pieces",
        "DELETE FROM file_uploads",
    ):
        await one.database.write(lambda tx, change=change: tx.execute(change))  # type: ignore[misc]
    with pytest.raises(NotFoundError):
        await other.files.read(MADE.files.sha256, FileSetPart.DATA, 0, 1)
    await one.files_clean_up.run_once()
    assert await read(other.files, MADE)


async def test_the_leader_removes_sets_and_each_manager_its_files(managers: Managers) -> None:
    one, other = await managers.start("one"), await managers.start("other")
    await store(one.files, MADE)
    assert await read(other.files, MADE)
    managers.clock.turn(2 * HOUR)
    await managers.beat()
    await other.files_clean_up.run_once()
    assert await one.files.find(MADE.files.sha256)
    assert managers.leaders() == ["one"]
    await one.files_clean_up.run_once()
    assert await one.files.find(MADE.files.sha256) is None
    assert await count(one, "file_pieces") == await count(one, "file_uploads") == 0
    assert not one.files.folder.has(MADE.files)
    assert other.files.folder.has(MADE.files)
    old = other.files.folder.stored()[0].used_at - 5 * HOUR
    managers.clock.instant += timedelta(seconds=old + 10 * HOUR) - timedelta(
        seconds=managers.clock.instant.timestamp()
    )
    await other.files_clean_up._remove_unknown()
    assert not other.files.folder.has(MADE.files)


async def test_an_upload_that_was_cut_is_removed_after_a_day(
    managers: Managers, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await managers.start("one")
    real = file_pieces.insert

    def insert(tx: Transaction, upload: int, part: Any, number: int, data: bytes) -> None:
        if number == 1:
            raise StorageError("The server is away.")
        real(tx, upload, part, number, data)

    with monkeypatch.context() as patched:
        patched.setattr(file_pieces, "insert", insert)
        with pytest.raises(StorageError, match="away"):
            await store(one.files, MADE)
    assert await one.files.find(MADE.files.sha256) is None
    assert await store(one.files, MADE) == 0  # its folder has it
    assert await count(one, "file_uploads") == 2
    managers.clock.turn(DAY + 10)
    await managers.beat()
    await one.files_clean_up._remove_pieces()
    assert await count(one, "file_uploads") == 1
    assert await count(one, "file_pieces") == 1 + 3
    assert await read((await managers.start("other")).files, MADE)


async def test_a_folder_that_is_full_drops_what_the_database_has(tmp_path: Path) -> None:
    sets = [large(seed, 600_000) for seed in range(4)]
    async with several_managers(tmp_path, files_limit=10 << 20) as managers:
        one, other = await managers.start("one"), await managers.start("other")
        for made in sets:
            await store(one.files, made)
        object.__setattr__(other.core.limits, "files_limit", 1 << 21)
        for made in sets:
            assert await read(other.files, made)
        assert not other.files.folder.has(sets[0].files)
        assert other.files.folder.has(sets[3].files)
        assert await read(other.files, sets[0])


async def test_commands_are_stored_while_a_large_set_is_written(managers: Managers) -> None:
    """Each piece is a transaction of its own, on another connection."""
    one = await managers.start("one")
    made, done = large(2, 30 << 20), 0
    storing = asyncio.create_task(store_in_pieces(one, made))
    while not storing.done():
        await one.tasks.create_task(spec("@all"))
        done += 1
    await storing
    assert done > 10


async def store_in_pieces(parts: Parts, made: MadeSet) -> None:
    async with parts.files.receive(made.files) as incoming:
        for part in FileSetPart:
            content = made.part(part)
            for offset in range(0, len(content), 1 << 20):
                await incoming.write(part, offset, content[offset : offset + (1 << 20)])
        await incoming.finish()
