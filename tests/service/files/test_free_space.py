"""The limit of the folder, and the free disk."""

import contextlib
import errno
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.file_sets import MadeSet, make_set, read, send, store
from tests.support.managers.manager_parts import Parts, manager_parts, spec
from tui_manager.domain.errors import StorageError
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FileSet, FileSetPart
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.service.files import file_store as file_store_module
from tui_manager.service.files import receive_file_set as incoming_module

MIB = 1 << 20
HOUR = timedelta(hours=1).total_seconds()


def large(name: bytes, size: int = 300 * 1024) -> MadeSet:
    return make_set({name: name * (size // len(name))})


def copy(made: MadeSet) -> CommandSpec:
    return CommandSpec("", copy=CopySpec(made.files, "/srv/app/", sources=("app.conf",)))


async def stored(parts: Parts, *sets: MadeSet) -> list[bool]:
    """Which of the sets are stored: in the database and in the folder alike."""
    found = []
    for made in sets:
        there = await parts.files.find(made.files.sha256) is not None
        assert parts.files.folder.has(made.files) is there
        found.append(there)
    return found


async def test_the_least_used_set_goes_first(tmp_path: Path) -> None:
    a, b, c, d = (large(name) for name in (b"a", b"b", b"c", b"d"))
    async with manager_parts(tmp_path, files_limit=MIB) as parts:
        for made in (a, b, c):
            await store(parts.files, made)
            parts.clock.turn(10)
        parts.clock.turn(HOUR)
        await parts.tasks.create_task(spec("@all", copy(a)))  # used last
        await parts.tasks.cancel_task(1)
        await store(parts.files, d)
        assert await stored(parts, a, b, c, d) == [True, False, True, True]


async def test_what_came_within_the_hour_stays(tmp_path: Path) -> None:
    a, b, c, d = (large(name) for name in (b"a", b"b", b"c", b"d"))
    async with manager_parts(tmp_path, files_limit=MIB) as parts:
        for made in (a, b, c):
            await store(parts.files, made)
        parts.clock.turn(HOUR - 10)
        with pytest.raises(StorageError, match="Set files_limit"):
            await store(parts.files, d)
        async with parts.files.receive(a.files) as incoming:  # it came once more
            assert incoming.complete
        parts.clock.turn(20)
        await store(parts.files, d)
        assert await stored(parts, a, b, c, d) == [True, False, True, True]


async def test_no_room_is_made_while_the_clock_is_not_trusted(tmp_path: Path) -> None:
    a, b, new = large(b"a"), large(b"b"), large(b"new", 700 * 1024)
    async with manager_parts(tmp_path, files_limit=MIB) as parts:
        await store(parts.files, a)
        async with parts.files.receive(b.files) as incoming:
            await send(incoming, b, limit=150_000, piece=50_000)
        parts.clock.instant += timedelta(days=400)  # the wall clock alone
        with pytest.raises(
            StorageError, match=r"4\d\d\.\d KiB of 1\.0 MiB\. No files .* clock accept"
        ):
            await store(parts.files, new)
        assert await stored(parts, a) == [True]
        assert await parts.files.space.remove_least_used(unused=True) is None
        assert not await parts.files.space.remove_left_behind(timedelta(days=1))
        assert await store(parts.files, b) < b.files.size  # it goes on
        await parts.watch.accept("ana")
        parts.clock.turn(HOUR + 1)
        await store(parts.files, new)
        assert await stored(parts, a, new) == [False, True]


async def test_a_full_disk_keeps_files_while_the_clock_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = large(b"old"), large(b"new")
    async with manager_parts(tmp_path) as parts:
        await store(parts.files, old)
        parts.clock.instant += timedelta(days=400)
        folder = parts.files.folder
        monkeypatch.setattr(folder, "free", lambda: 0 if folder.has(old.files) else MIB)
        if parts.database.shared:  # the database has the bytes of the old one
            await store(parts.files, new)
            monkeypatch.undo()
            assert await read(parts.files, old)
        else:
            with pytest.raises(StorageError, match=r"set free_disk\. No files .* clock accept"):
                await store(parts.files, new)
            assert await stored(parts, old) == [True]


async def test_what_a_task_needs_that_has_not_ended_stays(tmp_path: Path) -> None:
    a, b = large(b"a", 600 * 1024), large(b"b", 600 * 1024)
    async with manager_parts(tmp_path, files_limit=MIB) as parts:
        await store(parts.files, a)
        await parts.tasks.create_task(spec("@all", copy(a)))
        parts.clock.turn(2 * HOUR)
        with pytest.raises(StorageError, match=r"600.* of 1\.0 MiB"):
            await store(parts.files, b)
        await parts.tasks.cancel_task(1)
        await store(parts.files, b)
        assert await stored(parts, a, b) == [False, True]


def announced(size: int) -> FileSet:
    """A set of which somebody says that it has so many bytes."""
    return FileSet("f" * 64, 100, size, 1, size)


@pytest.mark.parametrize("size", [1 << 60, 800 * 1024])
async def test_nothing_is_removed_for_what_can_never_fit(tmp_path: Path, size: int) -> None:
    a, b, c = (large(name) for name in (b"a", b"b", b"c"))
    async with manager_parts(tmp_path, files_limit=MIB) as parts:
        await store(parts.files, a)
        await store(parts.files, b)
        await store(parts.files, c)
        await parts.tasks.create_task(spec("@all", copy(c)))
        parts.clock.turn(2 * HOUR)
        with pytest.raises(StorageError, match="Set files_limit"):
            async with parts.files.receive(announced(size), "e1"):
                pass
        assert await stored(parts, a, b, c) == [True, True, True]


async def test_nothing_is_removed_for_what_the_disk_can_never_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = large(b"old")
    async with manager_parts(tmp_path) as parts:
        await store(parts.files, old)
        parts.clock.turn(2 * HOUR)
        monkeypatch.setattr(parts.files.folder, "free", lambda: MIB)
        with pytest.raises(
            StorageError, match=r"1\.0 MiB are free .*nobody needs take 300\.\d KiB"
        ):
            async with parts.files.receive(announced(2 * MIB), "e1"):
                pass
        assert await stored(parts, old) == [True]


async def test_room_is_made_only_for_what_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that says it has much, and sends nothing, costs nobody his files."""
    a, b, new = large(b"a"), large(b"b"), large(b"new", 900 * 1024)
    monkeypatch.setattr(file_store_module, "LOOK_EVERY", 64 * 1024)
    monkeypatch.setattr(incoming_module, "LOOK_EVERY", 64 * 1024)
    async with manager_parts(tmp_path, files_limit=MIB) as parts:
        await store(parts.files, a)
        parts.clock.turn(10)
        await store(parts.files, b)
        parts.clock.turn(2 * HOUR)
        async with parts.files.receive(new.files, "e1") as incoming:
            assert await stored(parts, a, b) == [True, True]
            await send(incoming, new, limit=500 * 1024, piece=32 * 1024)
            assert await stored(parts, a, b) == [False, True]
            await send(incoming, new, piece=32 * 1024)
            await incoming.finish()
        assert await stored(parts, a, b, new) == [False, False, True]


async def test_what_has_arrived_of_a_set_needs_no_room_again(tmp_path: Path) -> None:
    made = large(b"a", 800 * 1024)
    async with manager_parts(tmp_path, files_limit=MIB) as parts:
        async with parts.files.receive(made.files) as incoming:
            sent = await send(incoming, made, limit=500 * 1024, piece=50_000)
        assert await store(parts.files, made) == made.files.size + made.files.manifest_size - sent
        assert await read(parts.files, made)


async def test_a_set_that_grows_past_the_limit_ends_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once, each of which would fit alone."""
    monkeypatch.setattr(incoming_module, "LOOK_EVERY", 64 * 1024)
    a, b = large(b"a", 700 * 1024), large(b"b", 700 * 1024)
    async with manager_parts(tmp_path, files_limit=MIB) as parts:
        async with parts.files.receive(a.files) as one, parts.files.receive(b.files) as other:
            await send(one, a, piece=50_000)
            with pytest.raises(StorageError, match="Set files_limit"):
                await send(other, b, piece=50_000)
            await one.finish()
        assert await read(parts.files, a)


async def test_less_than_free_disk_is_never_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = large(b"a")
    async with manager_parts(tmp_path, free_disk=100 * MIB) as parts:
        free = 100 * MIB + made.files.size
        monkeypatch.setattr(parts.files.folder, "free", lambda: free)
        with pytest.raises(StorageError, match=r"100.* MiB are free .* 100.0 MiB stay free"):
            await store(parts.files, made)
        free += MIB
        await store(parts.files, made)


async def test_a_full_disk_makes_room_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = large(b"old"), large(b"new")
    async with manager_parts(tmp_path) as parts:
        await store(parts.files, old)
        parts.clock.turn(2 * HOUR)
        folder = parts.files.folder
        monkeypatch.setattr(folder, "free", lambda: 0 if folder.has(old.files) else MIB)
        await store(parts.files, new)
        assert not folder.has(old.files)
        if parts.database.shared:  # it is read from the database when it is needed
            monkeypatch.undo()
            assert await read(parts.files, old)
        else:
            assert await stored(parts, old, new) == [False, True]


@pytest.mark.parametrize("seconds", [2 * HOUR, 5])
async def test_a_removed_set_is_let_go_unless_somebody_reads_it(
    parts: Parts, seconds: float
) -> None:
    """Its room on the disk is free only then."""
    made = large(b"a")
    await store(parts.files, made)
    parts.clock.turn(2 * HOUR)
    assert await parts.files.read(made.files.sha256, FileSetPart.DATA, 0, 5) == b"aaaaa"
    parts.clock.turn(seconds)
    place = str(parts.files.folder.place(made.files.sha256, FileSetPart.DATA))
    assert place in _open_files()
    assert await parts.files.space.remove_least_used() == made.files
    if seconds > 10:
        assert f"{place} (deleted)" not in _open_files()
    else:
        assert await parts.files.read(made.files.sha256, FileSetPart.DATA, 5, 5) == b"aaaaa"


def _open_files() -> set[str]:
    """What the descriptors of this process lead to."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(path.readlink()))
    return found


async def test_a_disk_that_is_full_in_the_middle_loses_nothing(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, written, real = large(b"a"), 0, os.pwrite

    def pwrite(descriptor: int, data: Any, offset: int) -> int:
        nonlocal written
        if written > 100_000:
            real(descriptor, data[:10], offset)  # a part of it is there
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += real(descriptor, data, offset)
        return len(data)

    async with parts.files.receive(made.files) as incoming:
        monkeypatch.setattr(os, "pwrite", pwrite)
        with pytest.raises(StorageError, match=r"No space left on device\. Free some space"):
            await send(incoming, made, piece=30_000)
        monkeypatch.undo()
        have = incoming.have(FileSetPart.DATA)
        assert have >= 90_000
    assert await store(parts.files, made) == made.files.size - have
    assert await read(parts.files, made)


async def test_what_was_left_behind_for_an_hour_makes_room(tmp_path: Path) -> None:
    a, b = large(b"a", 600 * 1024), large(b"b", 600 * 1024)
    async with manager_parts(tmp_path, files_limit=MIB) as parts:
        async with parts.files.receive(a.files) as incoming:
            await send(incoming, a, piece=50_000)
        with pytest.raises(StorageError):
            await store(parts.files, b)
        now = parts.clock.instant.timestamp()
        for path in parts.files.folder.incoming.iterdir():
            os.utime(path, (now - HOUR - 1, now - HOUR - 1))
        await store(parts.files, b)
        assert not list(parts.files.folder.incoming.iterdir())
