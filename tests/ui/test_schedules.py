"""The screen of templates and schedules: what it shows, and what its keys do."""

import asyncio
import re
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tests.support.fake_operator.held_operator import HeldOperator
from tests.support.waiting import wait_until
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.schedules.schedule import ScheduleRun, ScheduleSpec, SkipReason, TemplateUse
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_files.task_file import TaskFile, read_task_file
from tui_manager.ui.drawing.schedule_words import due_texts, next_text, run_words, until
from tui_manager.ui.drawing.span_widgets import TextScroll
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.schedules.run_template import RunTemplateScreen
from tui_manager.ui.forms.schedules.schedule_form import ScheduleForm
from tui_manager.ui.forms.tasks import task_file_reader
from tui_manager.ui.forms.tasks.task_file_form import TaskFileScreen
from tui_manager.ui.manager_link import Link
from tui_manager.ui.schedules.schedule_run_table import RunRow, RunTable, run_cell
from tui_manager.ui.schedules.schedule_table import ScheduleTable
from tui_manager.ui.schedules.schedules_screen import SchedulesScreen, ScheduleText
from tui_manager.ui.schedules.task_statuses import TaskStatuses
from tui_manager.ui.schedules.template_and_schedule_details import (
    day_line,
    schedule_lines,
    template_lines,
)
from tui_manager.ui.schedules.template_table import TemplateTable
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen

SIZES = [(80, 24), (120, 36), (200, 50)]


def screen_of(pilot: "Pilot[None]") -> SchedulesScreen:
    screen = pilot.app.screen
    assert isinstance(screen, SchedulesScreen), screen
    return screen


def said(pilot: "Pilot[None]") -> list[str]:
    return [notice.message for notice in pilot.app._notifications]


# Words.


async def test_the_words_of_a_schedule(fleet: FakeOperator) -> None:
    row = (await fleet.get_schedule("backup")).schedule
    assert next_text(row, START, 30) == "in 10h  Tue  3 Mar 01:00"
    assert next_text(row, START, 10) == "in 10h"
    assert next_text(replace(row, paused=True), START, 30) == "paused"
    assert next_text(replace(row, next=None), START, 30) == "never"
    assert until(START, START) == "now"


async def test_due_times_are_told_here_and_there(fleet: FakeOperator) -> None:
    due = (await fleet.get_schedule("backup")).due[:2]
    assert due_texts(due, "Europe/Berlin", START) == [
        "Tue  3 Mar 01:00 (02:00 there) in 10h",
        "Wed  4 Mar 01:00 (02:00)",
    ]
    assert due_texts(due[:1], "UTC", START) == ["Tue  3 Mar 01:00 in 10h"]
    assert due_texts(due[:1], "Nowhere/Here", START) == ["Tue  3 Mar 01:00 in 10h"]


@pytest.mark.parametrize("reason", list(SkipReason))
def test_each_reason_why_nothing_ran_has_its_words(fleet: FakeOperator, reason: SkipReason) -> None:
    run = fleet.add_run("disk", START, skipped=reason)
    words = run_words(run, None).text
    assert words
    assert run_words(replace(run, count=37), None).text == f"37 due times: {words}"


def test_what_became_of_a_due_time(fleet: FakeOperator) -> None:
    run = fleet.add_run("disk", START, task_id=4, by_operator=True, detail="why\x1b[2J")
    assert run_words(run, TaskStatus.RUNNING).text == "#4 running"
    assert run_words(run, None).text == "#4 removed"
    detail = plain(run_cell(RunRow(run), "detail", 60, START))
    assert detail.startswith("run by an operator   why")
    assert "\x1b" not in detail
    waits = fleet.add_run("disk", START, waits=True)
    assert run_words(waits, None).text == "waits for the task before"
    several = replace(run, by_operator=False, detail="", count=9, first_due=START)
    assert plain(run_cell(RunRow(several), "detail", 60, START)) == (
        "the first one Mon  2 Mar 14:03"
    )


async def test_a_template_tells_its_parameters_and_its_text(fleet: FakeOperator) -> None:
    detail = await fleet.get_template("restart")
    read = read_task_file(detail.text, "restart")
    lines = [plain(line) for line in template_lines(detail, read, START, 100)]
    assert lines[0].startswith("Restarts a service")
    assert lines[1] == "parameters  SERVICE  one of: nginx, haproxy, default 'nginx'"
    assert lines[2] == "            WAIT  integer, default '5'   seconds until the check"
    assert lines[6] == "versions    @2 ana@pts/3 2d ago, @1 ana@pts/3 9d ago"
    assert "[[steps]]" in lines
    unread = [plain(line) for line in template_lines(detail, None, START, 100)]
    assert "[[steps]]" in unread


