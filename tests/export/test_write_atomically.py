"""A file is written whole or not at all."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tui_manager.domain.errors import InvalidInputError
from tui_manager.export.write_atomically import write_atomically


class StopError(Exception):
    """What goes wrong in the middle."""


def test_a_new_file(tmp_path: Path) -> None:
    with write_atomically(tmp_path / "new") as file:
        file.write(b"all")
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "new").read_bytes() == b"all"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    umask = os.umask(0o022)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("nameless", [True, False])
def test_the_old_file_stays_after_an_error(
    tmp_path: Path, nameless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not nameless:
        monkeypatch.setattr(
            "tui_manager.export.write_atomically._open_nameless", lambda folder: None
        )
    path = tmp_path / "old"
    path.write_bytes(b"before")
    path.chmod(0o600)

    def write(*, fails: bool) -> None:
        with write_atomically(path) as file:
            file.write(b"half")
            if fails:
                raise StopError

    with pytest.raises(StopError):
        write(fails=True)
    assert path.read_bytes() == b"before"
    write(fails=False)
    assert path.read_bytes() == b"half"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("meanwhile", [True, False])
def test_nothing_is_replaced_that_may_not_be(tmp_path: Path, meanwhile: bool) -> None:
    path = tmp_path / "file"
    if not meanwhile:
        path.write_bytes(b"before")

    def write() -> None:
        with write_atomically(path, replace=False) as file:
            path.write_bytes(b"before")
            file.write(b"ours")

    with pytest.raises(FileExistsError):
        write()
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_may_have_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "task-1.csv"
    with write_atomically(path, replace=False) as file:
        file.write(b"new")
    with pytest.raises(FileExistsError), write_atomically(tmp_path / "other", replace=False):
        (tmp_path / "other").write_bytes(b"old")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        path.name: b"new", "other": b"old"
    }  # fmt: skip


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/file")
    with write_atomically(tmp_path / "link") as file:
        file.write(b"all")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").read_bytes() == b"all"


def test_a_device_is_written_to(tmp_path: Path) -> None:
    with write_atomically(Path(os.devnull)) as file:
        file.write(b"all")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_descriptor_is_written_to(tmp_path: Path) -> None:
    ends = os.pipe()
    try:
        with write_atomically(Path(f"/dev/fd/{ends[1]}")) as file:
            file.write(b"all")
        assert os.read(ends[0], 10) == b"all"
    finally:
        for end in ends:
            os.close(end)
    (tmp_path / "gone").write_bytes(b"")
    with (tmp_path / "gone").open("r+b") as gone:
        (tmp_path / "gone").unlink()
        with write_atomically(Path(f"/dev/fd/{gone.fileno()}")) as file:
            file.write(b"all")
        assert gone.read() == b"all"
    assert [*tmp_path.iterdir()] == []


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)
    with write_atomically(path) as file:
        file.write(b"all")
    assert path.read_bytes() == b"all"


def test_a_link_to_itself_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"), write_atomically(tmp_path / "loop"):
        pass


@pytest.mark.parametrize(
    ("name", "words"), [(".", "is a folder; name a file in it"), ("no/file", "There is no folder")]
)
def test_what_cannot_be_a_file(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words), write_atomically(tmp_path / name):
        pass


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="no files without a name here")
def test_nothing_is_left_of_a_process_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, pathlib\n"
        "from tui_manager.export.write_atomically import write_atomically\n"
        f"with write_atomically(pathlib.Path({str(tmp_path / 'new')!r})) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [*tmp_path.iterdir()] == []
