"""Fetched files are written into DIR/HOST, under safe names, whole, and never outside of it."""

import asyncio
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind, encode

from tests.support.fake_operator.fake_files import FakeFiles, set_of
from tui_manager.domain.errors import NotFoundError, StorageError, UnreachableError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.operator.local_files import write_fetched_files
from tui_manager.operator.local_files.download_fetched_files import download_fetched_files
from tui_manager.operator.local_files.safe_names import safe_name
from tui_manager.operator.local_files.write_fetched_files import Saved, SaveError

BIG = bytes(range(256)) * 100
FILES = {b"etc/hosts": b"127.0.0.1", b"etc/ssh/key": BIG, b"var/empty": b""}


class Host:
    """Makes the set that an agent would send, also one that no honest agent sends."""

    def __init__(self) -> None:
        self.manager = FakeFiles()
        self._manifest = self._data = b""

    def file(self, path: bytes, data: bytes, mode: int = 0o644) -> None:
        digest = hashlib.sha256(data).digest()
        self._manifest += encode(
            Entry(path, EntryKind.FILE, mode, len(data), digest, len(self._data))
        )
        self._data += data

    def add(self, entry: Entry) -> None:
        self._manifest += encode(entry)

    def folder(self, path: bytes, mode: int = 0o755) -> None:
        self._manifest += encode(Entry(path, EntryKind.FOLDER, mode))

    @property
    def files(self) -> FileSet:
        files = set_of(self._manifest, self._data)
        self.manager.sets[files.sha256] = self._manifest, self._data
        return files

    async def save(self, folder: Path, name: str = "web01", **options: Any) -> Saved:
        return await download_fetched_files(self.manager, self.files, folder, name, **options)


def host_with(files: Mapping[bytes, bytes]) -> Host:
    host = Host()
    for path, data in files.items():
        host.file(path, data)
    return host


def found(folder: Path) -> dict[bytes, bytes]:
    """All files below a folder, by their paths."""
    top = os.fsencode(folder)
    return {
        os.path.relpath(os.path.join(path, name), top): Path(
            os.fsdecode(os.path.join(path, name))
        ).read_bytes()
        for path, _, names in os.walk(top)
        for name in names
    }


async def test_files_land_under_host_and_path(tmp_path: Path) -> None:
    saved = await host_with(FILES).save(tmp_path)
    assert found(tmp_path) == {b"web01/" + path: data for path, data in FILES.items()}
    assert (saved.files, saved.bytes, saved.unchanged_files) == (3, 9 + len(BIG), 0)
    assert not saved.unchanged
    assert not saved.problems


async def test_what_is_there_already_is_not_read_again(tmp_path: Path) -> None:
    host = host_with(FILES)
    await host.save(tmp_path)
    host.manager.asked.clear()
    saved = await host.save(tmp_path)
    assert saved.unchanged
    assert (saved.files, saved.unchanged_files) == (3, 3)
    assert host.manager.asked == [(FileSetPart.MANIFEST, 0)]
    (tmp_path / "web01/etc/ssh/key").write_bytes(BIG[::-1])
    saved = await host.save(tmp_path)
    assert (saved.files, saved.unchanged_files, saved.unchanged) == (3, 2, False)
    assert (tmp_path / "web01/etc/ssh/key").read_bytes() == BIG


async def test_bytes_that_a_host_names_again_and_again_do_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host()
    host.file(b"first", BIG)
    for number in range(9):
        entry = Entry(b"%d" % number, EntryKind.FILE, 0o644, len(BIG), _sha256(BIG), 0)
        host.add(entry)
    free = len(BIG) * 10
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert (await host.save(tmp_path)).files == 10
    free = len(BIG)
    assert (await host.save(tmp_path)).unchanged  # what is there needs no room
    saved = await host.save(tmp_path, "web02")
    assert (saved.files, saved.failed) == (0, 10)
    (problem,) = saved.problems
    assert f"no file of web02 is written: together they have {10 * len(BIG):,} bytes" in problem
    assert not (tmp_path / "web02").exists()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


