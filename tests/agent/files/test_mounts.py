"""Copies to file systems that are small, full, read-only, or mounted in odd places."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tui_manager_agent.files.copy import partial_file
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import StoppedError, StopSignal, TransferError

from tests.agent.files.copying import Copy, read_tree

FEW = {"a": b"text"}


class Mounts:
    """Mounts that go when the test ends."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def tmpfs(self, place: Path, options: str) -> Path:
        place.mkdir()
        self._mount(place, "-t", "tmpfs", "-o", options, "tmpfs", str(place))
        return place

    def bind(self, source: Path, place: Path) -> Path:
        """Under another path, as a folder or a file."""
        place.mkdir() if source.is_dir() else place.touch()
        self._mount(place, "--bind", str(source), str(place))
        return place

    def _mount(self, place: Path, *options: str) -> None:
        if subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
            pytest.skip("this user may not mount")
        self._stack.callback(subprocess.run, ["umount", "--lazy", str(place)], check=True)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    mounts = Mounts()
    yield mounts
    mounts.close()


def refuse(copy: Copy) -> str:
    work = copy.work()
    with pytest.raises(TransferError) as refused:
        work.run()
    work.discard()
    return str(refused.value)


def test_a_disk_that_is_too_small_is_not_filled(tmp_path: Path, mounts: Mounts) -> None:
    disk = mounts.tmpfs(tmp_path / "disk", "size=1m")
    tree = {f"f{number}": os.urandom(150_000) for number in range(10)}
    copy = Copy(tmp_path, tree, f"{disk}/")
    assert f"The files need 1,500,000 bytes in {disk}" in refuse(copy)
    assert copy.source.asked == []
    old = {name: content[::-1] for name, content in list(tree.items())[:4]}
    Copy(tmp_path, old, f"{disk}/").work().run()
    Copy(tmp_path, {"f0": b"0" * 149_999, "f1": b"1"}, f"{disk}/").work().run()  # replaced
    new = {name: content + b"n" for name, content in old.items()}
    assert "The files need 600,004 bytes" in refuse(Copy(tmp_path, new, f"{disk}/", backup=True))
    assert "The files need 600,004 bytes" in refuse(Copy(tmp_path, new, f"{disk}/"))


def test_a_disk_that_fills_up_meanwhile(tmp_path: Path, mounts: Mounts) -> None:
    disk = mounts.tmpfs(tmp_path / "disk", "size=1m")
    content = os.urandom(500_000)
    copy = Copy(tmp_path, {"a": content}, f"{disk}/")

    def fill(count: int) -> None:
        if count == 100:
            (disk / "filler").write_bytes(bytes(800_000))

    copy.source.before_read = fill
    problem = refuse(copy)
    assert problem.startswith(f"{disk}/a cannot be written: No space left on device. Make room")
    assert os.listdir(disk) == ["filler"]
    (disk / "filler").unlink()
    copy.source.before_read = lambda count: None
    copy.work().run()
    assert read_tree(disk) == {"a": content}


def test_what_the_copy_itself_took_is_room_for_it(tmp_path: Path, mounts: Mounts) -> None:
    disk = mounts.tmpfs(tmp_path / "disk", "size=1m")
    content = os.urandom(700_000)
    copy = Copy(tmp_path, {"a": content}, f"{disk}/")
    copy.source.before_read = lambda count: copy.stop.set() if count == 600 else None
    with pytest.raises(StoppedError):
        copy.work().run()
    copy.stop = StopSignal()
    copy.source.before_read = lambda count: None
    copy.work().run()
    assert copy.source.asked_bytes < 150_000
    assert read_tree(disk) == {"a": content}


def test_a_file_system_that_takes_few_files(tmp_path: Path, mounts: Mounts) -> None:
    disk = mounts.tmpfs(tmp_path / "disk", "nr_inodes=20")
    tree = {f"f{number}": b"x" for number in range(30)}
    assert "takes 19 more files, and the copy has 30" in refuse(Copy(tmp_path, tree, f"{disk}/"))
    assert read_tree(disk) == {}


def test_a_file_system_that_is_read_only(tmp_path: Path, mounts: Mounts) -> None:
    disk = mounts.tmpfs(tmp_path / "disk", "ro")
    assert f"{disk}/a cannot be written: Read-only file system. Choose another" in refuse(
        Copy(tmp_path, FEW, f"{disk}/")
    )


def test_a_file_on_which_something_is_mounted(tmp_path: Path, mounts: Mounts) -> None:
    (tmp_path / "other").write_bytes(b"stays")
    place = mounts.bind(tmp_path / "other", tmp_path / "a")
    problem = refuse(Copy(tmp_path, FEW, f"{place}"))
    assert "a cannot be written: Device or resource busy. Something is mounted there" in problem
    assert place.read_bytes() == b"stays"
    assert list(tmp_path.glob(".tui-manager.*")) == []


def test_a_mounted_folder_takes_files(tmp_path: Path, mounts: Mounts) -> None:
    (tmp_path / "top").mkdir()
    disk = mounts.tmpfs(tmp_path / "top" / "disk", "size=1m")
    tree = {"top": None, "top/a": b"1", "top/disk": None, "top/disk/b": b"2"}
    Copy(tmp_path, tree, f"{tmp_path}/").work().run()
    assert read_tree(disk) == {"b": b"2"}
    assert (tmp_path / "top" / "a").read_bytes() == b"1"


@pytest.mark.parametrize("inside", ["", "executions"])
def test_the_state_folder_under_another_path(tmp_path: Path, mounts: Mounts, inside: str) -> None:
    copy = Copy(tmp_path, {"x": None, "x/a": b"text"}, f"{tmp_path}/elsewhere/")
    state = tmp_path / "state" / inside
    (state / "x").mkdir()
    place = mounts.bind(state, tmp_path / "elsewhere")
    assert "belongs to the agent itself" in refuse(copy)
    assert list((state / "x").iterdir()) == []
    own = ProtectedFiles(tmp_path / "state", tmp_path / "policy.toml")
    own.refresh()
    (state / "secret").write_bytes(b"s")
    with _opened(place / "secret") as descriptor:
        assert not own.may_be_read(descriptor)


def test_the_policy_under_another_path(tmp_path: Path, mounts: Mounts) -> None:
    owners = tmp_path / "etc"
    owners.mkdir()
    (owners / "policy.toml").write_bytes(b"old")
    place = mounts.bind(owners, tmp_path / "elsewhere")
    file = mounts.bind(owners / "policy.toml", tmp_path / "file")
    for name, to in (("policy.toml", f"{place}/"), ("x", f"{file}")):
        copy = Copy(tmp_path, {name: b"old"}, to, mode=0o666)
        copy.policy = owners / "policy.toml"
        assert "belongs to the agent itself" in refuse(copy)


def test_a_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def over(*_: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(partial_file, "write_at", over)
    assert "cannot be written: Disk quota exceeded. The quota is used up" in refuse(
        Copy(tmp_path, FEW, f"{tmp_path}/a")
    )
    assert not (tmp_path / "a").exists()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