async def test_a_long_template_is_cut_and_its_escapes_do_nothing(fleet: FakeOperator) -> None:
    detail = replace(await fleet.get_template("backup"), text="\x1b[31m[b]x\n" * 5000)
    lines = [plain(line) for line in template_lines(detail, None, START, 100)]
    assert lines[-1] == "… `tui-manager template export backup@2` prints all of it."
    assert len(lines) < 500
    assert not any("\x1b" in line for line in lines)


async def test_a_schedule_tells_its_own_task(fleet: FakeOperator) -> None:
    detail = await fleet.get_schedule("disk")
    own = read_task_file(detail.schedule.spec.task_file, "disk")
    lines = [plain(line) for line in schedule_lines(detail, own, START, 100)]
    assert lines[0] == "◌ disk   0 11 * * *   UTC   overlap wait   misfire 5m   by ana@pts/3"
    assert lines[1].startswith("next        Tue  3 Mar 11:00 in 20h")
    assert lines[2:4] == ["on          role=db", "steps       df -h /var/lib   timeout 5m"]
    never = replace(detail, due=())
    assert any("never" in plain(line) for line in schedule_lines(never, own, START, 100))
    unread = [plain(line) for line in schedule_lines(detail, None, START, 100)]
    assert unread[2] == "runs        a task of its own"


async def test_a_schedule_tells_the_task_of_its_template(fleet: FakeOperator) -> None:
    detail = await fleet.get_schedule("backup")
    text = (await fleet.get_template("backup")).text
    task = read_task_file(f'{text}\n[rollout]\nmax_failures = "2"\n', "backup")
    lines = [plain(line) for line in schedule_lines(detail, task, START, 100)]
    assert "runs        template backup with BUCKET=weekly" in lines
    assert "on          role=db" in lines
    assert "rollout     at most 2 may fail" in lines
    use = replace(detail.schedule.spec.template or TemplateUse("backup"), target="db1")
    spec = replace(detail.schedule.spec, template=use)
    there = replace(detail, schedule=replace(detail.schedule, spec=spec))
    lines = [plain(line) for line in schedule_lines(there, task, START, 100)]
    assert "on          db1" in lines


async def test_the_next_day_is_a_line_with_a_mark_at_each_due_time(fleet: FakeOperator) -> None:
    detail = replace(await fleet.get_schedule("disk"), due=(START,))

    def line(cron: str, cells: int = 96) -> str:
        spec = replace(detail.schedule.spec, cron=cron, zone="UTC")
        given = replace(detail, schedule=replace(detail.schedule, spec=spec))
        drawn = day_line(given, START.replace(hour=0, minute=0, second=0), 12 + cells)
        return plain(drawn[0])[12:] if drawn else ""

    assert line("0 * * * *").count("╋") == 23  # the one at the begin is not due any more
    assert line("*/5 * * * *", 24) == "╋" * 24
    assert line("0 6,18 * * *", 24) == f"{'─' * 6}╋{'─' * 11}╋{'─' * 5}"
    assert line("0 6,18 * * *", 20) == ""
    paused = replace(detail, schedule=replace(detail.schedule, paused=True))
    assert day_line(paused, START, 100) == ()


# The screen.


