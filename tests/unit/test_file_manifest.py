"""The manifest of a file set: what is written is read, and what breaks a rule is an error."""

import io
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui_manager_protos.rules.files.file_manifest import (
    PART_LENGTH,
    PATH_LENGTH,
    Entry,
    EntryKind,
    ManifestError,
    ManifestTotals,
    checked,
    encode,
    read_entries,
)

HASH = bytes(range(32))
PARTS = st.binary(min_size=1, max_size=PART_LENGTH).filter(
    lambda part: not set(part) & {0, ord("/")} and part not in (b".", b"..")
)
PATHS = st.lists(PARTS, min_size=1, max_size=5).map(b"/".join)
MODES = st.integers(0, 0o7777)
FILES = st.builds(
    Entry,
    path=PATHS,
    kind=st.just(EntryKind.FILE),
    mode=MODES,
    size=st.integers(0, 1 << 40),
    sha256=st.binary(min_size=32, max_size=32),
    offset=st.integers(0, 1 << 40),
)
FOLDERS = st.builds(Entry, path=PATHS, kind=st.just(EntryKind.FOLDER), mode=MODES)


def file(path: bytes, size: int = 0, offset: int = 0, sha256: bytes = HASH) -> Entry:
    return Entry(path, EntryKind.FILE, 0o644, size, sha256, offset)


def read(entries: Iterable[Entry]) -> list[Entry]:
    return list(read_entries(io.BytesIO(b"".join(map(encode, entries)))))


@given(st.lists(FILES | FOLDERS, max_size=20))
def test_what_is_written_is_read(entries: list[Entry]) -> None:
    assert read(entries) == entries


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/etc/passwd",
        b"..",
        b"a/../b",
        b"./a",
        b"a//b",
        b"a/",
        b"a\0b",
        b"x" * (PART_LENGTH + 1),
        b"/".join([b"abcdefg"] * (PATH_LENGTH // 8 + 2)),
    ],
)
def test_no_path_leads_out_of_the_set(path: bytes) -> None:
    with pytest.raises(ManifestError):
        read([file(path)])


@pytest.mark.parametrize(
    "entry",
    [
        file(b"a", size=1 << 63),
        Entry(b"a", EntryKind.FOLDER, 0o755, size=1),
        Entry(b"a", EntryKind.FOLDER, 0o755, offset=1),
        Entry(b"a", EntryKind.FILE, 0o10000, sha256=HASH),
    ],
)
def test_an_entry_that_contradicts_itself_is_an_error(entry: Entry) -> None:
    with pytest.raises(ManifestError):
        read([entry])


@given(st.integers(1, len(encode(file(b"name"))) - 1))
def test_a_manifest_that_was_cut_is_an_error(length: int) -> None:
    whole = encode(file(b"first")) + encode(file(b"name"))
    cut = whole[: len(encode(file(b"first"))) + length]

    with pytest.raises(ManifestError):
        list(read_entries(io.BytesIO(cut)))


def test_an_unknown_kind_is_an_error() -> None:
    record = bytearray(encode(file(b"name")))
    record[2] = 3

    with pytest.raises(ManifestError, match="unknown kind 3"):
        list(read_entries(io.BytesIO(record)))


def test_the_totals_count_equal_files_once_in_the_data() -> None:
    totals = ManifestTotals()
    entries = [
        Entry(b"folder", EntryKind.FOLDER, 0o755),
        file(b"folder/a", 10),
        file(b"folder/b", 5, 10),
        file(b"folder/like-a", 10, 0),
        file(b"folder/empty", 0, 15),
    ]

    assert list(checked(entries, totals)) == entries
    assert totals == ManifestTotals(files=4, size=15, bytes=25)


@pytest.mark.parametrize("offset", [1, 11, 1 << 40])
def test_no_bytes_lie_outside_of_the_data(offset: int) -> None:
    with pytest.raises(ManifestError, match="are not where"):
        list(checked([file(b"a", 10), file(b"b", 10, offset)], ManifestTotals()))
