"""Destinations where a copy writes nothing, or not what was meant, and what it says then."""

import errno
import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from tui_manager_agent.files.copy import partial_file
from tui_manager_agent.files.transfer_work import StoppedError, TransferError
from tui_manager_agent.policy.policy import RefusedError

from tests.agent.faults import full
from tests.agent.files.copying import Copy, read_tree

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
FEW = {"a": b"text"}
APP = {"app": None, "app/a": b"1", "app/b": b"2"}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def refuse(copy: Copy) -> str:
    """Why it fails; then nothing of it is left."""
    work = copy.work()
    with pytest.raises(TransferError) as refused:
        work.run()
    work.discard()
    return str(refused.value)


# ------------------------------------------------------------------------------------------ links


@pytest.mark.parametrize("leads_to", ["victim", "missing", "a"])
def test_a_link_as_the_last_part_is_refused(tmp_path: Path, target: Path, leads_to: str) -> None:
    victim = target / "victim"
    victim.write_bytes(b"stays")
    (target / "a").symlink_to(target / leads_to)
    for to in (f"{target}/a", f"{target}/"):
        if leads_to != "a" or to.endswith("/"):
            assert "a is a symbolic link, which a copy never replaces" in refuse(
                Copy(tmp_path, FEW, to)
            )
    assert sorted(os.listdir(target)) == ["a", "victim"]
    assert victim.read_bytes() == b"stays"


