"""The files of this machine that a copy sends: what is read, followed, left out and refused, and
how they come to the manager."""

import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from grpc import aio
from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind, read_entries

from tests.support.fake_operator.fake_files import FakeFiles
from tui_manager.domain.errors import InvalidInputError, UnreachableError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.operator.file_calls import ReadPart
from tui_manager.operator.local_files import upload as upload_module
from tui_manager.operator.local_files.find_sources import Canceled, find_sources
from tui_manager.operator.local_files.source_bytes import Sources
from tui_manager.operator.local_files.upload import upload
from tui_manager.operator.socket.convert_errors import error_of

DATA = bytes(range(256)) * 6000  # several pieces


async def stored(sources: Sources) -> tuple[list[Entry], bytes]:
    """The entries and the data that the manager gets, which checks their hashes."""
    manager = FakeFiles()
    await upload(manager, sources)
    manifest, data = manager.sets[sources.files.sha256]
    return list(read_entries(io.BytesIO(manifest))), data


async def test_a_file_comes_with_its_name_mode_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "app.conf"
    path.write_bytes(DATA)
    path.chmod(0o4751)
    with find_sources([path], recursive=False) as sources:
        (entry,), data = await stored(sources)
    assert (entry.path, entry.kind, entry.mode) == (b"app.conf", EntryKind.FILE, 0o751)
    assert data == DATA
    files = sources.files
    assert (files.files, files.size, files.bytes) == (1, len(DATA), len(DATA))
    assert sources.names == ("app.conf",)


async def test_equal_files_are_sent_once(tmp_path: Path) -> None:
    for name, data in (("a", b"same"), ("b", b"other"), ("c", b"same"), ("d", b""), ("e", b"")):
        (tmp_path / name).write_bytes(data)
    with find_sources([tmp_path / name for name in "abcde"], recursive=False) as sources:
        entries, data = await stored(sources)
    assert data == b"sameother"
    assert [entry.offset for entry in entries[:3]] == [0, 4, 0]
    assert (sources.files.files, sources.files.bytes) == (5, 13)


