"""`copy`, `fetch` and `task files`: which task starts, what the manager stores, what is printed and
saved, and the exit statuses."""

import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.script import scripted
from tests.operator.test_save_fetched import Host, host_with
from tests.support.fake_operator import EVERYTHING
from tui_manager.cli.main import main
from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import StorageError, UnreachableError
from tui_manager.domain.files import FileSet, Transfer
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec import CommandSpec, Offline, StepKind, TaskSpec
from tui_manager.operator.local_files import upload

Capture = pytest.CaptureFixture[str]
Script = Callable[[FakeOperator], Awaitable[None]]
HOSTS = ("web01", "web02", "web03")


class Manager:
    """The manager of a command, whose hosts act by a script."""

    def __init__(self, connect_to: Connect) -> None:
        self._connect_to = connect_to
        self.made: list[FakeOperator] = []
        self.prepare: Callable[[FakeOperator], None] = lambda _operator: None
        self.acts(complete)

    def acts(self, script: Script) -> None:
        """What happens once a task has started."""
        shared = scripted(self.made, script, *HOSTS)
        self._connect_to(lambda: shared)

    @property
    def operator(self) -> FakeOperator:
        return self.made[-1]

    @property
    def spec(self) -> TaskSpec:
        return self.operator.tasks[1].spec

    @property
    def step(self) -> CommandSpec:
        return self.spec.commands[0]


async def complete(operator: FakeOperator) -> None:
    """All have what is copied; web02 had it before."""
    (step,) = operator.tasks[1].spec.commands
    files = step.copy.files if step.copy else None
    for host in HOSTS:
        number = files.files if files else 1
        same = number if host == "web02" else 0
        size = files.bytes if files else 5
        operator.end_on(host, transfer=Transfer(size, number, same, 5, "ab" * 32))


@pytest.fixture
def manager(connect_to: Connect) -> Manager:
    return Manager(connect_to)


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "app.conf"
    path.write_bytes(b"conf\n")
    path.chmod(0o640)
    return str(path)


def test_a_copy_gives_the_files_to_the_manager_and_starts_a_task(
    manager: Manager, source: str, capsys: Capture
) -> None:
    assert main(["copy", "@all", source, "/etc/app/"]) == 0
    assert manager.step.kind is StepKind.COPY
    assert manager.step.copy is not None
    files = manager.step.copy.files
    assert (files.files, files.bytes) == (1, 5)
    assert manager.operator.sets[files.sha256][1] == b"conf\n"
    assert manager.step.copy.sources == ("app.conf",)
    assert (manager.step.copy.to, manager.step.copy.mode) == ("/etc/app/", None)
    captured = capsys.readouterr()
    assert sorted(captured.out.splitlines()) == [
        "web01: copied 1 file, 5 B",
        "web02: unchanged: 1 file, 5 B",
        "web03: copied 1 file, 5 B",
    ]
    assert captured.err == "tui-manager: 3 hosts: 2 copied, 1 unchanged\n"


def test_a_copy_that_sends_no_byte_says_what_it_changed(
    manager: Manager, source: str, capsys: Capture
) -> None:
    async def change_modes(operator: FakeOperator) -> None:
        for host in HOSTS:
            operator.end_on(host, transfer=Transfer(5, 1, 0, 0, "ab" * 32))

    manager.acts(change_modes)
    assert main(["copy", "@all", source, "/etc/app/"]) == 0
    assert "web01: changed only mode or owner: 1 file, 5 B\n" in capsys.readouterr().out


