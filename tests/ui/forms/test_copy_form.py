"""The form of a copy: what it says of the files here, how they reach the manager, and what is kept
if that fails."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown, threads_done
from tui_manager.domain.errors import StorageError
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FileSet
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.operator.file_calls import ReadPart
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.files import copy_form
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the dashboard runs, with a file and a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.conf").write_bytes(b"port = 80\n")
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "site").write_bytes(b"server {}\n")
    (tmp_path / "nginx" / "loop").symlink_to(".")
    return tmp_path


def note(pilot: "Pilot[None]", field: str = "files") -> str:
    return str(pilot.app.screen.query_one(f"#{field}-hint", Label).content)


async def test_it_stores_the_files_and_starts_the_task(
    fleet: FakeOperator, running: Running, folder: Path
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "C", *"db1", "tab", *"app.conf", "tab", *"/etc/app/", "f5")
        await threads_done(pilot, "create")
        assert isinstance(pilot.app.screen, DashboardScreen)
        assert "copy app.conf to" in shown(pilot)
    task = fleet.tasks[7]
    assert (task.row.status, task.row.name) == (TaskStatus.RUNNING, "copy app.conf to /etc/app/")
    copy = task.spec.commands[0].copy
    assert copy is not None
    assert (copy.to, copy.sources, copy.mode, copy.backup) == (
        "/etc/app/",
        ("app.conf",),
        None,
        False,
    )
    assert fleet.sets[copy.files.sha256][1] == b"port = 80\n"


async def test_all_fields_are_in_the_copy(
    fleet: FakeOperator, running: Running, folder: Path
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "C", *"db1", "tab", *"app.conf nginx", "tab", *"/srv/")
        await threads_done(pilot, "look")
        assert note(pilot) == "nginx is a folder: tick Folders to copy what is in it."
        await press(pilot, "tab", "space", "tab", "space", "tab", *"640", "tab", *"app:www")
        await threads_done(pilot, "look")
        assert note(pilot) == "1 file, 10 B and 1 folder"
        await press(pilot, "f5")
        await threads_done(pilot, "create")
        assert "nginx/loop is left out" in shown(pilot)
    copy = fleet.tasks[7].spec.commands[0].copy
    assert copy is not None
    assert (copy.mode, copy.owner, copy.backup) == (0o640, "app:www", True)
    assert (copy.files.files, copy.files.bytes) == (2, 20)


async def test_a_folder_that_may_come_to_two_places_is_named(
    fleet: FakeOperator, running: Running, folder: Path
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "C", *"db1", "tab", *"nginx", "tab", *"/srv", "tab", "space")
        await threads_done(pilot, "look")
        assert note(pilot, "to") == (
            "becomes /srv/nginx where it is a folder; end it with / for the same place each time"
        )
        pilot.app.screen.query_one("#to", Input).value = "/srv/"
        await settle(pilot)
        assert note(pilot, "to") == ""


# What is typed into which field, the field below which the error stands, and words of the error.
WRONG = (
    ("files", "no.conf", "files", "no.conf: No such file or directory."),
    ("files", "'app", "files", "A quote is not closed"),
    ("files", "/dev/null", "files", "/dev/null is not a file."),
    ("to", "etc", "to", "does not begin with '/'"),
    ("to", "/a/../b", "to", "has '..' in it"),
    ("mode", "9x", "mode", "like 0640 or 755"),
    ("owner", "a b", "mode", "not an owner"),
)


async def test_what_is_wrong_stands_below_its_field_while_it_is_typed(
    fleet: FakeOperator, running: Running, folder: Path
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "C", *"db1", "tab", *"app.conf", "tab", *"/a")
        screen = pilot.app.screen
        for typed_in, text, field, words in WRONG:
            line = screen.query_one(f"#{typed_in}", Input)
            right = line.value
            line.value = ""
            screen.set_focus(line)
            await press(pilot, *text)
            await threads_done(pilot, "look")
            assert words in note(pilot, field), text
            await press(pilot, "f5")
            await threads_done(pilot, "create")
            assert isinstance(pilot.app.screen, NewTaskScreen), text
            line.value = right
            await settle(pilot)
            await threads_done(pilot, "look")
            assert words not in note(pilot, field), text
        assert len(fleet.tasks) == 6
        await press(pilot, "f5")
        await threads_done(pilot, "create")
        assert isinstance(pilot.app.screen, DashboardScreen), "nothing is wrong any more"
    assert len(fleet.tasks) == 7


async def test_what_is_typed_for_a_kind_is_there_when_it_is_chosen_again(
    fleet: FakeOperator, running: Running, folder: Path
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"db1", "tab", *"uptime", "f2", *"app.conf", "f2", *"/etc/hosts")
        assert "(•) fetch files" in shown(pilot)
        assert "uptime" not in shown(pilot)
        await press(pilot, "f2")
        assert "uptime" in shown(pilot)
        await press(pilot, "shift+tab", "shift+tab", "right")
        assert "(•) copy files" in shown(pilot)
        assert pilot.app.screen.query_one("#files", Input).value == "app.conf"


class Upload:
    """Holds a call of `store_files` until it may go on."""

    def __init__(self, fleet: FakeOperator, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_end, self.has_begun = asyncio.Event(), asyncio.Event()
        self.is_canceled = False
        self._store = fleet.store_files
        monkeypatch.setattr(fleet, "store_files", self._call)

    async def _call(
        self, files: FileSet, read: ReadPart, on_progress: Callable[[int], None] | None = None
    ) -> None:
        assert on_progress is not None
        on_progress(files.size * 6 // 10)
        self.has_begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.is_canceled = True
            raise
        await self._store(files, read, on_progress)


async def test_esc_asks_while_files_are_sent_and_keeps_what_was_typed(
    fleet: FakeOperator, running: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = Upload(fleet, monkeypatch)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "C", *"db1", "tab", *"app.conf", "tab", *"/etc/app/", "f5")
        await upload.has_begun.wait()
        await settle(pilot)
        assert " 60%  6 B of 10 B sent to the manager   esc stops" in shown(pilot)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, ConfirmScreen)
        await press(pilot, "n")
        assert not upload.is_canceled
        await press(pilot, "escape", "y")
        await settle(pilot)
        assert upload.is_canceled
        screen = pilot.app.screen
        assert isinstance(screen, NewTaskScreen)
        assert screen.query_one("#to", Input).value == "/etc/app/"
        assert "sent to the manager" not in shown(pilot)
        upload.may_end.set()
        await press(pilot, "f5")
        await threads_done(pilot, "create")
        assert isinstance(pilot.app.screen, DashboardScreen)
    assert len(fleet.tasks) == 7


async def test_the_answer_counts_that_is_given_after_the_last_byte(
    fleet: FakeOperator, running: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = Upload(fleet, monkeypatch)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "C", *"db1", "tab", *"app.conf", "tab", *"/etc/app/", "f5")
        await upload.has_begun.wait()
        await press(pilot, "escape")
        upload.may_end.set()
        await settle(pilot)
        assert isinstance(pilot.app.screen, ConfirmScreen)
        assert len(fleet.tasks) == 6, "no task is made before the question is answered"
        await press(pilot, "y")
        await settle(pilot)
        assert isinstance(pilot.app.screen, NewTaskScreen)
        assert len(fleet.tasks) == 6
        upload.may_end.clear()
        upload.has_begun.clear()
        await press(pilot, "f5")
        await upload.has_begun.wait()
        await press(pilot, "escape")
        upload.may_end.set()
        await press(pilot, "n")
        await threads_done(pilot, "create")
        assert isinstance(pilot.app.screen, DashboardScreen)
    assert len(fleet.tasks) == 7


async def test_a_failed_upload_keeps_what_was_typed(
    fleet: FakeOperator, running: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise StorageError("There is no room for 10 bytes of files.")

    monkeypatch.setattr(fleet, "store_files", refuse)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "C", *"db1", "tab", *"app.conf", "tab", *"/etc/app/", "f5")
        await threads_done(pilot, "create")
        assert "There is no room for" in shown(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, NewTaskScreen)
        assert screen.query_one("#files", Input).value == "app.conf"
    assert len(fleet.tasks) == 6


async def copied(fleet: FakeOperator) -> CopySpec:
    """A task that has copied a file that is not here any more."""
    copy = CopySpec(
        fleet.store({"gone.conf": b"old\n"}), "/etc/x/", 0o600, "app", sources=("gone.conf",)
    )
    task_id = await fleet.create_task(TaskSpec("db1", (CommandSpec("", copy=copy),)))
    await fleet.start_task(task_id)
    return copy


async def test_a_copy_of_a_task_keeps_the_stored_files(
    fleet: FakeOperator, running: Running, folder: Path
) -> None:
    copy = await copied(fleet)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "3", "home", "e")
        assert (
            note(pilot) == "as the manager has stored them: 1 file, 4 B; other names are read here"
        )
        line = str(pilot.app.screen.query_one("#line", Label).content)
        assert line.startswith("No command line copies files that only the manager has")
        await press(pilot, "f5")
        await threads_done(pilot, "create")
    assert fleet.tasks[8].spec.commands[0].copy == copy


async def test_another_name_in_a_copy_of_a_task_is_read_here(
    fleet: FakeOperator, running: Running, folder: Path
) -> None:
    copy = await copied(fleet)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "3", "home", "e")
        pilot.app.screen.query_one("#files", Input).value = "app.conf"
        await settle(pilot)
        await threads_done(pilot, "look")
        assert note(pilot) == "1 file, 10 B"
        await press(pilot, "f5")
        await threads_done(pilot, "create")
    made = fleet.tasks[8].spec.commands[0].copy
    assert made is not None
    assert made.files != copy.files
    assert made.files.bytes == 10


async def test_the_plan_needs_no_upload(
    fleet: FakeOperator, running: Running, folder: Path
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "C", *"db1", "tab", *"app.conf", "tab", *"/etc/app/", "f4")
        assert "copy app.conf to /etc/app/" in shown(pilot)
    assert not fleet.sets


def test_the_line_of_an_upload_has_a_bar() -> None:
    line = "".join(span.text for span in copy_form.transfer_line("sent", 41_000_000, 68_000_000))
    assert line.startswith("▇▇▇▇▇▇▁")
    assert line.endswith(" 60%  41 MB of 68 MB sent   esc stops")


def test_the_line_of_an_upload_is_whole_in_80_columns() -> None:
    spans = copy_form.transfer_line("sent to the manager", 998_000_000, 999_000_000)
    assert len("".join(span.text for span in spans)) <= 65


def test_the_line_of_an_upload_says_what_the_manager_does_with_all_bytes() -> None:
    spans = copy_form.transfer_line("sent to the manager", 68_000_000, 68_000_000)
    assert "".join(span.text for span in spans) == "the manager checks the files   esc stops"
