"""What a fetch finds on a host: which files, which not, and what it says of them."""

import hashlib
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tui_manager_agent.files.fetch import find_files
from tui_manager_agent.files.fetch.open_to_read import OpenedFile
from tui_manager_agent.files.transfer_work import StoppedError, TransferError
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_protos.rules.files.file_manifest import EntryKind

from tests.agent.files.pulling_manager import Host, PullingManager, Rules

NAMES = [b"a b", b"\xff\xfe", b"line\nbreak", "ü".encode(), b"-x", b"*", b"x" * 255]


def name(path: Path) -> bytes:
    """As the manifest has it."""
    return os.fsencode(path)[1:]


def test_one_file(host: Host, tree: Path) -> None:
    file = tree / "a"
    file.write_bytes(b"hello")
    file.chmod(0o640)
    manager, done = host.run(file, recursive=False)
    (entry,) = manager.entries
    sha256 = hashlib.sha256(b"hello").digest()
    assert (entry.path, entry.mode, entry.size, entry.sha256) == (name(file), 0o640, 5, sha256)
    assert manager.contents == {name(file): b"hello"}
    assert (done.bytes, done.files, done.sha256, done.detail) == (5, 1, sha256, "")
    assert done.manifest_sha256 == manager.offers[0].sha256


def test_a_tree_with_all_kinds_of_names(host: Host, tree: Path) -> None:
    deep = tree / "one" / "two"
    deep.mkdir(parents=True)
    (tree / "empty").mkdir(mode=0o700)
    for odd in NAMES:
        Path(os.fsdecode(os.fsencode(deep) + b"/" + odd)).write_bytes(odd)
    (tree / "nothing").touch()
    manager, done = host.run(tree)
    deep_names = [name(deep) + b"/" + odd for odd in sorted(NAMES)]
    folders = [name(path) for path in (tree, tree / "empty", tree / "one", deep)]
    assert manager.contents == {
        **dict.fromkeys(folders),
        name(tree / "nothing"): b"",
        **dict(zip(deep_names, sorted(NAMES), strict=True)),
    }
    assert [entry.path for entry in manager.entries if entry.path in deep_names] == deep_names
    assert done.files == len(NAMES) + 1
    assert done.sha256 == done.manifest_sha256
    modes = {entry.path: entry.mode for entry in manager.entries}
    assert modes[name(tree / "empty")] == 0o700


def test_the_same_tree_is_the_same_set(host: Host, tree: Path) -> None:
    for number in (3, 1, 2):
        (tree / str(number)).write_bytes(b"x" * number)
    first, second = host.run(tree)[1], host.run(tree)[1]
    assert first == second


def test_equal_files_are_sent_once(host: Host, tree: Path) -> None:
    for letter in "abc":
        (tree / letter).write_bytes(b"same" if letter != "b" else b"other")
    manager, done = host.run(tree)
    assert manager.data == b"sameother"
    assert manager.contents[name(tree / "c")] == b"same"
    assert (done.bytes, done.files) == (13, 3)


def test_paths_that_overlap_give_each_file_once(host: Host, tree: Path) -> None:
    (tree / "sub").mkdir()
    (tree / "sub" / "x").write_bytes(b"x")
    (tree / "y").write_bytes(b"y")
    paths = (tree / "sub" / "x", tree / "y", f"{tree}//./sub/", tree, f"{tree}/", tree / "y")
    manager, done = host.run(*paths)
    found = [entry.path for entry in manager.entries]
    assert found == [name(tree / path) for path in ("", "sub", "sub/x", "y")]
    assert done.files == 2


def test_links_to_files_are_followed_and_links_to_folders_are_not(host: Host, tree: Path) -> None:
    outside = tree.parent / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"data")
    (tree / "file").symlink_to(outside / "file")
    (tree / "folder").symlink_to(outside)
    (tree / "loop").symlink_to(tree)
    (tree / "circle").symlink_to("circle")
    (tree / "nowhere").symlink_to("absent")
    manager, done = host.run(tree)
    assert manager.contents == {name(tree): None, name(tree / "file"): b"data"}
    assert done.detail == "left out: 2 links that lead nowhere, 2 links to folders"