async def test_many_small_files_come_in_few_pieces(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}").write_bytes(f"{number}".encode() * 500)
    with find_sources([tmp_path], recursive=True) as sources:
        pieces = list(sources.read(FileSetPart.DATA, 100))
        _entries, data = await stored(sources)
    assert b"".join(piece for piece in pieces if isinstance(piece, bytes)) == data[100:]
    assert len(pieces) == 1


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with links, a pipe, and names that are hard to write."""
    top = tmp_path / "tree"
    (top / "inner").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "inner" / "file").write_bytes(b"file")
    (top / "a\nb").write_bytes(b"newline")
    with open(os.fsencode(top) + b"/\xff", "wb") as file:
        file.write(b"no UTF-8")
    (top / ("n" * 255)).write_bytes(b"long")
    (top / "link").symlink_to("inner/file")
    (top / "folder").symlink_to("inner")
    (top / "dangling").symlink_to("nothing")
    os.mkfifo(top / "pipe")
    return top


async def test_a_folder_comes_whole_but_for_special_files(tree: Path) -> None:
    with find_sources([f"{tree}/"], recursive=True) as sources:
        entries, data = await stored(sources)
    found = {
        entry.path: data[entry.offset : entry.offset + entry.size]
        for entry in entries
        if entry.kind is EntryKind.FILE
    }
    assert found == {
        b"tree/a\nb": b"newline",
        b"tree/\xff": b"no UTF-8",
        b"tree/" + b"n" * 255: b"long",
        b"tree/inner/file": b"file",
        b"tree/link": b"file",
    }
    folders = [entry.path for entry in entries if entry.kind is EntryKind.FOLDER]
    assert folders == [b"tree", b"tree/empty", b"tree/inner"]
    assert sorted(sources.left_out) == [
        f"{tree}/dangling is left out: it is a link to nothing that can be copied",
        f"{tree}/folder is left out: it is a link to a folder",
        f"{tree}/pipe is left out: it is no regular file",
    ]


async def test_the_same_tree_makes_the_same_set(tree: Path) -> None:
    with find_sources([tree], recursive=True) as one, find_sources([tree], recursive=True) as two:
        assert one.files == two.files


async def test_what_is_left_out_is_counted_if_it_is_much(tmp_path: Path) -> None:
    for number in range(25):
        os.mkfifo(tmp_path / f"pipe{number:02}")
    with find_sources([tmp_path], recursive=True) as sources:
        assert len(sources.left_out) == 21
        assert sources.left_out[-1] == "5 more are left out"


async def test_a_source_that_is_a_link_is_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "to-file").symlink_to("tree/inner/file")
    (tmp_path / "to-folder").symlink_to("tree/inner")
    paths = [tmp_path / "to-file", tmp_path / "to-folder"]
    with find_sources(paths, recursive=True) as sources:
        entries, _ = await stored(sources)
    assert [entry.path for entry in entries] == [b"to-file", b"to-folder", b"to-folder/file"]


def test_what_cannot_be_copied_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for paths, expected in (
        ([tree], f"{tree} is a folder; --recursive copies what is in it."),
        ([tmp_path / "none"], f"{tmp_path}/none: No such file or directory."),
        ([tree / "pipe"], f"{tree}/pipe is no regular file, and only files and folders"),
        (["/dev/null"], "/dev/null is no regular file"),
        (["."], "'.' has no name; name the folder itself."),
        (["/"], "'/' has no name"),
        (["x/.."], "'x/..' has no name"),
        (["a\0b"], "is not the path of a file"),
        ([], "There is nothing to copy"),
        ([tmp_path / "file", tree / "file"], "would have the same name on a host"),
    ):
        with pytest.raises(InvalidInputError) as error:
            find_sources(paths, recursive=False)
        assert error.value.field == "files"
        assert expected in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_named(tree: Path) -> None:
    (tree / "inner" / "file").chmod(0)
    with pytest.raises(InvalidInputError, match="inner/file: Permission denied"):
        find_sources([tree], recursive=True)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _shrink(path: Path) -> None:
    os.truncate(path, 10)


def _rewrite(path: Path) -> None:
    path.write_bytes(DATA[::-1])


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(DATA)
    other.rename(path)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [_grow, _shrink, _rewrite, _replace, _pipe])
async def test_a_source_that_changes_after_it_was_hashed_ends_the_upload(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    manager = FakeFiles()
    with find_sources([path], recursive=False) as sources:
        change(path)
        with pytest.raises(InvalidInputError, match="file has changed while it was read; copy it"):
            await upload(manager, sources)
    assert not manager.sets


def test_a_source_that_changes_while_it_is_hashed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA * 4)

    def grow(_bytes: int, _files: int) -> None:
        _grow(path)

    with pytest.raises(InvalidInputError, match="file has changed while it was read"):
        find_sources([path], recursive=False, on_progress=grow)


def test_the_progress_counts_bytes_and_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    (tmp_path / "b").write_bytes(b"12")
    seen: list[tuple[int, int]] = []
    with find_sources(
        [tmp_path / "a", tmp_path / "b"],
        recursive=False,
        on_progress=lambda *numbers: seen.append(numbers),
    ):
        pass
    assert seen == [(1 << 20, 0), (1536000, 0), (1536000, 1), (1536002, 1), (1536002, 2)]


def test_reading_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    with pytest.raises(Canceled):
        find_sources([tmp_path / "a"], recursive=False, stop=lambda: True)


async def test_holes_are_sent_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(b"begin")
        file.seek(64 << 20)
        file.write(b"middle")
        file.truncate(128 << 20)
    if path.stat().st_blocks * 512 > 1 << 20:
        pytest.skip("the file system of the tests has no holes")
    with find_sources([path], recursive=False) as sources:
        pieces = list(sources.read(FileSetPart.DATA, 0))
        assert sum(len(piece) for piece in pieces if isinstance(piece, bytes)) < 1 << 20
        assert sum(piece for piece in pieces if isinstance(piece, int)) > 120 << 20
        assert next(sources.read(FileSetPart.DATA, (128 << 20) - 7)) == 7
        (_entry,), data = await stored(sources)
    assert data == path.read_bytes()


async def test_an_upload_goes_on_at_the_byte_where_the_manager_was_lost(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    (tmp_path / "b").write_bytes(DATA[::-1])
    manager = FakeFiles()
    manager.lost_at = len(DATA) + 100_000
    seen: list[int] = []
    with find_sources([tmp_path], recursive=True) as sources:
        await upload(manager, sources, lambda sent, of: seen.append(sent))
        assert manager.sent == sources.files.manifest_size + sources.files.size
    assert seen == sorted(seen)
    assert seen[-1] == 2 * len(DATA)


async def test_an_upload_without_a_manager_ends_and_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    manager = FakeFiles()
    manager.lost_at = 300_000

    def lose(sent: int, _of: int) -> None:
        manager.is_lost = True

    with find_sources([tmp_path / "a"], recursive=False) as sources:
        with pytest.raises(UnreachableError) as error:
            await upload(manager, sources, lose, patience=0)
        assert "No task was made. The manager has 1,048,576 of 1,536,000 bytes" in str(error.value)
        manager.is_lost = False
        await upload(manager, sources)
        await upload(manager, sources)  # it has all
    assert manager.sent == sources.files.manifest_size + len(DATA)


async def test_an_upload_that_never_gets_further_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = calls = 0

    class Breaking(FakeFiles):
        async def store_files(
            self,
            files: FileSet,
            read: ReadPart,
            on_progress: Callable[[int], None] | None = None,
        ) -> None:
            nonlocal now, calls
            now, calls = now + 4, calls + 1
            assert calls < 10
            assert on_progress is not None
            on_progress(100)
            raise UnreachableError("The manager has gone.")

    (tmp_path / "a").write_bytes(DATA)
    monkeypatch.setattr(upload_module, "_RETRY_AFTER", 0)
    monkeypatch.setattr(upload_module, "time", SimpleNamespace(monotonic=lambda: now))
    expected = pytest.raises(UnreachableError, match="The manager has 100 of 1,536,000 bytes")
    with find_sources([tmp_path / "a"], recursive=False) as sources, expected:
        await upload(Breaking(), sources)
    assert calls == 4


def test_a_write_that_is_cut_off_says_that_the_manager_has_gone() -> None:
    failure = aio.AioRpcError(
        grpc.StatusCode.INTERNAL, aio.Metadata(), aio.Metadata(), "Internal error from Core"
    )
    assert isinstance(error_of(failure, "/state"), UnreachableError)


def test_the_temporary_files_are_gone_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with pytest.raises(InvalidInputError):
        find_sources([tmp_path / "none"], recursive=False)
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after == before


def test_the_mode_of_a_folder_comes_along(tmp_path: Path) -> None:
    tmp_path.chmod(0o750 | stat.S_ISVTX)
    with find_sources([tmp_path], recursive=True) as sources:
        pieces = sources.read(FileSetPart.MANIFEST, 0)
        (entry,) = read_entries(io.BytesIO(b"".join(bytes(piece) for piece in pieces)))
    assert entry.mode == 0o750