async def test_modes_come_without_setuid_and_stay_readable_for_the_owner(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        host = Host()
        host.folder(b"closed", 0o3000)
        host.file(b"closed/setuid", b"x", 0o6777)
        host.file(b"secret", b"x", 0)
        await host.save(tmp_path)
    finally:
        os.umask(before)
    modes = {
        name: stat.S_IMODE((tmp_path / "web01" / name).stat().st_mode)
        for name in ("closed", "closed/setuid", "secret")
    }
    assert modes == {"closed": 0o700, "closed/setuid": 0o755, "secret": 0o600}


async def test_hostile_names_become_safe_ones(tmp_path: Path) -> None:
    host = host_with(
        {
            b"..\\x": b"1",
            b"C:/x": b"2",
            b"CON": b"3",
            b"aux.txt": b"4",
            b"a\nb\x1b[31m": b"5",
            b"\xff\xfe": b"6",
            b"\xe2\x80\xae.exe": b"7",
            b"n" * 255: b"8",
            b"...": b"9",
            b"\x01" * 255: b"10",
            b"100% sure": b"11",
        }
    )
    saved = await host.save(tmp_path)
    long = "%01" * 82 + "~" + hashlib.sha256(b"%01" * 255).hexdigest()[:8]
    assert found(tmp_path / "web01") == {
        b"..%5Cx": b"1",
        b"C%3A/x": b"2",
        b"_CON": b"3",
        b"_aux.txt": b"4",
        b"a%0Ab%1B[31m": b"5",
        b"%FF%FE": b"6",
        b"%E2%80%AE.exe": b"7",
        b"n" * 255: b"8",
        b"...": b"9",
        long.encode(): b"10",
        b"100% sure": b"11",
    }
    assert saved.renamed == 8
    assert saved.new_names[1] == ("/C:/x", "C%3A/x")
    assert (await host.save(tmp_path)).unchanged


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        (b"..", "_.."),
        (b".", "_."),
        (b"a/b", "a%2Fb"),
        (b"NUL.tar.gz", "_NUL.tar.gz"),
        (b"com1 ", "_com1 "),
        (b"LPT9", "_LPT9"),
        (b"console", "console"),
        (b"d:", "d%3A"),
        (b"12:30.log", "12:30.log"),
        ("\u00e9".encode(), "\u00e9"),
        (b"\xc2\x85", "%C2%85"),
    ],
)
def test_a_name_is_made_safe(name: bytes, safe: str) -> None:
    assert safe_name(name) == safe


async def test_names_that_become_one_are_told_apart(tmp_path: Path) -> None:
    host = host_with({b"a\nb": b"1", b"a%0Ab": b"2", b"c/\n": b"3", b"c/%0A": b"4"})
    saved = await host.save(tmp_path)
    assert found(tmp_path / "web01") == {
        b"a%0Ab": b"1",
        b"a%0Ab~2": b"2",
        b"c/%0A": b"3",
        b"c/%0A~2": b"4",
    }
    assert (saved.files, saved.renamed) == (4, 4)
    assert saved.new_names == [
        ("/a\nb", "a%0Ab"),
        ("/a%0Ab", "a%0Ab~2"),
        ("/c/\n", "c/%0A"),
        ("/c/%0A", "c/%0A~2"),
    ]
    assert (await host.save(tmp_path)).unchanged


async def test_a_file_system_that_ignores_case_keeps_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower = safe_name
    monkeypatch.setattr(write_fetched_files, "safe_name", lambda part: lower(part).lower())
    saved = await host_with({b"README": b"1", b"readme": b"2"}).save(tmp_path)
    assert found(tmp_path / "web01") == {b"readme": b"1", b"readme~2": b"2"}
    assert saved.files == 2


async def test_a_host_cannot_name_its_way_out(tmp_path: Path) -> None:
    await host_with({b"x": b"1"}).save(tmp_path, "../..")
    assert found(tmp_path) == {b"..%2F../x": b"1"}


async def test_what_is_in_the_way_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"mine")
    top = tmp_path / "dir" / "web01"
    top.mkdir(parents=True)
    (top / "link").symlink_to(outside / "file")
    (top / "folder").symlink_to(outside)
    (top / "taken").mkdir()
    os.mkfifo(top / "pipe")
    (top / "file").write_bytes(b"a file")
    host = host_with(
        {
            b"link": b"1",
            b"folder/file": b"2",
            b"taken": b"3",
            b"pipe": b"4",
            b"file/inner": b"5",
            b"good": b"6",
        }
    )
    host.folder(b"link")
    saved = await host.save(tmp_path / "dir")
    assert (outside / "file").read_bytes() == b"mine"
    assert os.listdir(outside) == ["file"]
    assert (top / "good").read_bytes() == b"6"
    assert saved.files == 1
    assert saved.failed == 6
    at = f"is not in {top}: "
    assert saved.problems == [
        f"/link {at}a link named link is in its place here",
        f"/folder/file {at}a link named folder is here in place of its folder",
        f"/taken {at}a folder named taken is in its place here",
        f"/pipe {at}a device or a pipe named pipe is in its place here",
        f"/file/inner {at}a file named file is here in place of its folder",
        f"/link {at}a link named link is here in place of its folder",
    ]
    assert not [name for name in os.listdir(top) if name.startswith(".tui-manager")]


