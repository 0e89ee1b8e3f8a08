"""`copy`: which task starts, what the manager stores, what is printed, and the exit statuses."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.transfers import HOSTS, Capture, Manager
from tui_manager.cli.main import main
from tui_manager.domain.errors import StorageError
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.task_spec.task_spec import Offline, StepKind
from tui_manager.operator.local_files import upload


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
    assert manager.operator.calls.count("preview_target") == 1


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


@pytest.mark.usefixtures("manager_goes_away")
def test_a_copy_waits_for_a_manager_that_goes_away(source: str, capsys: Capture) -> None:
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
        "tui-manager: task 1: 3 hosts: 1 copied, 2 failed: web[02-03] transfer failed "
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


def test_task_files_is_for_fetches(manager: Manager, source: str, capsys: Capture) -> None:
    main(["copy", "@all", source, "/etc/"])
    assert main(["task", "files", "1", "x"]) == 2
    assert "Task 1 fetches no files." in capsys.readouterr().err
