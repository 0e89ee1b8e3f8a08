"""The screen of a task that copies or fetches files, and how fetched files are saved."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown, threads_done
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet, Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.forms.files.save_fetched_form import SaveFilesScreen
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen

SHA = "c" * 64


async def copying(fleet: FakeOperator) -> tuple[int, FileSet]:
    """A copy to the three databases."""
    files = fleet.store({"app.conf": b"x" * 600, "keys": b"y" * 400})
    copy = CopySpec(files, "/etc/app/", sources=("app.conf", "keys"))
    task_id = await fleet.create_task(TaskSpec("db[1-3]", (CommandSpec("", copy=copy),)))
    await fleet.start_task(task_id)
    return task_id, files


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
async def test_the_screen_of_a_copy(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    task_id, _ = await copying(fleet)
    fleet.report_transfer(fleet.execution(task_id, "db1"), Transfer(500, 0))
    done = fleet.execution(task_id, "db2")
    fleet.report_transfer(done, Transfer(0, 0))
    fleet.finish_transfer(done, Transfer(1000, 2, 2, 0, SHA))
    failed = fleet.execution(task_id, "db3")
    fleet.report_transfer(failed, Transfer(10, 0))
    fleet.fail_transfer(failed, "/etc/app/keys: No space left on device.")
    async with running(fleet, size) as pilot:
        await press(pilot, "3", "home", "enter")
        await settle(pilot)
        text = shown(pilot)
        assert "copy app.conf, keys to /etc/app/" in text
        assert "running 50%" in text
        assert "1.5 kB of 3.0 kB" in text
        assert re.search(r"✘ db3 +copy failed", text)
        assert re.search(r"▶ db1 +▇▇▇▇▁▁▁▁▁  50%", text)
        assert re.search(r"✔ db2 +unchanged", text)
        assert "The copy failed." in text
        await press(pilot, "end")
        assert "All files were there already." in shown(pilot)
        await press(pilot, "up")
        assert "Copying: 500 B of 1.0 kB" in shown(pilot)
        fleet.clock += timedelta(seconds=2)
        fleet.report_transfer(fleet.execution(task_id, "db1"), Transfer(900, 1))
        await settle(pilot)
        assert "Copying: 900 B of 1.0 kB   200 B/s   1 of 2 files" in shown(pilot)


async def fetched(fleet: FakeOperator, to: str = "") -> int:
    """A fetch that has brought files of db1 and db2, and nothing of db3."""
    spec = CommandSpec("", fetch=FetchSpec(("/var/log/app",), True, to))
    task_id = await fleet.create_task(TaskSpec("db[1-3]", (spec,)))
    await fleet.start_task(task_id)
    end_fetch(fleet, task_id)
    return task_id


def end_fetch(fleet: FakeOperator, task_id: int) -> None:
    for name in ("db1", "db2"):
        files = fleet.store({"var/log/app/a.log": name.encode(), "var/log/app/b": b"b"})
        execution = fleet.execution(task_id, name)
        fleet.report_transfer(execution, Transfer(0, 0, stored=files))
        fleet.finish_transfer(execution, Transfer(files.bytes, 2, sha256=SHA, stored=files))
    execution = fleet.execution(task_id, "db3")
    fleet.report_transfer(execution, Transfer(0, 0))
    fleet.fail_transfer(execution, "/var/log/app: No such file or directory.")


async def opened(pilot: "Pilot[None]") -> None:
    """The newest task, and its form that saves files, from the last host."""
    await press(pilot, "3", "home", "enter", "end", "ctrl+s")
    await settle(pilot)
    assert isinstance(pilot.app.screen, SaveFilesScreen)


async def test_ctrl_s_saves_the_files_of_the_selected_host(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await fetched(fleet, "logs")
    async with running(fleet, (80, 24)) as pilot:
        await opened(pilot)
        assert "1 host with files   db2" in shown(pilot)
        assert pilot.app.screen.query_one(Input).value == "logs"
        await press(pilot, "enter")
        await threads_done(pilot, "save")
        assert isinstance(pilot.app.screen, TaskScreen)
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["db2"]
    assert (tmp_path / "logs/db2/var/log/app/a.log").read_bytes() == b"db2"


async def test_it_saves_those_of_all_hosts(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task_id = await fetched(fleet)
    async with running(fleet, (80, 24)) as pilot:
        await opened(pilot)
        await press(pilot, "tab", "space")
        assert "2 hosts with files   db[1-2]" in shown(pilot)
        await press(pilot, "f5")
        await threads_done(pilot, "save")
    folder = tmp_path / f"task-{task_id}-files"
    assert sorted(path.name for path in folder.iterdir()) == ["db1", "db2"]


async def test_what_cannot_be_saved_is_said(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").write_text("a file")
    await fetched(fleet, "logs")
    async with running(fleet, (80, 24)) as pilot:
        await opened(pilot)
        await press(pilot, "f5")
        await threads_done(pilot, "save")
        assert "logs: File exists." in shown(pilot)
        fleet.sets.clear()  # the manager has removed them
        pilot.app.screen.query_one(Input).value = "other"
        await press(pilot, "f5")
        await threads_done(pilot, "save")
        (note,) = pilot.app._notifications
        assert "2 files were not saved: db2: The files are gone." in note.message


async def test_files_that_are_gone_do_not_keep_the_others_from_being_saved(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await fetched(fleet, "logs")
    del fleet.sets[next(iter(fleet.sets))]  # the manager has removed those of db1
    async with running(fleet, (120, 36)) as pilot:
        await opened(pilot)
        await press(pilot, "tab", "space", "f5")
        await threads_done(pilot, "save")
        (note,) = pilot.app._notifications
        assert "of 1 host" in note.message
        assert "2 files were not saved: db1: The files are gone." in note.message
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["db2"]


async def test_all_files_count_that_are_not_saved(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of which nothing is said: a host names its first problems only."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs/db1/var").mkdir(parents=True)
    (tmp_path / "logs/db1/var/log").write_text("in the way")
    spec = CommandSpec("", fetch=FetchSpec(("/var/log",), True, "logs"))
    task_id = await fleet.create_task(TaskSpec("db1", (spec,)))
    await fleet.start_task(task_id)
    files = fleet.store({f"var/log/{number:03d}": b"x" for number in range(50)})
    execution = fleet.execution(task_id, "db1")
    fleet.finish_transfer(execution, Transfer(files.bytes, 50, sha256=SHA, stored=files))
    async with running(fleet, (120, 36)) as pilot:
        await opened(pilot)
        await press(pilot, "f5")
        await threads_done(pilot, "save")
        (note,) = pilot.app._notifications
    assert note.message.startswith("Nothing is saved in ")
    assert "50 files were not saved: db1: /var/log/000 is not in" in note.message


async def test_a_host_without_files_says_so(fleet: FakeOperator, running: Running) -> None:
    await fetched(fleet)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "3", "home", "enter", "home", "ctrl+s")
        await settle(pilot)
        assert "db3 has no files here" in shown(pilot)
        await press(pilot, "f5")
        assert "There is nothing to save" in shown(pilot)


async def test_files_are_saved_where_the_form_said_when_the_task_has_ended(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "F", *"db[1-3]", "tab", *"/var/log/app", "tab", "space", "tab", *"logs")
        await press(pilot, "f5")
        await settle(pilot)
        assert fleet.tasks[7].spec.commands[0].fetch == FetchSpec(("/var/log/app",), True, "logs")
        assert not (tmp_path / "logs").exists()
        end_fetch(fleet, 7)
        await settle(pilot)
        await threads_done(pilot, "fetched")
        assert "Saved 4 files" in shown(pilot)
    assert (tmp_path / "logs/db1/var/log/app/a.log").read_bytes() == b"db1"


async def test_a_fetch_that_runs_again_saves_in_the_same_folder(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await fetched(fleet, "logs")
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "3", "home", "r", "a")
        assert "What is fetched is saved in logs." in shown(pilot)
        await press(pilot, "f5")
        await settle(pilot)
        end_fetch(fleet, 8)
        await settle(pilot)
        await threads_done(pilot, "fetched")
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["db1", "db2"]


async def test_a_fetch_without_a_folder_is_saved_later(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "F", *"db1", "tab", *"etc/hosts")
        assert "does not begin with '/'" in shown(pilot)
        await press(pilot, "home", "slash", "f5")
        await settle(pilot)
    assert fleet.tasks[7].spec.commands[0].fetch == FetchSpec(("/etc/hosts",))
