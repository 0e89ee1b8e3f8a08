"""Files to real hosts and back: the same bytes, the right counts, and nothing sent twice."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.file_trees import (
    KIB,
    OF_HOST,
    noise,
    odd_tree,
    partial_files,
    read_tree,
    write_tree,
)
from tests.support.programs.processes import Done, Machine
from tui_manager.operator.local_files.safe_names import safe_name

HOSTS = ("h1", "h2")
CONTENT = noise("one file", 300 * KIB)


def ends(done: Done, code: int = 0) -> list[dict[str, Any]]:
    """What `--json` says of each host, after this exit status."""
    assert done.code == code, done.out.decode() + done.err
    found: list[dict[str, Any]] = json.loads(done.out)["hosts"]
    return found


def files_of(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """These fields of each host, after its name and status."""
    return [(row["host"], row["status"], *(row[name] for name in names)) for row in rows]


@pytest.fixture
def source(busy: Machine, tmp_path: Path) -> Path:
    """A folder of the operator."""
    return tmp_path / "source"


def test_a_file_is_on_all_hosts_and_the_second_time_nothing_is_sent(
    busy: Machine, source: Path
) -> None:
    write_tree(source, {b"app.conf": CONTENT})
    (source / "app.conf").chmod(0o640)
    copy = ("copy", "@all", str(source / "app.conf"), f"{OF_HOST}/first/", "--json")
    digest = hashlib.sha256(CONTENT).hexdigest()
    for unchanged in (False, True):
        rows = files_of(ends(busy.run(*copy)), "bytes", "sha256", "unchanged", "files")
        expected = (len(CONTENT), digest, unchanged, 1)
        assert rows == [(host, "completed", *expected) for host in HOSTS]
        for host in HOSTS:
            path = busy.disk_of(host) / "first/app.conf"
            assert path.read_bytes() == CONTENT
            assert path.stat().st_mode & 0o7777 == 0o640


def test_a_tree_with_odd_names_is_the_same_on_the_hosts(busy: Machine, source: Path) -> None:
    tree = odd_tree()
    write_tree(source, tree)
    copy = ("copy", "@all", str(source), f"{OF_HOST}/trees/", "--recursive", "--json")
    files = sum(content is not None for content in tree.values())
    size = sum(len(content) for content in tree.values() if content)
    for unchanged in (0, files):
        rows = files_of(ends(busy.run(*copy)), "files", "bytes", "unchanged_files", "unchanged")
        expected = (files, size, unchanged, unchanged == files)
        assert rows == [(host, "completed", *expected) for host in HOSTS]
    zeros = source / "zeros"
    zeros.write_bytes(b"not any more")
    rows = files_of(ends(busy.run(*copy)), "unchanged_files", "unchanged")
    assert rows == [(host, "completed", files - 1, False) for host in HOSTS]
    for host in HOSTS:
        assert read_tree(busy.disk_of(host) / "trees/source") == read_tree(source)
        assert partial_files(busy.disk_of(host)) == []


def test_zeros_take_no_room_on_the_hosts(busy: Machine, source: Path) -> None:
    source.mkdir()
    with (source / "sparse").open("wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"in the middle")
    rows = ends(busy.run("copy", "h1", str(source / "sparse"), f"{OF_HOST}/s/", "--json"))
    assert files_of(rows, "bytes") == [("h1", "completed", 64 << 20)]
    path = busy.disk_of("h1") / "s/sparse"
    assert path.read_bytes() == (source / "sparse").read_bytes()
    assert path.stat().st_blocks * 512 < 4 << 20


def test_a_tree_of_hosts_is_the_same_here(busy: Machine, tmp_path: Path) -> None:
    tree = odd_tree()
    for host in HOSTS:
        write_tree(busy.disk_of(host) / "out", {**tree, b"name": host.encode()})
    to = tmp_path / "fetched"
    fetch = ("fetch", "@all", f"{OF_HOST}/out", str(to), "--recursive", "--json")
    for _ in range(2):  # the second time all is here already
        rows = files_of(ends(busy.run(*fetch)), "files")
        files = 1 + sum(content is not None for content in tree.values())
        assert rows == [(host, "completed", files) for host in HOSTS]
        for host in HOSTS:
            _check_fetched(to / host / OF_HOST[1:] / "out", {**tree, b"name": host.encode()})
    assert {path.name for path in to.iterdir()} == set(HOSTS)


def _check_fetched(folder: Path, tree: dict[bytes, bytes | None]) -> None:
    found = read_tree(folder)
    safe = {
        b"/".join(os.fsencode(safe_name(part)) for part in name.split(b"/")): content
        for name, content in tree.items()
    }
    assert found == safe


def test_what_was_fetched_before_is_saved_later(busy: Machine, tmp_path: Path) -> None:
    for host in HOSTS:
        write_tree(busy.disk_of(host) / "log", {b"syslog": host.encode() * 100})
    done = busy.run("fetch", "@all", f"{OF_HOST}/log/syslog", "unused", "--detach")
    assert done.code == 0, done
    task_id = max(task["task_id"] for task in busy.tasks())
    busy.wait_for_task(task_id, "completed")
    assert not (Path.cwd() / "unused").exists()
    saved = busy.run("task", "files", str(task_id), str(tmp_path), "--host", "h2")
    assert saved.code == 0, saved
    assert read_tree(tmp_path) == {b"h2/proc/self/cwd/log/syslog": b"h2" * 100}


def test_a_file_that_is_missing_on_one_host_fails_there_alone(
    busy: Machine, tmp_path: Path
) -> None:
    write_tree(busy.disk_of("h1") / "only", {b"here": b"on h1"})
    done = busy.run("fetch", "@all", f"{OF_HOST}/only/here", str(tmp_path), "--json")
    found = {row["host"]: row for row in ends(done, 1)}
    assert found["h1"]["status"] == "completed"
    assert (found["h2"]["status"], found["h2"]["reason"]) == ("failed", "transfer_failed")
    assert "only/here" in found["h2"]["detail"]
    assert read_tree(tmp_path) == {b"h1/proc/self/cwd/only/here": b"on h1"}


def test_what_may_never_be_replaced_stays(busy: Machine, source: Path) -> None:
    """Links, things that are no files, and the agent's own state."""
    write_tree(source, {b"x": b"new"})
    disk = busy.disk_of("h1")
    write_tree(disk, {b"aim": b"old"})
    (disk / "link").symlink_to("aim")
    os.mkfifo(disk / "fifo")
    write_tree(disk / "full", {b"x/in it": b"old"})
    state = busy.folder / "agents" / "h1"
    before = read_tree(disk / "full")
    for to in ("link", "fifo", "full"):
        done = busy.run("copy", "h1", str(source / "x"), f"{OF_HOST}/{to}", "--json")
        (row,) = ends(done, 1)
        assert (row["status"], row["reason"]) == ("failed", "transfer_failed"), (to, row)
        assert to in row["detail"]
    (row,) = ends(busy.run("copy", "h1", str(source / "x"), f"{state}/", "--json"), 1)
    assert row["status"] == "failed"
    assert not (state / "x").exists()
    assert (disk / "aim").read_bytes() == b"old"
    assert read_tree(disk / "full") == before
    assert partial_files(disk) == []


