"""Storing and reading file sets."""

import asyncio
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.file_sets import MadeSet, make_set, read, send, store
from tests.support.managers.manager_parts import Parts, manager_parts
from tests.support.waiting import GIVE_UP, wait_until
from tui_manager.domain.errors import InvalidInputError, NotFoundError, StorageError
from tui_manager.domain.task_spec.copy_and_fetch import FileSetPart

MANIFEST, DATA = FileSetPart.MANIFEST, FileSetPart.DATA


def some_set(seed: int = 1) -> MadeSet:
    bytes_of = random.Random(seed).randbytes
    same = bytes_of(700)
    return make_set(
        {
            b"app": None,
            b"app/one.conf": same,
            b"app/empty": b"",
            b"app/two.bin": bytes_of(1500),
            b"app/again.conf": same,
            b"app/\xff\n name": b"\0" * 2000,
        }
    )


async def test_a_set_is_stored_and_read(parts: Parts) -> None:
    made = some_set()
    assert await store(parts.files, made) == made.files.manifest_size + made.files.size
    assert await read(parts.files, made)
    assert await parts.files.find(made.files.sha256) == made.files


async def test_a_set_that_is_there_is_not_sent_again(parts: Parts) -> None:
    made = some_set()
    await store(parts.files, made)
    async with parts.files.receive(made.files, "another") as incoming:
        assert incoming.complete
        assert incoming.have(MANIFEST) == made.files.manifest_size
        assert incoming.have(DATA) == made.files.size


async def test_a_set_is_not_there_before_it_is_finished(parts: Parts) -> None:
    made = some_set()
    async with parts.files.receive(made.files) as incoming:
        await send(incoming, made)
        assert await parts.files.find(made.files.sha256) is None
        assert not parts.files.folder.has(made.files)
    with pytest.raises(NotFoundError, match="does not have the file set"):
        await parts.files.read(made.files.sha256, DATA, 0, 1)


@pytest.mark.parametrize("cut", [0, 1, 99, 100, 250, 500, 2000, 4000])
async def test_an_upload_that_was_cut_goes_on_at_the_byte(tmp_path: Path, cut: int) -> None:
    made = some_set()
    whole = made.files.manifest_size + made.files.size
    async with manager_parts(tmp_path) as parts, parts.files.receive(made.files) as incoming:
        sent = await send(incoming, made, cut)
    async with manager_parts(tmp_path) as parts:
        assert await store(parts.files, made) == whole - sent
        assert await read(parts.files, made)
        assert not list(parts.files.folder.incoming.iterdir())


@pytest.mark.parametrize("part", FileSetPart)
async def test_a_set_whose_part_was_removed_meanwhile_is_not_stored(
    parts: Parts, part: FileSetPart
) -> None:
    made = some_set()
    async with parts.files.receive(made.files) as incoming:
        await send(incoming, made)
        for path in parts.files.folder.incoming.glob(f"*.{part}"):
            path.unlink()
        with pytest.raises(StorageError, match="No such file"):
            await incoming.finish()
    assert await parts.files.find(made.files.sha256) is None
    await store(parts.files, made)
    assert await read(parts.files, made)


async def test_a_set_of_one_empty_file_is_stored(parts: Parts) -> None:
    made = make_set({b"empty": b""})
    await store(parts.files, made)
    assert await read(parts.files, made)


async def test_zeros_are_stored_as_a_hole_and_read_as_a_number(parts: Parts) -> None:
    size = 8 << 20
    made = make_set({b"sparse": bytes(size), b"end": b"x"})
    async with parts.files.receive(made.files) as incoming:
        await incoming.write(MANIFEST, 0, made.manifest)
        await incoming.write(DATA, 0, size)
        await incoming.write(DATA, size, b"x")
        await incoming.finish()
    place = parts.files.folder.place(made.files.sha256, DATA)
    assert place.stat().st_blocks * 512 < size // 4
    assert await parts.files.read(made.files.sha256, DATA, 100, 1 << 20) == 1 << 20
    assert await parts.files.read(made.files.sha256, DATA, size, 1 << 20) == b"x"


async def test_bytes_outside_of_a_set_cannot_be_read(parts: Parts) -> None:
    made = some_set()
    await store(parts.files, made)
    for offset, length in ((-1, 1), (made.files.size, 1), (0, 0), (1 << 60, 1)):
        with pytest.raises(InvalidInputError, match="there are none"):
            await parts.files.read(made.files.sha256, DATA, offset, length)
    assert len(await parts.files.read(made.files.sha256, DATA, 0, 1 << 40)) == made.files.size  # type: ignore[arg-type]


@pytest.mark.each_engine
async def test_two_clients_store_the_same_set_at_once(parts: Parts) -> None:
    made = some_set()
    async with parts.files.receive(made.files) as one, parts.files.receive(made.files) as other:
        await send(one, made, 1000)
        await send(other, made)
        await other.finish()
        await send(one, made)
        await one.finish()
    assert await read(parts.files, made)
    assert not list(parts.files.folder.incoming.iterdir())


async def test_a_set_can_be_read_on_while_it_is_removed(parts: Parts) -> None:
    made = some_set()
    await store(parts.files, made)
    first = await parts.files.read(made.files.sha256, DATA, 0, 10)
    parts.files.folder.remove(made.files.sha256)
    assert first == made.data[:10]
    assert await parts.files.read(made.files.sha256, DATA, 10, 10) == made.data[10:20]


@pytest.mark.parametrize("cancels", [1, 2])
@pytest.mark.parametrize("what", ["read", "receive"])
async def test_nothing_stays_open_of_a_call_that_is_cancelled_while_it_opens(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, what: str, cancels: int
) -> None:
    made = some_set()
    if what == "read":
        await store(parts.files, made)
    asked, go = threading.Event(), threading.Event()
    real_open = os.open

    def slow_open(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if str(path).startswith(str(parts.files.folder.path)):
            asked.set()
            go.wait()
        return real_open(path, flags, *more, **named)

    async def receive() -> None:
        async with parts.files.receive(made.files):
            raise AssertionError("it is cancelled before that")

    async def open_files() -> list[Path]:
        links = (Path("/dev/fd", name) for name in os.listdir("/dev/fd"))
        found = [link.resolve() for link in links]
        return [path for path in found if path.is_relative_to(parts.files.folder.path)]

    monkeypatch.setattr(os, "open", slow_open)
    act = receive() if what == "receive" else parts.files.read(made.files.sha256, DATA, 0, 1)
    acting = asyncio.ensure_future(act)
    assert await asyncio.to_thread(asked.wait, GIVE_UP)
    for _ in range(cancels):
        acting.cancel()
        await asyncio.sleep(0)
    go.set()
    await asyncio.wait([acting])
    assert acting.cancelled()
    await parts.files.threads.run(int)  # the threads have done what came before
    assert await wait_until(open_files, lambda found: not found) == []
