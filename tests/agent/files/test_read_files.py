"""The work of a fetch while files change, and over restarts of its agent."""

import os
from pathlib import Path

import pytest
from tui_manager_agent.files.fetch import found_files
from tui_manager_agent.files.transfer_work import Request, StoppedError, TransferError

from tests.agent.files.pulling_manager import Host, PullingManager


def test_a_file_that_grows_ends_where_it_ended(host: Host, tree: Path) -> None:
    log = tree / "log"
    log.write_bytes(b"first\n")
    manager = PullingManager()

    def grow() -> None:
        with log.open("ab") as file:
            file.write(b"second\n")

    manager.on_data = grow
    assert host.run(log, manager=manager)[1].bytes == 6
    assert manager.data == b"first\n"
    assert len(manager.offers) == 1


@pytest.mark.parametrize("change", ["shrink", "rewrite", "replace", "rotate"])
def test_a_file_that_changes_is_read_again(host: Host, tree: Path, change: str) -> None:
    log = tree / "log"
    log.write_bytes(b"old contents")
    (tree / "other").write_bytes(b"other")
    manager = PullingManager()

    def change_it() -> None:
        if change == "shrink":
            os.truncate(log, 3)
        elif change == "rewrite":
            log.write_bytes(b"new contents")
        else:
            log.rename(tree.parent / "log.1")
            if change == "replace":
                log.write_bytes(b"new")

    manager.on_data = change_it
    manager, done = host.run(tree, manager=manager)
    assert len(manager.offers) == 2
    left = {"shrink": b"old", "rewrite": b"new contents", "replace": b"new"}.get(change)
    contents = {path: data for path, data in manager.contents.items() if data is not None}
    expected = {os.fsencode(tree / "other")[1:]: b"other"}
    if left is not None:
        expected[os.fsencode(log)[1:]] = left
    assert contents == expected
    assert done.manifest_sha256 == manager.offers[-1].sha256


def test_a_file_that_always_changes_is_given_up(host: Host, tree: Path) -> None:
    path = tree / "x"
    path.write_bytes(b"0")
    manager = PullingManager()

    def change() -> None:
        path.write_bytes(b"%d" % ((int(path.read_bytes()) + 1) % 10))
        manager.on_data = change

    manager.on_data = change
    with pytest.raises(TransferError) as raised:
        host.run(path, manager=manager)
    assert str(raised.value) == (
        f"{path} changed while it was read. It was read 3 times. "
        "Fetch it while nothing writes to it."
    )
    assert len(manager.offers) == 3


def test_a_file_that_is_gone_at_the_second_reading_is_named(host: Host, tree: Path) -> None:
    path = tree / "x"
    path.write_bytes(b"x")
    manager = PullingManager()
    manager.on_data = path.unlink
    with pytest.raises(TransferError, match="cannot be fetched: No such file or directory"):
        host.run(path, manager=manager)
    assert manager.problems == [f"{path} changed while it was read."]


def test_small_files_go_out_together(host: Host, tree: Path) -> None:
    for number in range(100):
        (tree / f"{number:03}").write_bytes(b"%03d" % number * 100)
    manager, done = host.run(tree)
    assert done.files == 100
    assert len(manager.pieces) == 1


def test_any_part_can_be_asked_for_again(host: Host, tree: Path) -> None:
    """As after a reconnect."""
    for number in range(10):
        (tree / str(number)).write_bytes(b"%d" % number * 1000)
    manager = PullingManager(request_length=1500)
    asked = 0

    def forget() -> None:
        nonlocal asked
        asked += 1
        if asked == 8:
            manager.pieces = manager.pieces[:1]
        if asked == 12:
            manager.pieces = []

    manager.on_request = forget
    host.run(tree, manager=manager)
    assert manager.data == b"".join(b"%d" % number * 1000 for number in range(10))
    assert len(manager.offers) == 1


def test_the_next_agent_goes_on_with_what_was_found(host: Host, tree: Path) -> None:
    (tree / "a").write_bytes(b"aaa")
    (tree / "b").write_bytes(b"bbb")
    os.mkfifo(tree / "fifo")
    manager = PullingManager()
    manager.on_data = host.stop.set
    with pytest.raises(StoppedError):
        host.run(tree, manager=manager)
    host.begin_agent()
    (tree / "c").write_bytes(b"a new file does not belong to the set")
    done = host.fetch(tree, manager=manager).run()
    assert [offer.files for offer in manager.offers] == [2, 2]
    assert manager.data == b"aaabbb"
    assert (done.bytes, done.detail) == (6, "left out: 1 fifo")


@pytest.mark.parametrize("damage", ["cut", "changed", "garbage", "gone", "unfinished"])
def test_what_is_not_whole_is_found_anew(host: Host, tree: Path, damage: str) -> None:
    (tree / "a").write_bytes(b"aaa")
    manager, _ = host.run(tree)
    manifest = host.execution / "manifest"
    data = manifest.read_bytes()
    if damage == "cut":
        manifest.write_bytes(data[:-1])
    elif damage == "changed":
        manifest.write_bytes(data[:-1] + b"b")
    elif damage == "garbage":
        manifest.write_bytes(b"\xff" * len(data))
    elif damage == "gone":
        manifest.unlink()
    else:
        (host.execution / "found").unlink()
    (tree / "b").write_bytes(b"b")
    assert host.fetch(tree, manager=manager).run().files == 2
    assert len(manager.offers) == 2


def test_kept_contents_are_found_anew_by_the_next_agent(host: Host) -> None:
    manager, _ = host.run("/proc/uptime")
    assert found_files.load_set(host.execution, host.stop.check) is None
    assert host.fetch("/proc/uptime", manager=manager).run().files == 1


def test_nothing_is_left_in_the_folder(host: Host, tree: Path) -> None:
    (tree / "a").write_bytes(b"a")
    work = host.fetch(tree, "/proc/uptime", manager=PullingManager())
    work.run()
    assert work.files == 2
    assert len(os.listdir(host.execution)) == 2  # manifest and contents
    work.discard()
    assert os.listdir(host.execution) == []
    work.discard()


def test_what_the_manager_cannot_store_is_not_tried_again(host: Host, tree: Path) -> None:
    (tree / "a").write_bytes(b"aaa")
    manager = PullingManager()
    manager.says_retry = False
    manager.first_request = Request(is_manifest=False, offset=2, length=2)
    with pytest.raises(TransferError, match=r"There are 3 bytes, and not 4\."):
        host.run(tree, manager=manager)
    assert len(manager.offers) == 1


def test_a_file_that_changed_is_read_again_whatever_the_manager_says(
    host: Host, tree: Path
) -> None:
    path = tree / "x"
    path.write_bytes(b"old")
    manager = PullingManager()
    manager.says_retry = False
    manager.on_data = lambda: os.truncate(path, 1)
    assert host.run(path, manager=manager)[1].bytes == 1


def test_a_request_beyond_the_end_is_refused(host: Host, tree: Path) -> None:
    (tree / "a").write_bytes(b"aaa")
    manager = PullingManager()
    manager.first_request = Request(is_manifest=False, offset=2, length=2)
    host.run(tree, manager=manager)
    assert manager.problems == ["There are 3 bytes, and not 4."]
    assert len(manager.offers) == 2