async def test_a_link_in_place_of_the_folder_of_the_host_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "web01").symlink_to("outside")
    sentence = (
        r"files of web01 cannot .* in /.*/web01: a link named web01 is here in place of .*\.$"
    )
    with pytest.raises(SaveError, match=sentence):
        await host_with(FILES).save(tmp_path)
    assert not os.listdir(tmp_path / "outside")


async def test_a_file_and_a_folder_of_one_name_do_not_disturb_the_others(tmp_path: Path) -> None:
    host = host_with({b"a": b"1", b"a/b": b"2", b"c": b"3"})
    host.file(b"a", b"again")
    saved = await host.save(tmp_path)
    assert found(tmp_path / "web01") == {b"a": b"1", b"c": b"3", b"a~2": b"again"}
    assert saved.failed == 1


async def test_a_full_disk_ends_it_and_leaves_no_part_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0

    def write(descriptor: int, data: memoryview) -> int:
        nonlocal written
        written += len(data)
        if written > 5000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(SaveError) as error:
        await host_with({b"big": BIG}).save(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/web01: /big cannot be written: No space left on device."
    )
    assert found(tmp_path) == {}


async def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match="cannot be opened: No such file or directory"):
        await host_with(FILES).save(tmp_path / "none")


async def test_a_file_is_saved_whole_after_the_manager_was_lost(tmp_path: Path) -> None:
    host = host_with({b"big": BIG, b"more": BIG[::-1]})
    host.manager.lost_at = 7_000
    await host.save(tmp_path)
    assert found(tmp_path / "web01") == {b"big": BIG, b"more": BIG[::-1]}
    assert host.manager.asked[-1] == (FileSetPart.DATA, 7_000)


async def test_without_a_manager_no_file_appears(tmp_path: Path) -> None:
    host = host_with({b"big": BIG})
    host.manager.lost_at = 7_000
    with pytest.raises(UnreachableError):
        await host.save(tmp_path, patience=-1)
    assert found(tmp_path) == {}


async def test_files_that_the_manager_has_removed_are_an_error(tmp_path: Path) -> None:
    host = host_with(FILES)
    files = host.files
    host.manager.sets.clear()
    with pytest.raises(NotFoundError):
        await download_fetched_files(host.manager, files, tmp_path, "web01")


async def test_damaged_files_are_not_saved(tmp_path: Path) -> None:
    host = host_with({b"big": BIG, b"good": b"good"})
    files = host.files
    manifest, data = host.manager.sets[files.sha256]
    host.manager.sets[files.sha256] = manifest, b"x" + data[1:]
    saved = await download_fetched_files(host.manager, files, tmp_path, "web01")
    assert found(tmp_path / "web01") == {b"good": b"good"}
    assert saved.problems == [f"/big is not in {tmp_path}/web01: what came of it has another hash"]
    host.manager.sets[files.sha256] = manifest[::-1], data
    with pytest.raises(StorageError, match="is damaged"):
        await download_fetched_files(host.manager, files, tmp_path, "web01")


async def test_zeros_leave_holes(tmp_path: Path) -> None:
    data = b"begin" + bytes(100_000) + b"end"
    await host_with({b"sparse": data + bytes(50_000)}).save(tmp_path)
    assert (tmp_path / "web01/sparse").read_bytes() == data + bytes(50_000)


async def test_many_files_are_read_in_one_go(tmp_path: Path) -> None:
    host = host_with({f"{number}".encode(): f"{number}".encode() for number in range(300)})
    seen: list[int] = []
    await host.save(tmp_path, on_progress=lambda saved: seen.append(saved.files))
    assert host.manager.asked == [(FileSetPart.MANIFEST, 0), (FileSetPart.DATA, 0)]
    assert seen == list(range(1, 301))


async def test_a_canceled_save_ends_its_thread_and_leaves_no_part(tmp_path: Path) -> None:
    host = host_with({b"big": BIG})
    reached = asyncio.Event()

    class Stalled(FakeFiles):
        async def read_files(self, files: FileSet, part: FileSetPart, offset: int = 0) -> Any:
            async for piece in super().read_files(files, part, offset):
                if part is FileSetPart.DATA:
                    reached.set()
                    await asyncio.Event().wait()
                yield piece

    stalled = Stalled()
    files = host.files
    stalled.sets = host.manager.sets
    saving = asyncio.create_task(download_fetched_files(stalled, files, tmp_path, "web01"))
    await reached.wait()
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert found(tmp_path) == {}