def test_the_path_of_the_destination_may_hold_links(tmp_path: Path, target: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    (target / "up").symlink_to("..")
    copy = Copy(tmp_path, FEW, f"{tmp_path}/link/up/link/")
    copy.work().run()
    assert (target / "a").read_bytes() == b"text"
    assert [path for path, *_ in copy.rules.asked] == [os.fsencode(target / "a")] * 2
    Copy(tmp_path, {"b": b"text"}, f"{tmp_path}/link").work().run()
    assert (target / "b").read_bytes() == b"text"


def test_a_link_to_nothing_is_no_folder_to_make(tmp_path: Path, target: Path) -> None:
    (target / "app").symlink_to(target / "missing")
    for to in (f"{target}/app/", f"{target}/app/x/"):
        problem = refuse(Copy(tmp_path, FEW, to))
        assert "app is a symbolic link, where a folder must be" in problem
    assert os.listdir(target) == ["app"]


def test_a_link_below_the_destination_is_refused(tmp_path: Path, target: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (target / "app").symlink_to(outside)
    assert "app is a symbolic link, where a folder must be" in refuse(
        Copy(tmp_path, APP, f"{target}/")
    )
    assert list(outside.iterdir()) == []


def test_a_link_that_comes_while_it_writes_leads_nowhere(tmp_path: Path, target: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    copy = Copy(tmp_path, APP, f"{target}/")

    def swap(count: int) -> None:
        if count == 1:
            (target / "app").rename(target / "moved")
            (target / "app").symlink_to(outside)

    copy.source.before_read = swap
    assert "app is a symbolic link" in refuse(copy)
    assert list(outside.iterdir()) == []


def test_a_folder_that_is_replaced_while_it_writes_is_noticed(tmp_path: Path, target: Path) -> None:
    copy = Copy(tmp_path, APP, f"{target}/")

    def swap(count: int) -> None:
        if count == 1:
            (target / "app").rename(target / "moved")
            (target / "app").mkdir()

    copy.source.before_read = swap
    assert "app was replaced while the copy wrote into it" in refuse(copy)


def test_a_link_above_the_destination_that_comes_while_it_writes(
    tmp_path: Path, target: Path
) -> None:
    """Its path was made real and judged before."""
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (target / "sub").mkdir()
    copy = Copy(tmp_path, FEW, f"{target}/sub/")

    def swap(path: bytes) -> None:
        if not (tmp_path / "moved").exists():
            target.rename(tmp_path / "moved")
            target.symlink_to(outside)

    copy.rules.forbids = swap
    assert "target is a symbolic link" in refuse(copy)
    assert list((outside / "sub").iterdir()) == []


# --------------------------------------------------------------------------------- other obstacles


def test_a_pipe_or_a_socket_is_not_replaced(tmp_path: Path, target: Path) -> None:
    os.mkfifo(target / "a")
    assert "a is a named pipe, which a copy never replaces. Choose another" in refuse(
        Copy(tmp_path, FEW, f"{target}/a")
    )
    (target / "a").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(target / "a"))
        assert "a is a socket" in refuse(Copy(tmp_path, FEW, f"{target}/"))


@as_root
def test_a_device_is_not_replaced(tmp_path: Path, target: Path) -> None:
    os.mknod(target / "a", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    assert "a is a device" in refuse(Copy(tmp_path, FEW, f"{target}/a"))


def test_a_folder_and_a_file_do_not_take_each_others_place(tmp_path: Path, target: Path) -> None:
    (target / "a").mkdir()
    assert "a is a folder, which a copy never replaces" in refuse(Copy(tmp_path, FEW, f"{target}/"))
    (target / "app").write_bytes(b"stays")
    assert "app is a file, where a folder must be" in refuse(Copy(tmp_path, APP, f"{target}/"))
    assert "app/ cannot be written: Not a directory." in refuse(
        Copy(tmp_path, FEW, f"{target}/app/")
    )
    several = {"a": b"1", "b": b"2"}
    assert "app is no folder, and several files need one" in refuse(
        Copy(tmp_path, several, f"{target}/app")
    )
    assert (target / "app").read_bytes() == b"stays"


def test_several_files_do_not_make_a_folder_without_a_slash(tmp_path: Path, target: Path) -> None:
    copy = Copy(tmp_path, {"a": b"1", "b": b"2"}, f"{target}/typo")
    assert "typo does not exist, and several files need a folder." in refuse(copy)
    assert read_tree(target) == {}
    assert copy.source.asked == []


def test_obstacles_are_found_before_anything_is_written(tmp_path: Path, target: Path) -> None:
    (target / "z").mkdir()
    tree = {**{f"f{number}": b"x" for number in range(100)}, "z": b"text"}
    copy = Copy(tmp_path, tree, f"{target}/")
    refuse(copy)
    assert read_tree(target) == {"z": None}
    assert copy.source.asked == []


def test_a_missing_parent_is_an_error(tmp_path: Path, target: Path) -> None:
    problem = refuse(Copy(tmp_path, FEW, f"{target}/x/y"))
    assert f"{target}/x cannot be written: No such file or directory." in problem
    assert "end the destination with / so that it is made" in problem
    assert read_tree(target) == {}


@pytest.mark.parametrize("to", ["a", "", "~/a", "./a/"])
def test_a_relative_destination_is_an_error(tmp_path: Path, to: str) -> None:
    assert "does not begin with /" in refuse(Copy(tmp_path, FEW, to))


def test_a_running_program_is_replaced(tmp_path: Path, target: Path) -> None:
    program = target / "sleep"
    shutil.copy("/bin/sleep", program)
    content = program.read_bytes()
    with subprocess.Popen([program, "1000"]) as running:
        copy = Copy(tmp_path, {"sleep": content[:-1] + b"x"}, f"{target}/", mode=0o755)
        copy.source.piece = 1 << 20
        copy.work().run()
        assert running.poll() is None
        running.kill()
    assert program.read_bytes() == content[:-1] + b"x"


def test_two_copies_at_once_leave_one_whole_file(tmp_path: Path, target: Path) -> None:
    trees = [{"app": None, "app/a": byte * 5000, "app/b": b"same"} for byte in (b"1", b"2")]
    first, second = (Copy(tmp_path, tree, f"{target}/", backup=True) for tree in trees)
    results = []

    def run_second(count: int) -> None:
        if count == 3:
            results.append(second.work().run())

    first.source.before_read = run_second
    results.append(first.work().run())
    assert [done.files for done in results] == [2, 2]
    backups = list(target.glob("app/*.backup-*"))
    assert sorted(path.name[0] for path in backups) == ["a", "b"]
    assert (target / "app" / "a").read_bytes() == b"1" * 5000
    assert sorted(os.listdir(target / "app")) == sorted(["a", "b", *(p.name for p in backups)])


# ------------------------------------------------------------------------------ the agent's own


def test_the_state_folder_is_never_written(tmp_path: Path, target: Path) -> None:
    Copy(tmp_path, FEW, f"{target}/")
    state = tmp_path / "state"
    before = len(list(state.rglob("*")))
    (tmp_path / "link").symlink_to(state)
    for to in (f"{state}/", f"{state}/executions/new", f"{tmp_path}/link/x/", f"{tmp_path}/link/x"):
        copy = Copy(tmp_path, FEW, to)
        before += 2  # its folder and manifest
        assert "belongs to the agent itself" in refuse(copy)
    tree = {"state": None, "state/executions": None, "state/executions/a": b"x"}
    assert "belongs to the agent itself" in refuse(Copy(tmp_path, tree, f"{tmp_path}/"))
    assert len(list(state.rglob("*"))) == before + 2


def test_another_name_of_a_state_file_keeps_its_mode(tmp_path: Path, target: Path) -> None:
    copy = Copy(tmp_path, FEW, f"{target}/")
    secret = tmp_path / "state" / "key"
    secret.write_bytes(b"text")
    secret.chmod(0o600)
    (target / "a").hardlink_to(secret)
    assert "belongs to the agent itself" in refuse(copy)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("name", ["policy.toml", "POLICY.toml"])
def test_the_policy_is_never_written(tmp_path: Path, exists: bool, name: str) -> None:
    if exists:
        (tmp_path / "policy.toml").write_bytes(b"old")
    for to in (f"{tmp_path}/", f"{tmp_path}/{name}"):
        assert "belongs to the agent itself" in refuse(Copy(tmp_path, {name: b"new"}, to))
    assert (tmp_path / "policy.toml").exists() == exists


def test_no_policy_can_allow_to_write_itself(tmp_path: Path) -> None:
    """So no refusal says how."""
    copy = Copy(tmp_path, {"policy.toml": b"new"}, f"{tmp_path}/")

    def forbid(path: bytes) -> None:
        raise RefusedError("rejected", "To allow it: …")

    copy.rules.forbids = forbid
    assert "belongs to the agent itself" in refuse(copy)


def test_what_the_policy_links_to_is_never_written(tmp_path: Path, target: Path) -> None:
    real = target / "real.toml"
    real.write_bytes(b"old")
    (tmp_path / "policy.toml").symlink_to("target/real.toml")
    assert "belongs to the agent itself" in refuse(
        Copy(tmp_path, {"real.toml": b"x"}, f"{target}/")
    )
    real.unlink()
    assert "belongs to the agent itself" in refuse(
        Copy(tmp_path, {"real.toml": b"x"}, f"{target}/")
    )


# -------------------------------------------------------------------------------- the owner's word


def test_the_policy_judges_everything_before_anything_is_written(
    tmp_path: Path, target: Path
) -> None:
    (target / "old").mkdir()
    tree = {"old": None, "old/a": b"1", "new": None, "new/b": b"2"}
    copy = Copy(tmp_path, tree, f"{target}/x/../", modes={"old/a": 0o4600})

    def forbid(path: bytes) -> None:
        if path.endswith(b"/b"):
            raise RefusedError("rejected", "not b")

    copy.rules.forbids = forbid
    with pytest.raises(TransferError):  # there is no x
        copy.work().run()
    copy = Copy(tmp_path, tree, f"{target}/", modes={"old/a": 0o4600})
    copy.rules.forbids = forbid
    work = copy.work()
    with pytest.raises(RefusedError):
        work.run()
    work.discard()
    assert read_tree(target) == {"old": None}
    assert copy.source.asked == []
    base = os.fsencode(target)
    assert copy.rules.asked == [
        (base + b"/old/a", False, 0o600),
        (base + b"/new", True, 0o755),
        (base + b"/new/b", False, 0o644),
    ]


def test_folders_that_only_the_destination_names_are_judged(tmp_path: Path, target: Path) -> None:
    copy = Copy(tmp_path, FEW, f"{target}/x/y/")
    copy.work().run()
    base = os.fsencode(target)
    assert copy.rules.asked[:2] == [(base + b"/x", True, 0o755), (base + b"/x/y", True, 0o755)]


def test_the_name_of_a_backup_is_judged(tmp_path: Path, target: Path) -> None:
    (target / "a").write_bytes(b"old")
    copy = Copy(tmp_path, {"a": b"new", "b": b"new"}, f"{target}/", backup=True)
    copy.work().run()
    judged = {path for path, *_ in copy.rules.asked}
    assert judged == {os.fsencode(path) for path in (*target.iterdir(),)}
    assert len(judged) == 3


def test_what_the_policy_forbids_meanwhile_gets_no_name(tmp_path: Path, target: Path) -> None:
    copy = Copy(tmp_path, FEW, f"{target}/")

    def forbid(path: bytes) -> None:
        raise RefusedError("rejected", "no more")

    copy.source.before_read = lambda count: setattr(copy.rules, "forbids", forbid)
    work = copy.work()
    with pytest.raises(RefusedError):
        work.run()
    work.discard()
    assert read_tree(target) == {}


# ----------------------------------------------------------------------------------- disks and stop


def test_a_full_disk(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (target / "a").write_bytes(b"old")
    monkeypatch.setattr(partial_file, "write_at", full)
    problem = refuse(Copy(tmp_path, FEW, f"{target}/"))
    assert problem == (
        f"{target}/a cannot be written: No space left on device. "
        "Make room on this file system, then run it again."
    )
    assert read_tree(target) == {"a": b"old"}


def test_a_disk_that_cannot_write_one_of_many_files(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = {f"f{number:02}": b"x%d" % number for number in range(50)}
    copy = Copy(tmp_path, tree, f"{target}/")
    work, sync = copy.work(), os.fsync

    def sync_or_fail(descriptor: int) -> None:
        if os.pread(descriptor, 10, 0) == b"x37":
            raise OSError(errno.EIO, "Input/output error")
        sync(descriptor)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", sync_or_fail)
        with pytest.raises(TransferError, match="f37 cannot be written: Input/output error"):
            work.run()
    assert [path for path in read_tree(target) if ".part" not in path] == []
    copy.work().run()
    assert read_tree(target) == tree


def test_a_disk_without_room_is_not_filled(tmp_path: Path, target: Path) -> None:
    copy = Copy(tmp_path, FEW, f"{target}/")
    (copy.folder / "manifest").write_bytes(
        (copy.folder / "manifest").read_bytes().replace((4).to_bytes(8), (1 << 60).to_bytes(8))
    )
    assert f"The files need {1 << 60:,} bytes in {target}" in refuse(copy)
    assert copy.source.asked == []


def test_a_stop_leaves_what_is_there_for_later(tmp_path: Path, target: Path) -> None:
    content = bytes(range(1, 251)) * 4000
    copy = Copy(tmp_path, {"large": content}, f"{target}/")
    copy.source.before_read = lambda count: copy.stop.set() if count == 500 else None
    with pytest.raises(StoppedError):
        copy.work().run()
    (partial,) = target.iterdir()
    assert partial.stat().st_size > 500_000
    work = copy.work()
    with pytest.raises(StoppedError):  # while it compares or hashes, too
        work.run()
    work.discard()
    assert list(target.iterdir()) == []