def test_a_folder_that_may_come_to_two_places_is_named(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a").write_bytes(b"conf\n")
    copy = ["copy", "@all", "--recursive", f"{tmp_path}/site"]
    assert main([*copy, "/srv/www", "--no-start"]) == 0
    assert "site becomes /srv/www on hosts where that is missing" in capsys.readouterr().err
    assert main([*copy, "/srv/www/", "--no-start"]) == 0
    assert capsys.readouterr().err == ""


def test_a_copy_waits_for_a_manager_that_goes_away(
    connect_to: Connect, source: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks_off(self: FakeOperator) -> AsyncIterator[Changes]:
        yield EVERYTHING
        raise UnreachableError("The manager has ended.")

    monkeypatch.setattr(FakeOperator, "watch", breaks_off)
    connect_to(lambda: FakeOperator("web01"))
    assert main(["copy", "@all", source, "/etc/app/"]) == 3
    assert capsys.readouterr().err == (
        "tui-manager: The manager has stopped. Copies and fetches of task 1 wait for it, and go on "
        "where they are; commands that run go on without it.\n"
    )


def test_the_options_of_a_copy_stand_anywhere(manager: Manager, source: str) -> None:
    words = (
        f"copy web01,web02 {source} --mode 600 --owner root:www --backup /etc/app.conf --name conf "
        "--timeout 9s --offline wait --delivery-timeout 2h --batches 1,rest --max-failures 0 "
        "--no-start"
    )
    assert main(words.split()) == 0
    copy = manager.step.copy
    assert copy is not None
    assert (copy.to, copy.mode, copy.owner, copy.backup) == (
        "/etc/app.conf", 0o600, "root:www", True,
    )  # fmt: skip
    assert (manager.spec.target, manager.spec.name) == ("web01,web02", "conf")
    assert manager.step.timeout.total_seconds() == 9
    assert manager.spec.offline is Offline.WAIT
    assert manager.spec.rollout.batches == "1,rest"


def test_names_that_begin_with_a_dash_stand_after_two(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-x").write_bytes(b"1")
    Path("y").write_bytes(b"2")
    assert main(["copy", "--no-start", "web01", "y", "--", "-x", "/tmp/"]) == 0
    assert manager.step.copy is not None
    assert manager.step.copy.sources == ("y", "-x")
    assert main(["copy", "--no-start", "web01", "-x", "/tmp/"]) == 2


def test_a_file_may_have_a_name_that_is_not_utf8(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff"
    with open(raw, "wb") as file:
        file.write(b"1")
    assert main(["copy", "--no-start", "web01", os.fsdecode(raw), "/tmp/"]) == 0
    assert manager.step.copy is not None
    assert manager.step.copy.sources == ("\ufffd",)
    assert main(["copy", "--no-start", "web01", os.fsdecode(raw), "/tmp/\udcff"]) == 2
    assert "is not valid UTF-8" in capsys.readouterr().err


def test_what_is_left_out_is_named(manager: Manager, tmp_path: Path, capsys: Capture) -> None:
    top = tmp_path / "tree"
    top.mkdir()
    (top / "file").write_bytes(b"1")
    os.mkfifo(top / "pipe")
    assert main(["copy", "--recursive", "web01", str(top), "/srv/", "--detach"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "1\n"
    assert captured.err == f"tui-manager: {top}/pipe is left out: it is no regular file\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("copy", "the following arguments are required: TARGET FILE… DEST"),
        ("copy web01", "FILE or DEST is missing: copy TARGET FILE… DEST"),
        ("copy web01 SOURCE", "FILE or DEST is missing"),
        ("fetch web01 /x", "PATH or DIR is missing: fetch TARGET PATH… DIR"),
        ("copy web01 SOURCE etc", "'etc' does not begin with '/': a path on a host is absolute"),
        ("copy web01 SOURCE /a/../b", "'/a/../b' has '..' in it"),
        ("copy web01 - /etc/x", "- is no file, and a copy takes none from stdin"),
        ("copy web01 /nowhere/x /etc/", "/nowhere/x: No such file or directory."),
        ("copy web01 FOLDER /etc/", "is a folder; --recursive copies what is in it."),
        ("copy web01 SOURCE SOURCE /etc/", "would have the same name on a host"),
        ("copy web01 SOURCE /x --mode 9", "--mode 9: expected permission bits in octal"),
        ("copy web01 SOURCE /x --owner=", "--owner: the name is empty; leave the option out"),
        ("copy web01 SOURCE /x --owner a:b:c", "'a:b:c' is not an owner: USER or USER:GROUP"),
        ("copy web01 SOURCE /x --user root", "unrecognized arguments: --user"),
        ("copy web01 SOURCE /x --plan --detach", "--plan starts nothing; leave --detach out."),
        ("copy web09 SOURCE /x", "web09"),
        ("copy web01 SOURCE /x --delay 5m", "--delay needs --batches."),
        ("fetch web01 x DIR", "'x' does not begin with '/'"),
        ("fetch web01 /x DIR --mode 644", "unrecognized arguments: --mode"),
    ],
)
def test_wrong_usage_starts_nothing(
    words: str, expected: str, manager: Manager, source: str, tmp_path: Path, capsys: Capture
) -> None:
    given = words.replace("SOURCE", source).replace("FOLDER", str(tmp_path))
    assert main(given.replace("DIR", str(tmp_path / "dir")).split()) == 2
    assert expected in capsys.readouterr().err
    assert not manager.operator.tasks
    assert not (tmp_path / "dir").exists()


def test_a_plan_reads_the_files_and_stores_none(
    manager: Manager, source: str, capsys: Capture
) -> None:
    assert main(["copy", "--plan", "@all", source, "/etc/", "--mode", "0644"]) == 0
    out = capsys.readouterr().out
    assert "The copy would run on 3 hosts" in out
    assert "copy app.conf to /etc/ (1 file, 5 bytes, mode 0644)\n" in out
    assert main(["copy", "--plan", "--json", "@all", source, "/etc/"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == [{"name": "", "kind": "copy"}]
    assert not manager.operator.tasks
    assert not manager.operator.sets


def test_a_plan_says_what_is_fetched_and_where_it_goes(manager: Manager, capsys: Capture) -> None:
    assert main(["fetch", "--plan", "@all", "/var/log/app", "--recursive", "logs"]) == 0
    assert "fetch /var/log/app (recursive) into logs\n" in capsys.readouterr().out


def test_a_manager_lost_while_it_gets_the_files_is_exit_status_3(
    manager: Manager, source: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload.upload, "__kwdefaults__", {"patience": 0})
    manager.operator.lost_at = 1
    assert main(["copy", "@all", source, "/etc/"]) == 3
    assert "No task was made. The manager has 5 of 5 bytes" in capsys.readouterr().err
    assert not manager.operator.tasks
    assert main(["copy", "@all", source, "/etc/"]) == 0


def test_a_manager_without_room_starts_nothing(
    manager: Manager, source: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def store_files(*_arguments: object) -> None:
        raise StorageError("The files of all copies and fetches have 20 GiB; no more fit.")

    monkeypatch.setattr(FakeOperator, "store_files", store_files)
    assert main(["copy", "@all", source, "/etc/"]) == 1
    assert "no more fit" in capsys.readouterr().err
    assert not manager.operator.tasks


def test_the_summary_names_what_failed(manager: Manager, source: str, capsys: Capture) -> None:
    async def act(operator: FakeOperator) -> None:
        operator.end_on("web01", transfer=Transfer(5, 1, 0, 5, "ab" * 32))
        failed = CommandHostStatus.FAILED, Reason.TRANSFER_FAILED
        for host in HOSTS[1:]:
            operator.end_on(host, *failed, detail="/etc/app: No space left on device.")

    manager.acts(act)
    assert main(["copy", "@all", source, "/etc/"]) == 1
    assert capsys.readouterr().err == (
        "tui-manager: 3 hosts: 1 copied, 2 failed: web[02-03] transfer failed "
        "(/etc/app: No space left on device.)\n"
    )


def test_the_json_of_a_copy(manager: Manager, source: str, capsys: Capture) -> None:
    async def act(operator: FakeOperator) -> None:
        operator.end_on("web01", transfer=Transfer(10, 2, 2, 0, "ab" * 32))
        operator.end_on("web02", transfer=Transfer(10, 2, 1, 5, "ab" * 32))
        operator.end_on("web03", CommandHostStatus.FAILED, Reason.REJECTED)

    manager.acts(act)
    assert main(["copy", "--json", "@all", source, "/etc/"]) == 1
    shown = json.loads(capsys.readouterr().out)["hosts"]
    keys = ("host", "bytes", "sha256", "unchanged", "files", "unchanged_files")
    assert [[one[key] for key in keys] for one in shown] == [
        ["web01", 10, "ab" * 32, True, 2, 2],
        ["web02", 10, "ab" * 32, False, 2, 1],
        ["web03", 0, None, False, 0, 0],
    ]
    assert main(["task", "show", "--json", "1"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["hosts"][0]["unchanged_files"] == 2
    assert shown["steps"][0]["kind"] == "copy"


def test_gathered_copies_are_grouped_by_what_they_did(
    manager: Manager, source: str, capsys: Capture
) -> None:
    assert main(["copy", "--gather", "@all", source, "/etc/"]) == 0
    rule = "-" * 15
    assert capsys.readouterr().out == (
        f"{rule}\nweb[01,03] (2)\n{rule}\ncopied 1 file, 5 B\n"
        f"{rule}\nweb02 (1)\n{rule}\nunchanged: 1 file, 5 B\n"
    )


def test_show_says_what_is_copied(manager: Manager, source: str, capsys: Capture) -> None:
    assert main(["copy", "@all", source, "/etc/", "--mode", "640", "--owner", "root"]) == 0
    capsys.readouterr()
    assert main(["task", "show", "1"]) == 0
    shown = capsys.readouterr().out
    assert "copy app.conf to /etc/ (1 file, 5 bytes, mode 0640, owner root)" in shown


# Fetching.


def fetched(operator: FakeOperator, host: str, sent: Host, detail: str = "") -> None:
    """`host` has sent these files."""
    files: FileSet = sent.files
    operator.sets |= sent.manager.sets
    transfer = Transfer(files.bytes, files.files, 0, files.size, files.sha256, files)
    operator.end_on(host, transfer=transfer, detail=detail)


def logs(text: bytes) -> Host:
    host = Host()
    host.file(b"var/log/app", text)
    return host


async def send_logs(operator: FakeOperator) -> None:
    for host in HOSTS:
        fetched(operator, host, logs(host.encode()))


def test_a_fetch_saves_what_each_host_has_sent(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    manager.acts(send_logs)
    folder = tmp_path / "logs"
    assert main(["fetch", "@all", "/var/log/app", str(folder), "--recursive"]) == 0
    assert manager.step.fetch is not None
    assert manager.step.fetch.paths == ("/var/log/app",)
    assert manager.step.fetch.recursive
    assert manager.step.fetch.to == str(folder)
    for host in HOSTS:
        assert (folder / host / "var/log/app").read_text() == host
    captured = capsys.readouterr()
    assert sorted(captured.out.splitlines()) == [f"{host}: fetched 1 file, 5 B" for host in HOSTS]
    assert captured.err == "tui-manager: 3 hosts: 3 fetched\n"


def test_a_second_fetch_says_what_was_there(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    manager.acts(send_logs)
    (tmp_path / "web02/var/log").mkdir(parents=True)
    (tmp_path / "web02/var/log/app").write_text("web02")
    assert main(["fetch", "--json", "@all", "/var/log/app", str(tmp_path)]) == 0
    shown = json.loads(capsys.readouterr().out)["hosts"]
    assert [(one["host"], one["unchanged"], one["unchanged_files"]) for one in shown] == [
        ("web01", False, 0),
        ("web02", True, 1),
        ("web03", False, 0),
    ]
    assert (tmp_path / "web01/var/log/app").read_text() == "web01"


def test_the_json_of_a_fetch_says_which_files_have_other_names_here(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    async def act(operator: FakeOperator) -> None:
        fetched(operator, "web01", host_with({b"var/a\n\xff": b"1", b"var/b": b"2"}))
        for host in HOSTS[1:]:
            fetched(operator, host, logs(b"x"))

    manager.acts(act)
    assert main(["fetch", "--json", "@all", "/var", str(tmp_path)]) == 0
    shown = json.loads(capsys.readouterr().out)["hosts"]
    new_names = [{"path": "/var/a\n\\xff", "here": "var/a%0A%FF"}]
    assert [one["renamed"] for one in shown] == [new_names, [], []]
    assert (tmp_path / "web01/var/a%0A%FF").read_bytes() == b"1"


def test_a_relative_folder_is_stored_as_an_absolute_one(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.acts(send_logs)
    monkeypatch.chdir(tmp_path)
    assert main(["fetch", "@all", "/var/log/app", "logs"]) == 0
    assert manager.step.fetch is not None
    assert manager.step.fetch.to == str(tmp_path / "logs")
    assert (tmp_path / "logs/web01/var/log/app").exists()


@pytest.mark.parametrize("mode", ["--detach", "--no-start"])
def test_a_fetch_that_nobody_waits_for_leaves_the_files_with_the_manager(
    mode: str, manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["fetch", mode, "@all", "/var/log/app", str(tmp_path / "logs")]) == 0
    captured = capsys.readouterr()
    assert captured.out == "1\n"
    assert f"nothing comes into {tmp_path}/logs by itself" in captured.err
    assert not (tmp_path / "logs").exists()


def test_a_folder_that_cannot_be_made_starts_nothing(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "file").touch()
    for folder, expected in (
        (tmp_path / "none/logs", "cannot be made: No such file or directory."),
        (tmp_path / "file", "is no folder, so that no files can be saved in it."),
    ):
        assert main(["fetch", "@all", "/x", str(folder)]) == 4
        assert expected in capsys.readouterr().err
    assert not manager.operator.tasks


def test_a_full_disk_is_exit_status_4_and_says_how_to_go_on(
    manager: Manager, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.acts(send_logs)

    def write(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    assert main(["fetch", "@all", "/var/log/app", str(tmp_path)]) == 4
    error = capsys.readouterr().err
    assert "/var/log/app cannot be written: No space left on device." in error
    assert "`tui-manager task files 1 DIR` saves them" in error


def test_a_file_in_the_way_is_exit_status_4_and_the_others_are_saved(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    manager.acts(send_logs)
    (tmp_path / "web02/var/log/app").mkdir(parents=True)
    assert main(["fetch", "@all", "/var/log/app", str(tmp_path)]) == 4
    captured = capsys.readouterr()
    assert "/var/log/app is not in" in captured.err
    assert "a folder named app is in its place here" in captured.err
    assert "web02: fetched 1 file, 5 B, 1 not saved" in captured.out
    assert (tmp_path / "web03/var/log/app").read_text() == "web03"


def test_what_a_host_has_left_out_is_said(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    async def act(operator: FakeOperator) -> None:
        fetched(operator, "web01", logs(b"1"), "2 special files were left out")
        for host in HOSTS[1:]:
            operator.end_on(host, CommandHostStatus.FAILED, Reason.TRANSFER_FAILED)

    manager.acts(act)
    assert main(["fetch", "@all", "/var/log/app", str(tmp_path)]) == 1
    assert "fetched 1 file, 1 B (2 special files were left out)" in capsys.readouterr().out


def test_task_files_takes_them_later(manager: Manager, tmp_path: Path, capsys: Capture) -> None:
    async def act(operator: FakeOperator) -> None:
        for host in HOSTS[:2]:
            fetched(operator, host, logs(host.encode()))
        operator.end_on("web03", CommandHostStatus.FAILED, Reason.REJECTED)

    manager.acts(act)
    main(["fetch", "--detach", "@all", "/var/log/app", str(tmp_path)])
    assert main(["task", "follow", "1"]) == 1
    assert "the files are with the manager; `tui-manager task files 1 DIR`" in (
        capsys.readouterr().err
    )
    taken = tmp_path / "taken"
    assert main(["task", "files", "1", str(taken), "--host", "web02"]) == 0
    assert os.listdir(taken) == ["web02"]
    assert capsys.readouterr().out == "web02: fetched 1 file, 5 B\n"
    assert main(["task", "files", "1", str(taken)]) == 1
    captured = capsys.readouterr()
    assert captured.out == "web01: fetched 1 file, 5 B\nweb02: unchanged: 1 file, 5 B\n"
    assert captured.err == "tui-manager: web03 has sent no files: failed, rejected\n"
    assert main(["task", "files", "1", str(taken), "--host", "web9"]) == 2
    assert "Task 1 has no host 'web9'." in capsys.readouterr().err


async def lose_one(operator: FakeOperator) -> None:
    """web01 has sent its files, and the manager has removed them meanwhile."""
    first = logs(b"web01!")
    fetched(operator, "web01", first)
    for host in HOSTS[1:]:
        fetched(operator, host, logs(host.encode()))
    del operator.sets[first.files.sha256]


def test_files_that_are_gone_do_not_keep_the_others_from_being_saved(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    manager.acts(lose_one)
    for command in (["fetch", "@all", "/var/log/app"], ["task", "files", "1"]):
        folder = tmp_path / command[0]
        assert main([*command, str(folder)]) == 4
        assert sorted(os.listdir(folder)) == ["web02", "web03"]
        captured = capsys.readouterr()
        assert "web01: fetched 1 file, 6 B, 1 not saved\n" in captured.out
        assert "tui-manager: web01: The files are gone.\n" in captured.err


def test_a_set_that_cannot_be_read_to_its_end_does_not_either(
    manager: Manager, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(operator: FakeOperator) -> None:
        sent = host_with({b"a": b"1", b"b": bytes(2 << 20), b"c": b"3"})
        fetched(operator, "web01", sent)
        manifest, data = operator.sets[sent.files.sha256]
        operator.sets[sent.files.sha256] = manifest, data[:5]
        for host in HOSTS[1:]:
            fetched(operator, host, logs(host.encode()))

    manager.acts(act)
    assert main(["fetch", "@all", "/var/log", str(tmp_path)]) == 4
    captured = capsys.readouterr()
    assert "web01: fetched 3 files, 2.1 MB, 2 not saved\n" in captured.out
    assert "tui-manager: web01: The file set" in captured.err
    assert os.listdir(tmp_path / "web01") == ["a"]
    assert (tmp_path / "web03/var/log/app").exists()


def test_a_fetch_of_which_the_manager_has_no_set_is_said(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    async def act(operator: FakeOperator) -> None:
        operator.end_on("web01", transfer=Transfer(5, 0, 0, 5, "ab" * 32))
        for host in HOSTS[1:]:
            fetched(operator, host, logs(host.encode()))

    manager.acts(act)
    assert main(["fetch", "@all", "/var/log/app", str(tmp_path)]) == 4
    assert "web01: The manager does not have the files" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["web02", "web03"]


def test_task_files_is_for_fetches(manager: Manager, source: str, capsys: Capture) -> None:
    main(["copy", "@all", source, "/etc/"])
    assert main(["task", "files", "1", "x"]) == 2
    assert "Task 1 fetches no files." in capsys.readouterr().err


# Task files.


def task_file(tmp_path: Path, text: str) -> str:
    folder = tmp_path / "tasks"
    folder.mkdir(exist_ok=True)
    (folder / "app.conf").write_text("conf")
    path = folder / "task.toml"
    path.write_text(f'target = "@all"\n{text}')
    return str(path)


STEPS = """
[[steps]]
copy = "app.conf"
to = "/etc/"
mode = "0600"
[[steps]]
run = "true"
[[steps]]
fetch = "/var/log/app"
to = "logs"
"""


async def act_on_steps(operator: FakeOperator) -> None:
    for host in HOSTS:
        for command in range(3):
            execution_id = operator.execution(1, host, command)
            if command == 2:
                sent = logs(host.encode())
                files = sent.files
                operator.sets |= sent.manager.sets
                transfer = Transfer(5, 1, 0, 5, "ab" * 32, files)
            else:
                transfer = Transfer(4, 1, 0, 4, "ab" * 32)
            operator.end_transfer(execution_id, transfer)


def test_a_task_file_copies_and_fetches(manager: Manager, tmp_path: Path, capsys: Capture) -> None:
    manager.acts(act_on_steps)
    assert main(["run", "--file", task_file(tmp_path, STEPS)]) == 0
    copy, run, fetch = manager.spec.commands
    assert copy.copy is not None
    assert copy.copy.mode == 0o600
    assert manager.operator.sets[copy.copy.files.sha256][1] == b"conf"
    assert run.kind is StepKind.RUN
    assert fetch.fetch is not None
    assert fetch.fetch.to == str(tmp_path / "tasks/logs")
    assert (tmp_path / "tasks/logs/web03/var/log/app").read_text() == "web03"
    captured = capsys.readouterr()
    assert "web01: copied 1 file, 4 B\n" in captured.out
    assert "web01: fetched 1 file, 5 B\n" in captured.out
    assert captured.err == "tui-manager: 9 completed\n"


def test_a_missing_file_of_a_task_file_is_named_with_its_line(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    path = task_file(tmp_path, STEPS.replace("app.conf", "none"))
    assert main(["run", "--file", path]) == 2
    expected = f"line 4: steps[0].copy: {tmp_path}/tasks/none: No such file or directory."
    assert expected in capsys.readouterr().err


def test_a_saved_template_says_what_is_stored(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    path = task_file(tmp_path, STEPS)
    assert main(["template", "save", "conf", path]) == 0
    ((digest, (_, data)),) = manager.operator.sets.items()
    assert data == b"conf"
    capsys.readouterr()
    assert main(["template", "export", "conf"]) == 0
    text = capsys.readouterr().out
    assert f'sha256 = "{digest}"' in text
    assert 'copy = "app.conf"' in text
    assert 'to = "logs"' in text
    (tmp_path / "tasks/app.conf").unlink()
    assert main(["template", "show", "conf"]) == 0
    assert "copy app.conf to /etc/ (1 file, 4 bytes, mode 0600)" in capsys.readouterr().out
    assert main(["template", "run", "conf", "--no-start"]) == 0
    assert manager.step.copy is not None
    assert manager.step.copy.files.sha256 == digest


def test_a_schedule_stores_the_files_of_its_task(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    path = task_file(tmp_path, STEPS)
    add = ["schedule", "add", "nightly", "--file", path, "--cron", "@daily", "--zone", "UTC"]
    assert main(add) == 0
    assert [data for _, data in manager.operator.sets.values()] == [b"conf"]
    (tmp_path / "tasks/app.conf").write_text("new")
    assert main(["schedule", "edit", "nightly", "--file", path]) == 0
    assert sorted(data for _, data in manager.operator.sets.values()) == [b"conf", b"new"]


def test_a_rerun_of_a_fetch_saves_into_the_same_folder(
    connect_to: Connect, tmp_path: Path, capsys: Capture
) -> None:
    class Again(FakeOperator):
        async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
            left_out = await super().start_task(task_id, request_id)
            for row in list(self.tasks[task_id].rows.values()):
                sent = logs(b"again")
                files = sent.files
                self.sets |= sent.manager.sets
                transfer = Transfer(5, 1, 0, 5, files.sha256, files)
                self.end_on(row.host, transfer=transfer, task_id=task_id)
            return left_out

    operator = Again(*HOSTS)
    connect_to(lambda: operator)
    assert main(["fetch", "@all", "/var/log/app", str(tmp_path / "logs")]) == 0
    (tmp_path / "logs/web01/var/log/app").unlink()
    assert main(["task", "rerun", "1", "--all"]) == 0
    assert (tmp_path / "logs/web01/var/log/app").read_text() == "again"
    assert "3 hosts: 1 fetched, 2 unchanged" in capsys.readouterr().err


def test_run_without_copies_loads_nothing_of_them() -> None:
    import subprocess

    code = (
        "import sys; import tui_manager.cli.commands.run; "
        "print([m for m in sys.modules if 'local_files' in m or 'watch_transfers' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