def test_a_path_that_is_given_may_be_a_link(host: Host, tree: Path) -> None:
    (tree / "real").mkdir()
    (tree / "real" / "x").write_bytes(b"x")
    (tree / "link").symlink_to("real")
    manager, done = host.run(tree / "link", tree)
    assert manager.contents[name(tree / "link" / "x")] == b"x"
    assert manager.contents[name(tree / "real" / "x")] == b"x"
    assert done.detail == ""


def test_what_is_no_file_is_left_out_of_a_tree(host: Host, tree: Path) -> None:
    os.mkfifo(tree / "fifo")
    (tree / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{os.path.relpath(tree)}/socket")
        (tree / "x").write_bytes(b"x")
        manager, done = host.run(tree)
    assert manager.contents == {name(tree): None, name(tree / "x"): b"x"}
    assert done.detail == "left out: 1 device, 1 fifo, 1 socket"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "No such file or directory"),
        (os.mkfifo, "it is a fifo. Only files and folders are fetched"),
        (
            lambda path: path.symlink_to("/dev/null"),
            "it is a device. Only files and folders are fetched",
        ),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (Path.mkdir, "it is a folder. Fetch it with --recursive"),
    ],
)
def test_what_cannot_be_fetched_is_named(
    host: Host, tree: Path, make: Callable[[Path], object], words: str
) -> None:
    path = tree / "x"
    make(path)
    with pytest.raises(TransferError) as raised:
        host.run(path, recursive=False)
    assert str(raised.value) == f"{path} cannot be fetched: {words}. Nothing was fetched."


@pytest.mark.parametrize("path", ["etc/hosts", "/etc/../hosts", "", "/a\0b"])
def test_a_path_that_is_none_is_refused(host: Host, path: str) -> None:
    with pytest.raises(TransferError, match="must begin with / and have no"):
        host.run(path)


def test_the_first_problems_are_named_and_nothing_is_fetched(host: Host, tree: Path) -> None:
    manager = PullingManager()
    (tree / "0").write_bytes(b"fine")
    (tree / "9").write_bytes(b"not looked at any more")
    paths = [tree / str(number) for number in range(10)]
    host.rules = rules = Rules()
    with pytest.raises(TransferError) as raised:
        host.run(*paths, manager=manager)
    named = [
        f"{tree}/{number} cannot be fetched: No such file or directory" for number in (1, 2, 3)
    ]
    assert str(raised.value) == "; ".join(named) + "; and there are more. Nothing was fetched."
    assert not manager.offers
    assert rules.asked == [os.fsencode(path) for path in paths[:5]]


