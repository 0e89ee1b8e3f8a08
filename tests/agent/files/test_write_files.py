"""What a copy leaves on a host, and what it says of it."""

import os
from pathlib import Path

import pytest
from tui_manager_agent.files.copy import destination, write_group
from tui_manager_agent.files.transfer_work import TransferError

from tests.agent.files.copying import Copy, mode_of, read_tree

LARGE = bytes(range(1, 251)) * 2400  # 600,000 bytes
TREE = {"app": None, "app/a": b"one", "app/sub": None, "app/sub/b": LARGE, "app/sub/empty": b""}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def test_a_file_gets_the_name_of_the_destination(tmp_path: Path, target: Path) -> None:
    copy = Copy(tmp_path, {"a.conf": b"text"}, f"{target}/b.conf", modes={"a.conf": 0o640})
    done = copy.work().run()
    assert read_tree(target) == {"b.conf": b"text"}
    assert mode_of(target / "b.conf") == 0o640
    assert (done.bytes, done.files, done.unchanged_files, done.received_bytes) == (4, 1, 0, 4)
    assert done.sha256.hex() == "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"


@pytest.mark.parametrize("ending", ["", "/", "/."])
def test_a_folder_takes_a_file_under_its_own_name(
    tmp_path: Path, target: Path, ending: str
) -> None:
    Copy(tmp_path, {"a.conf": b"text"}, f"{target}{ending}").work().run()
    assert read_tree(target) == {"a.conf": b"text"}


def test_a_destination_that_ends_in_a_slash_is_made_with_its_parents(
    tmp_path: Path, target: Path
) -> None:
    before = os.umask(0o077)
    try:
        Copy(tmp_path, {"a": b"text"}, f"{target}/x/y/").work().run()
    finally:
        os.umask(before)
    assert read_tree(target) == {"x": None, "x/y": None, "x/y/a": b"text"}
    assert mode_of(target / "x") == mode_of(target / "x" / "y") == 0o755


def test_several_files_make_a_folder_that_ends_in_a_slash(tmp_path: Path, target: Path) -> None:
    Copy(tmp_path, {"a": b"1", "b": b"2"}, f"{target}/new/").work().run()
    assert read_tree(target) == {"new": None, "new/a": b"1", "new/b": b"2"}


def test_a_tree_takes_the_name_of_the_destination(tmp_path: Path, target: Path) -> None:
    done = Copy(tmp_path, TREE, f"{target}/www").work().run()
    assert read_tree(target) == {
        "www": None,
        "www/a": b"one",
        "www/sub": None,
        "www/sub/b": LARGE,
        "www/sub/empty": b"",
    }
    assert (done.files, done.bytes) == (3, 600_003)
    assert done.sha256 == done.manifest_sha256


def test_what_is_there_already_is_not_asked_for(tmp_path: Path, target: Path) -> None:
    Copy(tmp_path, TREE, f"{target}").work().run()
    (target / "app" / "a").write_bytes(b"two")
    unchanged = target / "app" / "sub" / "b"
    before = unchanged.stat()
    copy = Copy(tmp_path, TREE, f"{target}")
    done = copy.work().run()
    assert copy.source.asked_bytes == done.received_bytes == 3
    assert (done.files, done.unchanged_files, done.bytes) == (3, 2, 600_003)
    after = unchanged.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert read_tree(target) == {
        "app": None,
        **{path: TREE[path] for path in TREE if path != "app"},
    }


def test_another_mode_alone_is_set_without_asking(tmp_path: Path, target: Path) -> None:
    (target / "a").write_bytes(b"text")
    (target / "a").chmod(0o600)
    copy = Copy(tmp_path, {"a": b"text"}, f"{target}/a", mode=0o755)
    done = copy.work().run()
    assert (done.unchanged_files, done.received_bytes, copy.source.asked) == (0, 0, [])
    assert mode_of(target / "a") == 0o755


def test_another_name_of_a_file_keeps_mode_and_content(tmp_path: Path, target: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"text")
    other.chmod(0o600)
    (target / "a").hardlink_to(other)
    Copy(tmp_path, {"a": b"text"}, f"{target}/a").work().run()
    assert mode_of(target / "a") == 0o644
    assert mode_of(other) == 0o600
    Copy(tmp_path, {"a": b"new"}, f"{target}/a").work().run()
    assert other.read_bytes() == b"text"


def test_special_bits_need_a_mode_that_names_them(tmp_path: Path, target: Path) -> None:
    modes = {"a": 0o4755, "d": 0o2775}
    Copy(tmp_path, {"a": b"x", "d": None}, f"{target}/", modes=modes).work().run()
    assert (mode_of(target / "a"), mode_of(target / "d")) == (0o755, 0o775)
    Copy(tmp_path, {"a": b"x"}, f"{target}/", mode=0o4755).work().run()
    assert mode_of(target / "a") == 0o4755


def test_folders_get_their_mode_after_what_is_in_them(tmp_path: Path, target: Path) -> None:
    tree = {"d": None, "d/e": None, "d/e/a": b"1", "d/b": b"2"}
    Copy(tmp_path, tree, f"{target}/", modes={"d": 0o555, "d/e": 0o500}).work().run()
    assert (mode_of(target / "d"), mode_of(target / "d" / "e")) == (0o555, 0o500)
    assert read_tree(target) == tree