@pytest.mark.parametrize("size", SIZES)
async def test_it_shows_schedules_their_next_due_times_and_their_history(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await press(pilot, "5")
        text = shown(pilot)
        assert re.search(r"▸ ✘ backup", text)
        assert re.search(r"‖ report .*paused", text)
        assert re.search(r" disk .*✘ #2 failed", text)
        assert "These parameters need a value: KEEP (integer)." in text
        assert "Tue  3 Mar 01:00 (02:00 there) in 10h" in text
        assert re.search(r"▸ ⤼ Mon  2 Mar 01:00 +13h the task could not start", text)


@pytest.mark.parametrize("size", SIZES)
async def test_tab_goes_through_its_panes(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    """What is known of a schedule is on the way only if it has to be scrolled."""
    scrolled = (ScheduleText,) if size == (80, 24) else ()
    panes = [ScheduleTable, *scrolled, RunTable, TemplateTable, TextScroll]
    async with running(fleet, size) as pilot:
        await press(pilot, "5")
        for key in ("tab", "shift+tab"):
            kinds = []
            for _ in panes:
                kinds.append(type(pilot.app.focused))
                await press(pilot, key)
            assert kinds == panes
            assert isinstance(pilot.app.focused, ScheduleTable)
            panes[1:] = reversed(panes[1:])
        await press(pilot, "shift+tab", "shift+tab", "down")
        assert "TICKET  text   the ticket, like OPS-12" in shown(pilot)


async def test_what_is_known_of_a_schedule_scrolls(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "5")
        (due,) = (line for line in shown(pilot).splitlines() if "│ next " in line)
        assert "…" not in due  # wrapped at the width beside the scrollbar
        assert "24 hours" not in shown(pilot)
        await press(pilot, "tab", "end")
        assert "24 hours" in shown(pilot)
        assert "p Pause" in shown(pilot)  # keys act on the schedule
        await press(pilot, "shift+tab", "down")
        assert screen_of(pilot).query_one(ScheduleText).scroll_y == 0


async def test_without_any_it_says_how_to_make_one(running: Running) -> None:
    async with running(FakeOperator(), (80, 24)) as pilot:
        await press(pilot, "5")
        assert "a adds one." in shown(pilot)
        await press(pilot, "tab")
        assert "tui-manager template save NAME FILE.toml" in shown(pilot)
        await press(pilot, "D", "r", "enter", "e", "tab", "p", "D", "r", "e", "enter", "enter")
        assert "Select a template or a schedule to delete." in said(pilot)
        assert "Select a schedule to pause or resume." in said(pilot)
        assert isinstance(pilot.app.screen, SchedulesScreen)


async def test_p_pauses_and_resumes(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "5", "down", "p")
        assert fleet.schedules["disk"].paused
        await settle(pilot)
        assert re.search(r"▸ ‖ disk .*paused", shown(pilot))
        assert "p Resume" in shown(pilot)
        await press(pilot, "p")
        assert not fleet.schedules["disk"].paused
        assert "p Pause" in shown(pilot)


async def test_a_small_screen_shows_when_it_is_due_and_the_first_steps(
    fleet: FakeOperator, running: Running
) -> None:
    steps = "".join(f"[[steps]]\nrun = 'step {number}'\n" for number in range(9))
    spec = fleet.schedules["disk"].spec
    task_file = f'target = "@all"\n{steps}'
    spec = replace(spec, cron="*/15 * * * *", zone="Asia/Kolkata", task_file=task_file)
    await fleet.edit_schedule(spec, 1)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "5", "down")
        text = shown(pilot)
        assert "Mon  2 Mar 14:15" in text
        assert "steps       step 0   timeout 1h" in text
        assert "step 2" in text
        await press(pilot, "r")
        question = pilot.app.screen
        assert isinstance(question, ConfirmScreen)
        assert question.question.lines[-3:] == ["  step 3", "  step 4", "  and 4 more steps"]


async def test_r_runs_a_schedule_after_asking(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "5", "down", "down", "r")
        question = pilot.app.screen
        assert isinstance(question, ConfirmScreen)
        assert question.question.title == "Start report now"
        assert "It runs on 17 hosts:" in question.question.lines
        assert question.question.lines[-2:] == ["It runs there:", "  df -h /var/lib"]
        await press(pilot, "n")
        assert fleet.schedules["report"].runs == []
        await press(pilot, "r", "y")
        await settle(pilot)
        (run,) = fleet.schedules["report"].runs
        assert fleet.tasks[run.task_id].row.created_by == "schedule:report"
        assert f"report runs as task {run.task_id}." in said(pilot)
        assert f"▶ #{run.task_id} running" in shown(pilot)
        await press(pilot, "r", "y")
        assert f"Task {run.task_id} of the schedule report has not ended." in said(pilot)


@pytest.mark.parametrize("size", SIZES[:2])
async def test_d_deletes_what_its_question_names(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await press(pilot, "5", "down", "D")
        assert isinstance(pilot.app.screen, ConfirmScreen)
        assert "Delete the schedule disk?" in shown(pilot)
        await press(pilot, "y")
        assert sorted(fleet.schedules) == ["backup", "report"]
        screen = pilot.app.screen
        assert isinstance(screen, SchedulesScreen)
        assert screen.selected_schedule is not None  # the next one is selected
        assert screen.selected_schedule.spec.name == "report"
        await press(pilot, "tab", "tab", "D")
        assert "Delete the template backup?" in shown(pilot)
        await press(pilot, "y")
        assert "The template backup cannot be deleted: backup uses it." in said(pilot)
        await press(pilot, "down", "D", "y")
        assert not fleet.templates["restart"].versions


async def test_enter_goes_to_the_history_and_to_a_task(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "5", "down", "enter")
        assert isinstance(pilot.app.focused, RunTable)
        await press(pilot, "down", "enter")
        assert "At this due time no task was started." in said(pilot)
        await press(pilot, "up", "enter")
        screen = pilot.app.screen
        assert isinstance(screen, TaskScreen)
        assert screen.task_id == 2
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, SchedulesScreen)


async def test_keys_open_the_forms(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        for keys, form in (
            (("a",), ScheduleForm),
            (("e",), ScheduleForm),
            (("tab", "tab", "enter"), RunTemplateScreen),
            (("r",), RunTemplateScreen),
            (("a",), ScheduleForm),
        ):
            await press(pilot, "5", *keys)
            assert isinstance(pilot.app.screen, form), keys
            await press(pilot, "escape")
        await press(pilot, "e")
        screen = pilot.app.screen
        assert isinstance(screen, TaskFileScreen)
        text = (await fleet.get_template("backup")).text
        assert screen.query_one("#file", TextArea).text == text
        await press(pilot, "escape")
        foot = shown(pilot).splitlines()[-1]
        assert "n New template" in foot
        assert "n New " not in foot.replace("n New template", "")
        await press(pilot, "n")
        assert isinstance(pilot.app.screen, TaskFileScreen)
        assert "Template backup" not in shown(pilot)
        await press(pilot, "escape", "tab", "n")  # elsewhere it is the form of a new task
        assert isinstance(pilot.app.screen, NewTaskScreen)


async def test_the_text_of_another_template_begins_with_its_first_line(
    fleet: FakeOperator, running: Running
) -> None:
    long = (await fleet.get_template("backup")).text + "\n" * 60
    for name in ("backup", "restart"):
        await fleet.save_template(name, long)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "5", "shift+tab", "end")
        pane = pilot.app.screen.query_one("#template-text", TextScroll)
        assert pane.scroll_y > 0
        await press(pilot, "shift+tab", "down")
        assert pane.scroll_y == 0


async def test_changes_of_others_are_shown(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (200, 50)) as pilot:
        await press(pilot, "5", "tab", "tab")
        await fleet.save_template("zeta", (await fleet.get_template("backup")).text)
        await settle(pilot)
        assert "Templates 3" in shown(pilot)
        await press(pilot, "tab", "tab")
        spec = fleet.schedules["backup"].spec
        use = TemplateUse("backup", parameters={"KEEP": "4"})
        await fleet.edit_schedule(replace(spec, cron="5 5 * * *", template=use), 1)
        await settle(pilot)
        assert "backup   5 5 * * *" in shown(pilot)
        await fleet.delete_schedule("backup")
        await settle(pilot)
        text = shown(pilot)
        assert "5 5 * * *" not in text
        assert "the schedule was paused" not in text


async def test_a_large_template_is_read_once_and_stops_nothing(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = (await fleet.get_template("restart")).text + "# much\n" * 10_000
    await fleet.save_template("aaa", large)
    goes_on, read = threading.Event(), 0

    def slow(text: str, name: str) -> TaskFile:
        nonlocal read
        if text == large:
            read += 1
            assert goes_on.wait(20)
        return read_task_file(text, name)

    monkeypatch.setattr(task_file_reader, "read_task_file", slow)
    async with running(fleet, (200, 50)) as pilot:
        try:
            await press(pilot, "5", "tab", "tab")
            for _change in range(3):
                fleet.publish(Changes(schedules=True))
                await settle(pilot)
            assert "@1 ana@pts/3" in shown(pilot), "it does not wait for its parameters"
            assert "TICKET  text" not in shown(pilot)
            await press(pilot, "down")
            assert "BUCKET  text" in shown(pilot), "another one is shown meanwhile"
            await press(pilot, "up")
        finally:
            goes_on.set()

        async def look() -> str:
            return shown(pilot)

        await wait_until(look, lambda text: "TICKET  text" in text)
        fleet.publish(Changes(schedules=True))
        await settle(pilot)
        assert "TICKET  text" in shown(pilot)
        assert read == 1


async def test_the_status_of_a_task_that_ends_is_read_again(
    fleet: FakeOperator, running: Running
) -> None:
    fleet.add_run("disk", START, task_id=4)
    async with running(fleet) as pilot:
        await press(pilot, "5", "down")
        assert shown(pilot).count("#4 running") == 2  # in the list, and in the history
        await fleet.cancel_task(4)
        for execution_id, row in list(fleet.tasks[4].rows.items()):
            if not row.status.ended:
                fleet.finish(execution_id)
        await settle(pilot)
        assert fleet.tasks[4].row.status.ended
        assert "#4 running" not in shown(pilot)
        assert shown(pilot).count(f"#4 {fleet.tasks[4].row.status}") == 2


async def test_the_statuses_of_ended_tasks_are_asked_for_once(fleet: FakeOperator) -> None:
    statuses = TaskStatuses(Link(fleet.now, connected=fleet))
    for _ in range(3):
        assert await statuses.read([1, 4, 99]) == {
            1: TaskStatus.COMPLETED,
            4: TaskStatus.RUNNING,
        }
    assert fleet.calls.count("get_task_status") == 3 + 2 * 2
    statuses.forget(Changes(tasks=frozenset({1})))
    await statuses.read([1])
    assert fleet.calls.count("get_task_status") == 3 + 2 * 2 + 1


async def test_a_filter_narrows_the_list_that_had_the_focus(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "5", "tab", "slash", *"disk", "enter")
        assert "Schedules 1 of 3" in shown(pilot)
        assert "Templates 2" in shown(pilot)
        await press(pilot, "escape", "ctrl+z")
        assert "Schedules 1 of 3  ✘ problems only" in shown(pilot)
        await press(pilot, "tab", "tab", "ctrl+z")
        assert "Templates 2" in shown(pilot)


async def test_a_template_that_goes_while_it_is_read(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(name: str, version: int = 0) -> None:
        raise NotFoundError(f"There is no template {name}.")

    async with running(fleet) as pilot:
        await press(pilot, "5", "tab", "tab")
        monkeypatch.setattr(fleet, "get_template", gone)
        await press(pilot, "down", "enter")
        assert isinstance(pilot.app.screen, SchedulesScreen)
        assert "There is no template restart." in said(pilot)


async def test_a_history_of_many_rows_is_read_in_windows(
    fleet: FakeOperator, running: Running
) -> None:
    use = TemplateUse("restart", parameters={"TICKET": "OPS-1"})
    await fleet.add_schedule(ScheduleSpec("aaa", "* * * * *", "UTC", template=use))
    for minute in range(3000):
        fleet.add_run("aaa", START - timedelta(minutes=3000 - minute), skipped=SkipReason.PAUSED)
    async with running(fleet) as pilot:
        await press(pilot, "5", "enter", "end")
        runs = screen_of(pilot).runs
        assert runs.list.matching == 3000
        assert len(runs.list.rows) < 200
        assert runs.selected is not None
        assert runs.selected.run.due == START - timedelta(minutes=3000)


async def test_a_history_that_is_answered_too_late_is_not_shown(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_runs, answered = fleet.list_schedule_runs, asyncio.Event()
    taken: list[Page[RunRow]] = []

    async def slow(name: str, window: Window) -> Page[ScheduleRun]:
        page = await list_runs(name, window)
        if name == "backup":
            await answered.wait()
        return page

    async with running(fleet) as pilot:
        await press(pilot, "5", "down")
        monkeypatch.setattr(fleet, "list_schedule_runs", slow)
        await press(pilot, "up", "down")
        runs = screen_of(pilot).runs
        hold_page = runs.list.hold_page

        def take(offset: int, page: Page[RunRow]) -> None:
            taken.append(page)
            hold_page(offset, page)

        monkeypatch.setattr(runs.list, "hold_page", take)
        answered.set()
        await settle(pilot)
        assert runs.schedule == "disk"
        assert [page.matching for page in taken] == [3] * len(taken), "disk has three rows"
        assert taken


async def test_the_text_of_a_template_has_the_focus_before_it_is_read(
    fleet: FakeOperator, running: Running
) -> None:
    held = HeldOperator(fleet)
    async with running(held, (80, 24)) as pilot:
        await press(pilot, "5")
        held.hold()
        await press(pilot, "shift+tab")
        assert pilot.app.focused is screen_of(pilot).query_one("#template-text")
        held.release()
        await settle(pilot)
        assert pilot.app.focused is screen_of(pilot).query_one("#template-text")
        assert "Dumps all databases." in shown(pilot)