def test_a_file_that_may_not_be_read_is_named(
    host: Host, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the system's answer is put in its place."""
    for letter in "abc":
        (tree / letter).write_bytes(letter.encode())
    open_as_root = os.open

    def denied(path: bytes, *args: int, **given: int) -> int:
        if path == os.fsencode(tree / "b"):
            raise PermissionError(13, "Permission denied")
        return open_as_root(path, *args, **given)

    monkeypatch.setattr(os, "open", denied)
    monkeypatch.setattr(find_files, "_own_name", lambda: "ana")
    with pytest.raises(TransferError) as raised:
        host.run(tree)
    assert str(raised.value) == (
        f"{tree}/b cannot be fetched: Permission denied. Nothing was fetched. "
        "The agent runs as ana."
    )


def test_what_vanishes_while_the_tree_is_walked_is_not_missed(
    host: Host, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "a").write_bytes(b"a")
    (tree / "gone").write_bytes(b"x")
    (tree / "folder").mkdir()
    (tree / "z").write_bytes(b"z")
    read = OpenedFile.read

    def read_and_remove(file: OpenedFile, offset: int, length: int) -> bytes | int:
        for path, remove in ((tree / "gone", Path.unlink), (tree / "folder", Path.rmdir)):
            if path.exists():
                remove(path)
        return read(file, offset, length)

    monkeypatch.setattr(OpenedFile, "read", read_and_remove)
    manager, _ = host.run(tree)
    assert manager.contents == {name(tree): None, name(tree / "a"): b"a", name(tree / "z"): b"z"}


def test_a_deep_tree_needs_no_depth_of_calls_or_descriptors(host: Host, tree: Path) -> None:
    depth = sys.getrecursionlimit() + 50
    here = os.fspath(tree)
    for _ in range(depth):
        here += "/d"
        os.mkdir(here)
    Path(here, "x").write_bytes(b"x")
    manager, done = host.run(tree)
    assert done.files == 1
    assert manager.entries[-1].path == os.fsencode(here)[1:] + b"/x"
    subprocess.run(["rm", "-r", tree], check=True)  # pytest takes minutes for it


def test_files_without_a_size_are_read(host: Host) -> None:
    """As /proc has them. They change, so what was hashed is what is sent."""
    manager, done = host.run("/proc/uptime", "/proc/self/status")
    assert done.files == 2
    assert b"VmRSS" in (manager.contents[b"proc/self/status"] or b"")
    assert len((manager.contents[b"proc/uptime"] or b"").split()) == 2
    assert len(manager.offers) == 1


def test_files_without_a_size_are_bounded(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_files, "_KEPT_LIMIT", 100)
    with pytest.raises(TransferError, match="/proc/self/status cannot be fetched: it has no size"):
        host.run("/proc/self/status")


def test_the_holes_of_a_sparse_file_are_not_sent(host: Host, tree: Path) -> None:
    path, size = tree / "sparse", 1 << 27
    with path.open("wb") as file:
        file.truncate(size)
        for offset in (0, 40 << 20, size - 1):
            file.seek(offset)
            file.write(b"x")
    if path.stat().st_blocks * 512 > 1 << 20:
        pytest.skip("this file system has no sparse files")
    manager, done = host.run(path, manager=PullingManager(request_length=4 << 20))
    assert done.bytes == manager.received == size
    assert manager.received - manager.zeros <= 3 << 20


def test_the_agents_own_state_is_never_read(host: Host, tmp_path: Path) -> None:
    (host.state / "key").write_bytes(b"secret")
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "hard").hardlink_to(host.state / "key")
    (tmp_path / "soft").symlink_to(host.state / "key")
    manager, done = host.run(tmp_path)
    found = [entry.path for entry in manager.entries]
    assert found == [name(tmp_path), name(tmp_path / "x")]
    assert done.detail == "left out: the state folder of the agent"
    for path in ("state", "state/key", "soft", "hard", "state/executions"):
        with pytest.raises(TransferError, match="it belongs to the state folder of the agent"):
            host.run(tmp_path / path)


# -------------------------------------------------------------------------------------- the policy


def test_the_policy_judges_where_links_lead(host: Host, tree: Path) -> None:
    (tree / "allowed").mkdir()
    (tree / "allowed" / "x").write_bytes(b"x")
    (tree / "secret").write_bytes(b"secret")
    (tree / "in").symlink_to(tree / "allowed" / "x")
    host.use_policy(f'reason = "Ask Ana."\n[files]\nread = ["{tree}/allowed/*"]\n')
    assert host.run(tree / "in")[0].data == b"x"
    assert host.run(tree / "allowed")[0].data == b"x"
    (tree / "allowed" / "link").symlink_to(tree / "secret")
    for path in (tree / "allowed", tree / "allowed" / "link", tree / "secret", tree):
        with pytest.raises(RefusedError) as raised:
            host.run(path)
        assert raised.value.reason == "rejected"
        assert "refused by this host's policy (files)" in str(raised.value)
        where = tree if path == tree else tree / "secret"
        assert f"): {where}" in str(raised.value)
    for path in (tree / "allowed", tree / "allowed" / "link"):
        with pytest.raises(RefusedError, match=rf"Ask Ana\. {tree}/allowed/link leads there\."):
            host.run(path)


def test_a_policy_does_not_tell_what_is_where_nothing_may_be_read(host: Host, tree: Path) -> None:
    for folder in (tree / "open", tree / "closed"):
        folder.mkdir()
        os.mkfifo(folder / "fifo")
        (folder / "circle").symlink_to(folder / "circle")
        (folder / "folder").mkdir()
    host.use_policy(f'[files]\nread = ["{tree}/open/*"]\n')
    for path in ("fifo", "absent", "circle", "folder"):
        with pytest.raises(TransferError):
            host.run(tree / "open" / path, recursive=False)
        with pytest.raises(RefusedError, match=f"{tree}/closed/{path}"):
            host.run(tree / "closed" / path, recursive=False)


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("by_link", [False, True])
def test_all_that_may_not_be_read_is_refused_with_the_same_words(
    host: Host, tree: Path, recursive: bool, by_link: bool
) -> None:
    closed, way = tree / "closed", tree / "open" / "way" if by_link else tree / "closed"
    closed.mkdir()
    (tree / "open").mkdir()
    (tree / "open" / "way").symlink_to(closed)
    (closed / "file").write_bytes(b"secret")
    (closed / "folder").mkdir()
    (closed / "link").symlink_to("file")
    (closed / "elsewhere").symlink_to("/etc/hosts")
    (closed / "circle").symlink_to("circle")
    os.mkfifo(closed / "fifo")
    host.use_policy(f'[files]\nread = ["{tree}/open/*"]\n')
    said = set()
    for path in ("file", "absent", "folder", "link", "elsewhere", "circle", "fifo"):
        with pytest.raises(RefusedError) as refused:
            host.run(way / path, recursive=recursive)
        said.add(str(refused.value).replace(f"/{path}", "/X"))
    hint = f'["{closed}/X", "{closed}/X/"]' if recursive else f'["{closed}/X"]'
    more = f". {way}/X leads there." if by_link else ""
    assert said == {
        f"refused by this host's policy (files): {closed}/X may not be read. "
        f"To allow it: [files] read = {hint}{more}"
    }