def test_a_mode_holds_for_folders_with_the_right_to_enter(tmp_path: Path, target: Path) -> None:
    Copy(tmp_path, {"d": None, "d/a": b"1"}, f"{target}/", mode=0o640).work().run()
    assert (mode_of(target / "d"), mode_of(target / "d" / "a")) == (0o750, 0o640)


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path, target: Path) -> None:
    (target / "d").mkdir(mode=0o700)
    Copy(tmp_path, {"d": None, "d/a": b"1"}, f"{target}/").work().run()
    assert mode_of(target / "d") == 0o700


def test_a_backup_stays_beside_the_new_file(tmp_path: Path, target: Path) -> None:
    (target / "a").write_bytes(b"old")
    Copy(tmp_path, {"a": b"new"}, f"{target}/", backup=True).work().run()
    backups = list(target.glob("a.backup-????????T??????Z"))
    assert [path.read_bytes() for path in backups] == [b"old"]
    assert (target / "a").read_bytes() == b"new"


def test_no_backup_is_kept_of_what_stays(tmp_path: Path, target: Path) -> None:
    (target / "a").write_bytes(b"same")
    Copy(tmp_path, {"a": b"same", "b": b"new"}, f"{target}/", backup=True).work().run()
    assert sorted(path.name for path in target.iterdir()) == ["a", "b"]


def test_zeros_become_holes(tmp_path: Path, target: Path) -> None:
    content = b"begin" + bytes(8 << 20) + b"end" + bytes(1 << 20)
    copy = Copy(tmp_path, {"disk": content}, f"{target}/")
    copy.source.piece = 64 * 1024
    copy.work().run()
    assert (target / "disk").read_bytes() == content
    assert (target / "disk").stat().st_blocks * 512 < 1 << 20


def test_equal_files_are_each_written(tmp_path: Path, target: Path) -> None:
    tree = {"a": b"same", "b": b"same", "c": b"other"}
    done = Copy(tmp_path, tree, f"{target}/").work().run()
    assert read_tree(target) == tree
    assert (done.bytes, done.received_bytes) == (13, 13)


@pytest.mark.parametrize(
    "name",
    [b"new\nline", b"\xff\xfe not text", b"n" * 255, "ü".encode() * 127 + b"x", b"-rf", b" ", b"*"],
)
def test_names_of_all_kinds(tmp_path: Path, target: Path, name: bytes) -> None:
    for content in (b"old", b"new"):
        Copy(tmp_path, {name: content}, f"{target}/", backup=True).work().run()
    names = os.listdir(os.fsencode(target))
    assert name in names
    assert (target / os.fsdecode(name)).read_bytes() == b"new"
    (backup,) = (other for other in names if other != name)
    assert (target / os.fsdecode(backup)).read_bytes() == b"old"
    assert backup.startswith(name[:200])
    assert len(backup) <= 255


def test_backups_of_names_that_are_cut_do_not_replace_each_other(
    tmp_path: Path, target: Path
) -> None:
    names = ["n" * 250 + end for end in ("a", "b")]
    for content in (b"old", b"new"):
        tree = {name: content + name[-1:].encode() for name in names}
        Copy(tmp_path, tree, f"{target}/", backup=True).work().run()
    assert sorted(path.read_bytes() for path in target.iterdir()) == [
        b"newa",
        b"newb",
        b"olda",
        b"oldb",
    ]


def test_bytes_that_are_not_those_of_the_file_get_no_name(tmp_path: Path, target: Path) -> None:
    copy = Copy(tmp_path, {"a": b"text"}, f"{target}/a")
    copy.source.data = b"tex!"
    work = copy.work()
    with pytest.raises(TransferError, match="are not those of the file"):
        work.run()
    work.discard()
    assert read_tree(target) == {}


def test_systems_that_are_not_linux(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS has no O_PATH, gives nothing back from memory, and makes no folder sticky at once."""
    make_folder = os.mkdir
    monkeypatch.setattr(destination, "_THROUGH", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    monkeypatch.setattr(write_group, "_MAKES_STICKY", False)
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    monkeypatch.setattr(
        os, "mkdir", lambda name, mode, **more: make_folder(name, mode & 0o777, **more)
    )
    for _ in range(2):
        Copy(tmp_path, TREE, f"{target}/", modes={"app/sub": 0o555}, backup=True).work().run()
    assert read_tree(target) == TREE
    assert (mode_of(target / "app"), mode_of(target / "app" / "sub")) == (0o755, 0o555)


def test_progress_counts_what_is_there_too(tmp_path: Path, target: Path) -> None:
    (target / "a").write_bytes(b"text")
    copy = Copy(tmp_path, {"a": b"text", "b": LARGE}, f"{target}/")
    seen = []
    copy.source.before_read = lambda count: seen.append((work.bytes, work.files))
    work = copy.work()
    work.run()
    assert seen[1] == (1000, 0)
    assert (work.bytes, work.files) == (600_004, 2)


def test_many_small_files_are_asked_for_ahead(tmp_path: Path, target: Path) -> None:
    tree = {f"f{number}": b"content %d" % number for number in range(300)}
    copy = Copy(tmp_path, tree, f"{target}/")
    ahead = []
    copy.source.before_read = lambda count: ahead.append(len(copy.source.wants))
    copy.work().run()
    assert read_tree(target) == dict(sorted(tree.items()))
    assert min(ahead[:200]) >= 64
