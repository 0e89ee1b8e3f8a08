"""Senders that lie, and bytes that do not arrive as they were."""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind

from tests.support.file_sets import MadeSet, make_set, read, send, set_of, store
from tests.support.managers.manager_parts import Parts
from tui_manager.domain.errors import InvalidInputError, NotFoundError, StorageError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.service.files import check_data
from tui_manager.service.files.check_data import WrongDataError

MANIFEST, DATA = FileSetPart.MANIFEST, FileSetPart.DATA
MADE = make_set({b"one": b"1" * 900, b"two": b"2" * 400, b"again": b"1" * 900})


def file(path: bytes, content: bytes, offset: int) -> Entry:
    digest = hashlib.sha256(content).digest()
    return Entry(path, EntryKind.FILE, 0o644, len(content), digest, offset)


async def refused(parts: Parts, made: MadeSet, error: type[Exception], match: str) -> None:
    """The set is not taken in, and nothing of it is there under its name."""
    with pytest.raises(error, match=match):
        await store(parts.files, made)
    assert await parts.files.find(made.files.sha256) is None
    assert not parts.files.folder.has(made.files)
    with pytest.raises(NotFoundError):
        await parts.files.read(made.files.sha256, MANIFEST, 0, 1)


@pytest.mark.parametrize("number", [0, 899, 900, 1299])
async def test_data_with_another_hash_are_refused_and_forgotten(parts: Parts, number: int) -> None:
    data = bytearray(MADE.data)
    data[number] ^= 1
    wrong = replace(MADE, data=bytes(data))
    await refused(parts, wrong, WrongDataError, "another hash")
    assert await store(parts.files, MADE) == MADE.files.size  # the manifest was right
    assert await read(parts.files, MADE)


async def test_the_error_names_the_file(parts: Parts) -> None:
    with pytest.raises(WrongDataError) as raised:
        await store(parts.files, replace(MADE, data=MADE.data[:-1] + b"x"))
    assert raised.value.path == b"two"


