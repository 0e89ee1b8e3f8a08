"""`fetch` and `task files`: what is saved and printed, and the exit statuses."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.transfers import HOSTS, Capture, Manager, fetched, logs, send_logs
from tests.operator.test_download_fetched_files import host_with
from tui_manager.cli.main import main
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.copy_and_fetch import Transfer


@pytest.fixture
def manager(connect_to: Connect) -> Manager:
    return Manager(connect_to)


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


@pytest.mark.usefixtures("manager_goes_away")
def test_a_fetch_whose_manager_stops_says_how_to_get_the_files(
    tmp_path: Path, capsys: Capture
) -> None:
    assert main(["fetch", "@all", "/var/log/app", str(tmp_path)]) == 3
    assert capsys.readouterr().err == (
        "tui-manager: The manager has stopped. Copies and fetches of task 1 wait for it, and go on "
        "where they are; commands that run go on without it. Later, `tui-manager task files 1 DIR` "
        "saves what was fetched.\n"
    )


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
