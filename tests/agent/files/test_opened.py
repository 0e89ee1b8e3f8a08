"""Opening and reading one file or folder of a host."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tui_manager_agent.files.fetch import open_to_read
from tui_manager_agent.files.fetch.open_to_read import OpenedFile, OtherKindError, list_folder
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.policy.file_rules import FileRules
from tui_manager_agent.policy.policy import RefusedError

from tests.agent.files.pulling_manager import Rules
from tests.support.run_length import examples

BLOCK = 64 * 1024


def open_file(path: Path, rules: FileRules | None = None) -> OpenedFile:
    return OpenedFile(os.fsencode(path), rules or Rules(), own(path))


def own(path: Path) -> ProtectedFiles:
    return ProtectedFiles(path.parent / "state", path.parent / "policy")


def read_all(file: OpenedFile, offset: int, length: int) -> tuple[bytes, int]:
    """What it has from the offset on, and how many zeros it told as a number."""
    data, holes = b"", 0
    while len(data) < length:
        piece = file.read(offset + len(data), length - len(data))
        if not piece:
            break
        holes += piece if isinstance(piece, int) else 0
        data += bytes(piece) if isinstance(piece, int) else piece
    return data, holes


@settings(max_examples=examples(60, few=20), deadline=None)
@given(
    written=st.lists(st.tuples(st.integers(0, 24), st.integers(1, 3 * BLOCK)), max_size=4),
    tail=st.integers(0, 3 * BLOCK),
    reads=st.lists(
        st.tuples(st.integers(0, 28 * BLOCK), st.integers(1, 20 * BLOCK)), min_size=1, max_size=6
    ),
)
def test_a_sparse_file_has_the_bytes_that_it_has(
    tmp_path_factory: pytest.TempPathFactory,
    written: list[tuple[int, int]],
    tail: int,
    reads: list[tuple[int, int]],
) -> None:
    path = tmp_path_factory.mktemp("sparse") / "x"
    with path.open("wb") as out:
        for block, length in written:
            out.seek(block * BLOCK)
            out.write(b"x" * length)
        out.truncate(os.fstat(out.fileno()).st_size + tail)
    whole = path.read_bytes()
    file = open_file(path)
    for offset, length in reads:
        assert read_all(file, offset, length)[0] == whole[offset : offset + length]
    file.close()
    path.unlink()


def test_a_hole_is_told_where_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as out:
        out.write(b"x" * BLOCK)
        out.truncate(4 * BLOCK)
    file = open_file(path)
    assert file.read(0, 4 * BLOCK) == b"x" * BLOCK
    assert file.read(BLOCK, 4 * BLOCK) == 3 * BLOCK
    assert file.read(4 * BLOCK, BLOCK) == b""
    file.close()


def test_a_sparse_file_that_shrinks_ends_where_it_ends_now(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as out:
        out.truncate(1 << 24)
    file = open_file(path)
    os.truncate(path, 1 << 20)
    data, holes = read_all(file, 0, 1 << 24)
    assert (len(data), holes) == (1 << 20, 1 << 20)
    file.close()


def test_a_file_that_is_replaced_while_it_is_opened_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by an editor: the path of what was opened would be that of a file that is gone."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    system_open, rules = os.open, Rules()

    def open_and_replace(name: bytes, *args: int, **given: int) -> int:
        descriptor = system_open(name, *args, **given)
        if path.read_bytes() == b"old":
            (tmp_path / "new").write_bytes(b"new")
            os.rename(tmp_path / "new", path)
        return descriptor

    monkeypatch.setattr(os, "open", open_and_replace)
    file = open_file(path, rules)
    assert file.read(0, 10) == b"new"
    assert rules.asked == [os.fsencode(path)]
    file.close()


def test_a_name_that_looks_like_that_of_a_file_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "x (deleted)"
    path.write_bytes(b"here")
    rules = Rules()
    file = open_file(path, rules)
    assert file.read(0, 10) == b"here"
    assert rules.asked == [os.fsencode(path)]
    file.close()


def test_a_file_that_is_always_replaced_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x")
    monkeypatch.setattr(open_to_read, "_is_gone", lambda real, status: True)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        open_file(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_refused_does_not_stay_open(tmp_path: Path) -> None:
    class NoRules(Rules):
        def require_read(self, path: bytes, *, is_folder: bool | None = False) -> None:
            raise RefusedError("rejected", "no")

    path = tmp_path / "x"
    path.write_bytes(b"x")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(RefusedError):
        open_file(path, NoRules())
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_fifo_in_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes after the look at the path, and nobody writes to it."""
    path = tmp_path / "x"
    path.write_bytes(b"x")
    system_open = os.open

    def replace_and_open(name: bytes, *args: int, **given: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return system_open(name, *args, **given)

    monkeypatch.setattr(os, "open", replace_and_open)
    with pytest.raises(OtherKindError, match="fifo"):
        open_file(path)


def test_a_folder_is_judged_with_a_slash_and_listed_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o750)
    for letter in "cab":
        (folder / letter).touch()
    (tmp_path / "link").symlink_to(folder)
    rules, path = Rules(), tmp_path / "link"
    listed = list_folder(os.fsencode(path), rules, own(path), may_be_link=True)
    assert listed == (0o750, [b"a", b"b", b"c"])
    assert rules.asked == [os.fsencode(folder) + b"/"]
    with pytest.raises(NotADirectoryError):
        list_folder(os.fsencode(path), rules, own(path), may_be_link=False)