def test_a_path_whose_links_lead_to_what_may_be_read_is_allowed(host: Host, tree: Path) -> None:
    (tree / "run").mkdir()
    (tree / "run" / "x").write_bytes(b"x")
    (tree / "var").symlink_to("run")
    host.use_policy(f'[files]\nread = ["{tree}/run/*"]\n')
    assert host.run(tree / "var" / "x")[0].data == b"x"
    host.use_policy(f'[files]\nread = ["{tree}/var/*"]\n')
    with pytest.raises(RefusedError, match=rf"{tree}/run/x may not .*{tree}/var/x leads there\."):
        host.run(tree / "var" / "x")


def test_a_folder_must_be_allowed_itself(host: Host, tree: Path) -> None:
    (tree / "a.log").write_bytes(b"a")
    host.use_policy(f'[files]\nread = ["{tree}/*.log"]\n')
    assert host.run(tree / "a.log")[1].files == 1
    with pytest.raises(RefusedError, match=rf'{tree} may not be read.*"{tree}", "{tree}/"\]'):
        host.run(tree)


def test_a_policy_that_changes_holds_at_once(host: Host, tree: Path) -> None:
    (tree / "x").write_bytes(b"x")
    host.use_policy(f'[files]\nread = ["{tree}/"]\n')
    manager = PullingManager()
    manager.on_data = lambda: host.policy.write_text('[files]\nread = ["/other"]\n')
    problems: list[list[str]] = []
    manager.on_request = lambda: problems.append(list(manager.problems))
    with pytest.raises(RefusedError):
        host.run(tree, manager=manager)
    assert "refused by this host's policy" in manager.problems[0]
    assert not any(problems)  # it does not ask for more


# ---------------------------------------------------------------------------------------- stopping


def test_it_stops_within_a_piece(host: Host, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "large").write_bytes(bytes(range(256)) * 8192)  # 2 MiB
    read, count = OpenedFile.read, 0

    def read_and_stop(file: OpenedFile, offset: int, length: int) -> bytes | int:
        nonlocal count
        count += 1
        host.stop.set()
        return read(file, offset, length)

    monkeypatch.setattr(OpenedFile, "read", read_and_stop)
    with pytest.raises(StoppedError):
        host.run(tree)
    assert count == 1


def test_it_stops_between_folders(host: Host, tree: Path) -> None:
    for letter in "abc":
        (tree / letter).mkdir()
    rules = Rules()
    rules.on_ask = host.stop.set
    host.rules = rules
    with pytest.raises(StoppedError):
        host.run(tree)
    assert rules.asked == [os.fsencode(tree) + b"/"]


def test_it_stops_in_a_hole(host: Host, tree: Path) -> None:
    with (tree / "sparse").open("wb") as file:
        file.truncate(1 << 42)
    work = host.fetch(tree, manager=PullingManager())
    ended = threading.Event()

    def run() -> None:
        with pytest.raises(StoppedError):
            work.run()
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    host.stop.set()
    assert ended.wait(60)
    thread.join()


def test_a_folder_keeps_its_mode_and_its_kind(host: Host, tree: Path) -> None:
    tree.chmod(0o2750)
    manager, _ = host.run(tree)
    assert [(entry.kind, entry.mode) for entry in manager.entries] == [(EntryKind.FOLDER, 0o2750)]
    assert stat.S_IMODE(tree.stat().st_mode) == 0o2750