async def test_a_manifest_with_another_hash_is_refused_and_forgotten(parts: Parts) -> None:
    wrong = replace(MADE, manifest=MADE.manifest[:-1] + b"x")
    await refused(parts, wrong, WrongDataError, "arrived with another hash")
    await store(parts.files, MADE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": MADE.files.size + 1},
        {"size": MADE.files.size - 1},
        {"files": 2},
        {"bytes": MADE.files.bytes + 1},
    ],
)
async def test_numbers_that_the_manifest_does_not_have_are_refused(
    parts: Parts, wrong: dict[str, Any]
) -> None:
    await refused(
        parts, replace(MADE, files=replace(MADE.files, **wrong)), InvalidInputError, "should have"
    )
    await store(parts.files, MADE)
    with pytest.raises(InvalidInputError, match="has 3 files with 2200 bytes"):
        async with parts.files.receive(replace(MADE.files, **wrong)):
            pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"sha256": "../../../etc/passwd"},
        {"sha256": "A" * 64},
        {"sha256": ""},
        {"manifest_size": 0},
        {"manifest_size": (1 << 30) + 1},
        {"size": -1},
        {"files": -1},
    ],
)
async def test_what_no_set_can_be_is_refused(parts: Parts, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        async with parts.files.receive(replace(MADE.files, **wrong)):
            pass
    assert not list(parts.files.folder.incoming.iterdir())


@pytest.mark.parametrize(
    "path",
    [
        b"../x",
        b"/etc/passwd",
        b"a//b",
        b"a/./b",
        b"",
        b"a/..",
        b"a\0b",
        b"x" * 256,
        b"a/" * 2100 + b"b",
    ],
)
async def test_a_manifest_with_a_bad_path_is_refused(parts: Parts, path: bytes) -> None:
    made = set_of([file(b"good", b"x", 0), file(path, b"x", 0)], b"x")
    await refused(parts, made, InvalidInputError, "path")


LIES: dict[str, Callable[[], MadeSet]] = {
    "a hole": lambda: set_of([file(b"a", b"x", 1)], b"xx"),
    "overlapping": lambda: set_of([file(b"a", b"xyz", 0), file(b"b", b"yzw", 1)], b"xyzw"),
    "within another file": lambda: set_of([file(b"a", b"xyz", 0), file(b"b", b"y", 1)], b"xyz"),
    "another hash at one place": lambda: set_of(
        [file(b"a", b"xyz", 0), file(b"b", b"abc", 0)], b"xyz"
    ),
    "two files as one": lambda: set_of(
        [file(b"a", b"x", 0), file(b"b", b"y", 1), file(b"c", b"xy", 0)], b"xy"
    ),
    "an empty file with a hash": lambda: set_of(
        [file(b"a", b"x", 0), replace(file(b"b", b"", 1), sha256=b"\1" * 32)], b"x"
    ),
    "outside of the data": lambda: set_of([file(b"a", b"x", 0), file(b"b", b"y", 1 << 40)], b"xy"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_manifest_whose_files_are_elsewhere_is_refused(parts: Parts, lie: str) -> None:
    await refused(parts, LIES[lie](), InvalidInputError, ".")


async def test_a_manifest_that_ends_within_a_record_is_refused(parts: Parts) -> None:
    manifest = MADE.manifest[:-3]
    digest = hashlib.sha256(manifest).hexdigest()
    files = replace(MADE.files, sha256=digest, manifest_size=len(manifest))
    await refused(parts, MadeSet(files, manifest, MADE.data), InvalidInputError, "ends within")


async def test_a_path_that_is_longer_than_the_record_is_refused(parts: Parts) -> None:
    manifest = struct.pack(">HBHQQ", 65_535, 1, 0o644, 0, 0) + bytes(32) + b"x"
    files = FileSet(hashlib.sha256(manifest).hexdigest(), len(manifest), 0, 1, 0)
    await refused(parts, MadeSet(files, manifest, b""), InvalidInputError, "manifest|path")


async def test_more_entries_than_are_allowed_are_refused(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_data, "ENTRIES_MAX", 50)
    await store(parts.files, make_set({b"%d" % number: b"x" for number in range(50)}))
    many = make_set({b"%d" % number: b"x" for number in range(51)})
    await refused(parts, many, InvalidInputError, "at most 50 files and folders")


async def test_pieces_that_are_not_the_next_ones_are_refused(parts: Parts) -> None:
    async with parts.files.receive(MADE.files) as incoming:
        with pytest.raises(InvalidInputError, match="before the data"):
            await incoming.write(DATA, 0, b"x")
        await incoming.write(MANIFEST, 0, MADE.manifest)
        await incoming.write(DATA, 0, MADE.data[:10])
        for offset, data in (
            *((0, b"x"), (9, b"x"), (11, b"x"), (-1, b"x"), (1 << 62, b"x")),
            *((10, b""), (10, 0), (10, -1), (10, 1 << 62), (10, bytes(MADE.files.size))),
        ):
            with pytest.raises(InvalidInputError, match="goes on at byte 10"):
                await incoming.write(DATA, offset, data)
        with pytest.raises(InvalidInputError, match="10 of 1300 bytes have arrived"):
            await incoming.finish()
        await send(incoming, MADE)
        await incoming.finish()
    assert await read(parts.files, MADE)


async def test_a_size_that_cannot_be_is_refused_at_once(parts: Parts) -> None:
    with pytest.raises(StorageError, match="Set files_limit"):
        async with parts.files.receive(replace(MADE.files, size=1 << 60, bytes=1 << 60)):
            pass
    assert not list(parts.files.folder.incoming.iterdir())


async def test_partial_data_that_a_crash_has_damaged_are_sent_again(parts: Parts) -> None:
    """After a power cut, a file may have its length and other bytes."""
    async with parts.files.receive(MADE.files) as incoming:
        await send(incoming, MADE, MADE.files.manifest_size + 500)
    for path in parts.files.folder.incoming.iterdir():
        path.write_bytes(bytes(path.stat().st_size))
    assert await store(parts.files, MADE) == MADE.files.manifest_size + MADE.files.size
    assert await read(parts.files, MADE)


async def test_partial_data_that_are_too_long_are_sent_again(parts: Parts) -> None:
    async with parts.files.receive(MADE.files) as incoming:
        await send(incoming, MADE, MADE.files.manifest_size + 500)
    (data,) = parts.files.folder.incoming.glob("*.data")
    data.write_bytes(b"x" * (MADE.files.size + 1))
    assert await store(parts.files, MADE) == MADE.files.size
    assert await read(parts.files, MADE)