def test_an_old_file_stays_beside_the_new_one(busy: Machine, source: Path) -> None:
    disk = busy.disk_of("h1") / "with backup"
    write_tree(disk, {b"app.conf": b"old"})
    write_tree(source, {b"app.conf": b"new"})
    words = ("--backup", "--mode", "0600", "--json")
    ends(busy.run("copy", "h1", str(source / "app.conf"), f"{OF_HOST}/with backup", *words))
    found = read_tree(disk)
    assert found.pop(b"app.conf") == b"new"
    assert (disk / "app.conf").stat().st_mode & 0o7777 == 0o600
    ((name, content),) = found.items()
    assert name.startswith(b"app.conf.backup-2")
    assert content == b"old"


def test_files_are_steps_like_others(busy: Machine, source: Path) -> None:
    """A command uses what was copied, and what it writes is fetched; only if the copy completes."""
    write_tree(source, {b"words": b"b\na\n"})
    task_file = source / "sort.toml"
    task_file.write_text(
        f"""
name = "sort"
[[steps]]
copy = "{source}/words"
to = "{busy.folder}/shared/"
[[steps]]
run = 'sort "$IN" > "$IN.sorted"'
env = {{ IN = "{busy.folder}/shared/words" }}
[[steps]]
fetch = "{busy.folder}/shared/words.sorted"
to = "{source}/back"
"""
    )
    (busy.folder / "shared").mkdir(exist_ok=True)
    rows = ends(busy.run("run", "--file", str(task_file), "--target", "h1", "--json"))
    assert [row["status"] for row in rows] == ["completed"] * 3
    (content,) = read_tree(source / "back").values()
    assert content == b"a\nb\n"


def test_a_source_that_is_missing_makes_no_task(busy: Machine, source: Path) -> None:
    before = busy.tasks()
    done = busy.run("copy", "@all", str(source / "none"), "/tmp/")
    assert (done.code, done.out) == (2, b"")
    assert "none" in done.err
    assert busy.tasks() == before
