"""Who owns what a copy writes; what an agent can do that is not root; what a root agent does in
folders of other users."""

import contextlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tui_manager_agent.files.transfer_work import TransferError

from tests.agent.files.copying import Copy, mode_of, read_tree

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
NOBODY = pwd.getpwnam("nobody")
FEW = {"d": None, "d/a": b"text"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that all users can reach, which is not so of `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="copy-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def agent_of_nobody(folder: Path) -> Iterator[Path]:
    """The agent's user is nobody; the same folder."""
    if os.geteuid() == 0:
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
        before = os.getgroups()
        os.setgroups([NOBODY.pw_gid])
        os.setegid(NOBODY.pw_gid)
        os.seteuid(NOBODY.pw_uid)
        yield folder
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)
    else:
        yield folder


def refuse(copy: Copy) -> str:
    work = copy.work()
    with pytest.raises(TransferError) as refused:
        work.run()
    work.discard()
    return str(refused.value)


def owner_of(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


@as_root
@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("nobody", (NOBODY.pw_uid, 0)),
        ("nobody:", (NOBODY.pw_uid, NOBODY.pw_gid)),
        ("nobody:daemon", (NOBODY.pw_uid, 1)),
        ("4711:4712", (4711, 4712)),
        ("", (0, 0)),
    ],
)
def test_owners(folder: Path, owner: str, expected: tuple[int, int]) -> None:
    Copy(folder, FEW, f"{folder}/x/", owner=owner).work().run()
    assert owner_of(folder / "x" / "d" / "a") == owner_of(folder / "x" / "d") == expected
    assert owner_of(folder / "x") == (0, 0)
    again = Copy(folder, FEW, f"{folder}/x/", owner=owner)
    assert again.work().run().unchanged_files == 1


@as_root
def test_another_owner_alone_is_set_without_asking(folder: Path) -> None:
    (folder / "a").write_bytes(b"text")
    copy = Copy(folder, {"a": b"text"}, f"{folder}/", owner="nobody")
    done = copy.work().run()
    assert (done.unchanged_files, done.received_bytes, copy.source.asked) == (0, 0, [])
    assert owner_of(folder / "a") == (NOBODY.pw_uid, 0)


@pytest.fixture
def home(folder: Path) -> Path:
    """A folder of nobody."""
    path = folder / "home"
    path.mkdir()
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    return path


def keep_open(path: Path, content: bytes) -> int:
    """Nobody has made this file, and has it open for writing."""
    path.write_bytes(content)
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    return os.open(path, os.O_RDWR)


@as_root
def test_who_has_the_old_file_open_cannot_write_into_that_of_root(folder: Path, home: Path) -> None:
    held = keep_open(home / "a", b"text")
    copy = Copy(folder, {"a": b"text"}, f"{home}/", owner="root", mode=0o4755)
    assert copy.work().run().unchanged_files == 0
    os.pwrite(held, b"evil", 0)
    os.close(held)
    assert (owner_of(home / "a")[0], mode_of(home / "a")) == (0, 0o4755)
    assert (home / "a").read_bytes() == b"text"


@as_root
def test_what_a_group_may_write_gets_another_mode_as_a_new_file(folder: Path, home: Path) -> None:
    (home / "a").write_bytes(b"text")
    (home / "a").chmod(0o664)
    before = (home / "a").stat().st_ino
    assert Copy(folder, {"a": b"text"}, f"{home}/", mode=0o4755).work().run().unchanged_files == 0
    assert (home / "a").stat().st_ino != before
    assert mode_of(home / "a") == 0o4755


@as_root
@pytest.mark.parametrize("owner", ["root", ""])
def test_a_partial_file_of_another_user_never_becomes_that_of_root(
    folder: Path, home: Path, owner: str
) -> None:
    """It is that of the old file's owner, who then puts a file of root in its place."""
    content = os.urandom(400_000)
    os.close(keep_open(home / "a", b"old"))
    copy = Copy(folder, {"a": content}, f"{home}/", owner=owner)
    held = keep_open(home / f".tui-manager.{copy.execution_id}.0.part", content)

    def replace_old(_count: int) -> None:
        os.chown(home / "a", 0, 0)

    copy.source.before_read = replace_old
    if owner:
        copy.work().run()
    else:
        os.truncate(held, 300_000)
        assert "has replaced" in refuse(copy)
    os.pwrite(held, b"evil", 0)
    os.close(held)
    assert (home / "a").read_bytes() == (content if owner else b"old")


@as_root
def test_a_file_keeps_its_owner(folder: Path) -> None:
    (folder / "a").write_bytes(b"old")
    os.chown(folder / "a", 4711, 4712)
    Copy(folder, {"a": b"new"}, f"{folder}/").work().run()
    assert owner_of(folder / "a") == (4711, 4712)
    assert (folder / "a").read_bytes() == b"new"


@as_root
def test_set_user_id_survives_a_change_of_owner(folder: Path) -> None:
    Copy(folder, {"a": b"x"}, f"{folder}/", owner="nobody", mode=0o4755).work().run()
    assert (owner_of(folder / "a")[0], mode_of(folder / "a")) == (NOBODY.pw_uid, 0o4755)


@pytest.mark.parametrize(
    "owner", ["no-such-user", "root:no-such-group", "99999999999", ":", "a:b:c"]
)
def test_an_unknown_owner_is_an_error_before_anything_is_written(folder: Path, owner: str) -> None:
    problem = refuse(Copy(folder, FEW, f"{folder}/x/", owner=owner))
    assert "owner" in problem or "to own the files" in problem or "no number" in problem
    assert not (folder / "x").exists()


def test_an_agent_that_is_not_root_cannot_give_files_away(agent_of_nobody: Path) -> None:
    problem = refuse(Copy(agent_of_nobody, FEW, f"{agent_of_nobody}/x/", owner="root"))
    assert "Operation not permitted. The agent's user may not do that" in problem
    assert list(agent_of_nobody.rglob("a")) == []


def test_an_agent_that_is_not_root_can_name_itself(agent_of_nobody: Path) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    Copy(agent_of_nobody, FEW, f"{agent_of_nobody}/x/", owner=f"{me}:").work().run()
    assert owner_of(agent_of_nobody / "x" / "d" / "a")[0] == os.geteuid()


def test_modes_without_rights_for_the_owner(agent_of_nobody: Path) -> None:
    tree = {"d": None, "d/none": b"1", "d/write": b"2", "e": None, "e/f": None, "e/f/a": b"3"}
    modes = {"d": 0o555, "d/none": 0, "d/write": 0o200, "e": 0o400, "e/f": 0o500}
    Copy(agent_of_nobody, tree, f"{agent_of_nobody}/x/", modes=modes).work().run()
    x = agent_of_nobody / "x"
    assert mode_of(x / "e") == 0o400
    assert (mode_of(x / "d"), mode_of(x / "d" / "none"), mode_of(x / "d" / "write")) == (
        0o555,
        0,
        0o200,
    )
    (x / "e").chmod(0o700)
    assert (mode_of(x / "e" / "f"), (x / "e" / "f" / "a").read_bytes()) == (0o500, b"3")
    for folder in (x / "d", x / "e" / "f"):  # so that they can be removed
        folder.chmod(0o700)


def test_a_folder_that_its_owner_may_not_list_is_there_already(agent_of_nobody: Path) -> None:
    for _ in range(2):
        copy = Copy(agent_of_nobody, {"d": None}, f"{agent_of_nobody}/x/", modes={"d": 0o300})
        copy.work().run()
    assert mode_of(agent_of_nobody / "x" / "d") == 0o300


def test_a_folder_that_is_not_writable(agent_of_nobody: Path) -> None:
    closed = agent_of_nobody / "closed"
    closed.mkdir(0o555)
    problem = refuse(Copy(agent_of_nobody, {"a": b"x"}, f"{closed}/"))
    assert "a cannot be written: Permission denied. The agent's user may not do that" in problem


def test_a_folder_that_can_be_entered_but_not_listed(agent_of_nobody: Path) -> None:
    closed = agent_of_nobody / "closed"
    closed.mkdir(0o300)
    Copy(agent_of_nobody, {"a": b"x"}, f"{closed}/").work().run()
    closed.chmod(0o700)
    assert read_tree(closed) == {"a": b"x"}


@as_root
def test_a_file_of_another_user_is_replaced_where_that_is_allowed(agent_of_nobody: Path) -> None:
    place = agent_of_nobody / "a"
    place.write_bytes(b"text")
    os.seteuid(0)
    os.chown(place, 4711, 4711)
    place.chmod(0o600)
    os.seteuid(NOBODY.pw_uid)
    done = Copy(agent_of_nobody, {"a": b"text"}, f"{agent_of_nobody}/").work().run()
    assert (owner_of(place)[0], mode_of(place)) == (NOBODY.pw_uid, 0o644)
    assert done.unchanged_files == 0


# --------------------------------------------------------------- root in a folder of a hostile user


@pytest.fixture
def hostile(folder: Path) -> Path:
    if os.geteuid():
        pytest.skip("only root can write in folders of others")
    place = folder / "home"
    place.mkdir()
    os.chown(place, NOBODY.pw_uid, NOBODY.pw_gid)
    return place


def test_nobody_else_can_read_a_file_before_it_is_whole(folder: Path, hostile: Path) -> None:
    copy = Copy(folder, {"a": b"secret" * 1000}, f"{hostile}/", mode=0o600)
    seen: list[os.stat_result] = []
    copy.source.before_read = lambda count: seen.extend(path.stat() for path in hostile.iterdir())
    copy.work().run()
    assert {(stat.S_IMODE(status.st_mode), status.st_uid) for status in seen} == {(0o600, 0)}


@pytest.mark.parametrize("by", ["a link", "another file", "another name"])
def test_a_partial_file_that_is_replaced_while_it_is_written(
    folder: Path, hostile: Path, by: str
) -> None:
    victim = folder / "victim"
    victim.write_bytes(b"v" * 3000)
    victim.chmod(0o600)
    copy = Copy(folder, {"a": b"x" * 3000, "b": b"y" * 3000}, f"{hostile}/", mode=0o644)

    def swap(count: int) -> None:
        if count == 4:
            (partial,) = hostile.glob("*.0.part")
            partial.unlink()
            if by == "a link":
                partial.symlink_to(victim)
            elif by == "another name":
                partial.hardlink_to(victim)
            else:
                partial.write_bytes(b"z" * 3000)

    copy.source.before_read = swap
    problem = refuse(copy)
    assert "Another program has replaced .tui-manager." in problem or "symbolic links" in problem
    assert (victim.read_bytes(), mode_of(victim), owner_of(victim)) == (b"v" * 3000, 0o600, (0, 0))
    assert list(hostile.iterdir()) == []


def test_a_file_that_stands_where_the_partial_file_will(folder: Path, hostile: Path) -> None:
    victim = folder / "victim"
    victim.write_bytes(b"v" * 3000)
    copy = Copy(folder, {"a": b"x" * 500_000}, f"{hostile}/")
    name = hostile / f".tui-manager.{copy.execution_id}.0.part"
    for plant in (name.symlink_to, name.hardlink_to):
        plant(victim)
        copy.work().run()
        (hostile / "a").unlink()
    name.write_bytes(b"x" * 1000)
    os.chown(name, NOBODY.pw_uid, -1)
    copy.source.piece = 100_000
    copy.work().run()
    assert copy.source.asked_bytes == 0 or copy.source.asked == [(0, 500_000)]
    assert owner_of(hostile / "a") == (0, 0)
    assert victim.read_bytes() == b"v" * 3000


@pytest.mark.parametrize("after", ["mkdir", "stat"])
def test_a_folder_that_takes_the_place_of_a_new_one(
    folder: Path, hostile: Path, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one of root that stands in the home of the user, who can rename it."""
    victim = hostile / "victim"
    victim.mkdir()
    victim.chmod(0o700)
    copy = Copy(folder, {"d": None, "d/a": b"x"}, f"{hostile}/", owner="nobody")
    call = getattr(os, after)

    def swap(*arguments: Any, **options: Any) -> Any:
        result = call(*arguments, **options)
        if arguments[0] == b"d" and (hostile / "d").is_dir() and victim.is_dir():
            (hostile / "d").rename(hostile / "moved")
            victim.rename(hostile / "d")
        return result

    with monkeypatch.context() as calls:
        calls.setattr(os, after, swap)
        work = copy.work()
        with contextlib.suppress(TransferError):
            work.run()
    assert (owner_of(hostile / "d"), mode_of(hostile / "d")) == ((0, 0), 0o700)


def test_the_content_of_a_pipe_is_not_waited_for(folder: Path, hostile: Path) -> None:
    """A file becomes a pipe between the look at it and the opening of it."""
    copy = Copy(folder, {"a": b"text", "b": b"text"}, f"{hostile}/", mode=0o600)
    (hostile / "a").write_bytes(b"text")
    (hostile / "b").write_bytes(b"new!")

    def swap(count: int) -> None:
        (hostile / "a").unlink()
        os.mkfifo(hostile / "a")

    copy.source.before_read = swap
    assert "a is a named pipe" in refuse(copy)


def test_a_file_that_changes_after_it_was_compared(folder: Path, hostile: Path) -> None:
    copy = Copy(folder, {"a": b"text", "b": b"text2"}, f"{hostile}/", mode=0o600)
    (hostile / "a").write_bytes(b"text")

    def swap(count: int) -> None:
        (hostile / "a").unlink()
        (hostile / "a").write_bytes(b"evil")

    copy.source.before_read = swap
    assert "Another program has changed" in refuse(copy)


def test_a_descriptor_stays_open_for_few_files(folder: Path) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system does not list open files")
    tree: dict[str, bytes | None] = {}
    for number in range(40):
        tree |= {f"d{number}": None, f"d{number}/a": b"x", f"d{number}/b": b"y%d" % number}
    copy = Copy(folder, tree, f"{folder}/x/")
    counts = []
    copy.source.before_read = lambda count: counts.append(len(os.listdir("/proc/self/fd")))
    copy.work().run()
    before = len(os.listdir("/proc/self/fd"))
    assert max(counts) - before < 16
    shutil.rmtree(folder / "x")
