"""What helps to type a command: earlier commands, colours, the editor, the plan; without a screen
and in the form."""

import stat
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual.app import App
from textual.widgets import Input, Label, OptionList, TextArea

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_spec.rollout_spec import Order, RolloutSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.command_history import PastCommand
from tui_manager.domain.tasks.task import Counts, Task
from tui_manager.domain.tasks.task_plan import make_plan
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.drawing.shell_colours import LENGTH_MAX, colour_shell
from tui_manager.ui.drawing.spans import Role, plain, width_of
from tui_manager.ui.forms.new_task import edit_command
from tui_manager.ui.forms.new_task.command_area import CommandArea
from tui_manager.ui.forms.new_task.command_recall import CommandRecall, day_words, last_run
from tui_manager.ui.forms.new_task.edit_command import edited
from tui_manager.ui.forms.new_task.history_screen import HistoryScreen
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.target_field import TargetField, hosts_line
from tui_manager.ui.forms.tasks.plan_screen import PlanScreen, plan_lines
from tui_manager.ui.forms.tasks.task_file_form import TaskFileScreen
from tui_manager.ui.forms.text_area_limits import can_hold_command
from tui_manager.ui.terminal.run_program import ProgramError, words_of

NOW = datetime(2026, 11, 27, 23, 5, tzinfo=UTC)
RAN = Task(
    7, "restart", "", "web*", TaskStatus.FAILED, Counts(total=14, completed=12, failed=2), 14,
    "ana@pts/3", NOW - timedelta(hours=7), NOW - timedelta(hours=6, minutes=45),
    NOW - timedelta(hours=6, minutes=44, seconds=8), None, hosts_failed=2,
)  # fmt: skip
PAST = [PastCommand("uptime", RAN), PastCommand("df -h", replace(RAN, task_id=6, target="db*"))]


def recall() -> CommandRecall:
    made = CommandRecall()
    made.fill(PAST)
    return made


def test_older_and_newer_commands_around_what_was_typed() -> None:
    walk = recall()
    assert walk.move(-1, "draft", "") is None, "there is none after what is typed"
    assert walk.move(1, "draft", "") == ("uptime", "web*")
    assert walk.move(1, "uptime", "web*") == ("df -h", "db*")
    assert walk.move(1, "df -h", "db*") is None
    assert walk.move(-1, "df -h", "db*") == ("uptime", "web*")
    assert walk.move(-1, "uptime", "web*") == ("draft", ""), "the target is as it was, too"


def test_a_target_that_was_typed_stays() -> None:
    walk = recall()
    assert walk.move(1, "", "role=web") == ("uptime", "role=web")
    assert walk.move(1, "uptime", "role=web") == ("df -h", "role=web")


def test_a_command_that_was_changed_is_what_was_typed() -> None:
    walk = recall()
    walk.move(1, "draft", "")
    assert walk.move(1, "uptime -p", "web*") == ("uptime", "web*")
    assert walk.move(-1, "uptime", "web*") == ("uptime -p", "web*")


def test_what_is_shown_already_is_skipped() -> None:
    assert recall().move(1, "uptime", "") == ("df -h", "db*")
    assert CommandRecall().move(1, "x", "") is None


@pytest.mark.parametrize(
    ("task", "target", "words"),
    [
        (RAN, "web*", "last run today 16:20 on 14 hosts: 0:52, 2 failed"),
        (RAN, "", "last run today 16:20 on 14 hosts: 0:52, 2 failed"),
        (RAN, "@all", "last run today 16:20 on 14 hosts: 0:52, 2 failed   target web*"),
        (
            replace(RAN, hosts_failed=0, status=TaskStatus.COMPLETED),
            "",
            "last run today 16:20 on 14 hosts: 0:52, all completed",
        ),
        (
            replace(RAN, hosts_failed=0),  # hosts were skipped
            "",
            "last run today 16:20 on 14 hosts: 0:52, not all completed",
        ),
        (
            replace(RAN, status=TaskStatus.CANCELED),
            "",
            "last run today 16:20 on 14 hosts: 0:52, 2 failed, canceled",
        ),
        (replace(RAN, finished_at=None), "", "runs since today 16:20 on 14 hosts, 2 failed"),
        (
            replace(RAN, started_at=None, finished_at=None),
            "",
            "typed today 16:05 in task 7, which has not started",
        ),
    ],
)
def test_how_a_command_ran_last(task: Task, target: str, words: str) -> None:
    assert last_run(task, NOW, target) == words


def test_days_in_words() -> None:
    assert day_words(NOW - timedelta(days=1), NOW) == "yesterday 23:05"
    assert day_words(NOW - timedelta(days=24), NOW) == "3 Nov"
    assert day_words(NOW - timedelta(days=365), NOW) == "27 Nov 2025"


def test_the_colours_of_shell_text() -> None:
    text = 'for h in $HOSTS; do # each\n  echo "héllo $h"\ndone'
    first, second, third = colour_shell(text)
    lines = text.split("\n")
    found = [
        (line[part.start : part.end], part.role)
        for line, parts in zip(lines, (first, second, third), strict=True)
        for part in parts
    ]
    assert ("for", Role.STRONG) in found
    assert ("$HOSTS", Role.ACTIVE) in found
    assert ("# each", Role.MUTED) in found
    assert ("done", Role.STRONG) in found
    assert "héllo" in "".join(text for text, role in found if role is Role.GOOD)


@given(st.text(alphabet=st.sampled_from("'\"$(){}<\\\r\n\x0c\x85\u2028\ufeff\t\x1b #=aé漢")))
@example("echo a\recho 'b'")
@example("a\r\n'b'\rc")
@example("\ufeffecho 'a'")
@example("'not closed\n")
@example("<<EOF\nx")
def test_any_text_has_colours_within_its_lines(text: str) -> None:
    for line, parts in zip(text.split("\n"), colour_shell(text), strict=True):
        ends = [0]
        for part in parts:
            assert ends[-1] <= part.start < part.end <= len(line)
            ends.append(part.end)


@pytest.mark.parametrize("before", ["", "\ufeff", "a\r", "a\r\n", "\x0c", "a\u2028"])
def test_colours_are_at_the_characters_of_the_text(before: str) -> None:
    text = f"{before} 'b'"
    line, parts = text.split("\n")[-1], colour_shell(text)[-1]
    assert "'b'" in [line[part.start : part.end] for part in parts]


# Texts, and whether the field keeps each of them as it is.
KEPT = (
    ("a\n\tb\n", True),
    ("\n", True),
    ("", True),
    ("a\rb", False),
    ("a\r\nb", False),
    ("a\x0cb", False),
    ("a\x85", False),
    ("a\u2028\nb", False),
)


async def test_a_command_with_other_line_ends_is_drawn_and_known(running: Running) -> None:
    async with running(FakeOperator()) as pilot:
        await press(pilot, "n")
        area = pilot.app.screen.query_one(CommandArea)
        for text in ("echo a\recho 'b'", "a\r\n'b'\rc", "a\x0c'b'\u2028c"):
            area.load_text(text)
            await settle(pilot)
            row = next(row for row, line in enumerate(area.document.lines) if "'b'" in line)
            line = area.get_line(row)
            parts = [line.plain[span.start : span.end] for span in line.spans]
            assert "'b'" in parts, repr(text)
        for text, is_kept in KEPT:
            assert can_hold_command(text) is is_kept, repr(text)
            area.load_text("")
            area.put(text)
            assert (area.text == text) is is_kept, repr(text)


def test_a_command_that_the_field_would_change_is_left_out() -> None:
    walk = CommandRecall()
    walk.fill([PastCommand("a\rb", RAN), *PAST])
    assert walk.move(1, "", "") == ("uptime", "web*")


async def test_such_a_command_is_refused_where_it_is_found(running: Running) -> None:
    fleet = FakeOperator()
    fleet.add_host("h1")
    task_id = await fleet.create_task(TaskSpec("h1", (CommandSpec("a\rb"),), "odd"))
    await fleet.start_task(task_id)
    async with running(fleet) as pilot:
        await press(pilot, "n", "ctrl+r", "enter")
        await settle(pilot)
        assert pilot.app.screen.query_one(CommandArea).text == ""
        (said,) = pilot.app._notifications
        assert said.message.startswith("The command of task 1 has a line end other than")


def test_a_long_text_has_no_colours() -> None:
    assert colour_shell("echo 'a'\n" * LENGTH_MAX)[0] == []


class Editor:
    """Stands for a program that was given the terminal."""

    def __init__(self, written: bytes | None, status: int = 0) -> None:
        self.written, self.status = written, status
        self.words: Sequence[str] = ()
        self.was = b""

    def __call__(self, _app: App[Any], words: Sequence[str]) -> int:
        self.words, path = words, Path(words[-1])
        self.was = path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        path.with_name("command.sh~").write_bytes(b"what the editor keeps")
        if self.written is None:
            path.unlink()
        else:
            path.write_bytes(self.written)
        return self.status


def edit(monkeypatch: pytest.MonkeyPatch, editor: Editor, text: str = "id") -> str:
    monkeypatch.setattr(edit_command, "run_program", editor)
    try:
        return edited(App(), text)
    finally:
        assert not Path(editor.words[-1]).parent.exists(), "nothing of the command is left"


def test_an_editor_changes_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "  ")
    monkeypatch.setenv("EDITOR", "my-editor --wait 'a b'")
    editor = Editor(b"uptime\r\nid\n")
    assert edit(monkeypatch, editor) == "uptime\nid"
    assert list(editor.words[:-1]) == ["my-editor", "--wait", "a b"]
    assert editor.was == b"id\n"
    with pytest.raises(ProgramError, match="other than a line feed"):
        edit(monkeypatch, Editor(b"a\rb"))
    monkeypatch.setenv("VISUAL", "other")
    assert edit(monkeypatch, editor, "") == "uptime\nid"
    assert editor.words[0] == "other"
    assert editor.was == b""


@pytest.mark.parametrize(
    ("editor", "words"),
    [
        (Editor(b"uptime", 1), "ended with status 1; the command is as it was"),
        (Editor(b"uptime", -9), "ended with signal 9"),
        (Editor(b"\xff"), "not text in UTF-8"),
        (Editor(None), "No such file"),
        (Editor(b"x" * (1 << 21)), "more than 1048576 bytes"),
    ],
)
def test_an_editor_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, editor: Editor, words: str
) -> None:
    monkeypatch.setenv("VISUAL", "vi")
    with pytest.raises(ProgramError, match=words):
        edit(monkeypatch, editor)


def test_no_editor_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match="set VISUAL or EDITOR"):
        edited(App(), "id")
    monkeypatch.setenv("EDITOR", "vi '")
    with pytest.raises(ProgramError, match="EDITOR is"):
        edited(App(), "id")
    with pytest.raises(ProgramError, match="PAGER is empty"):
        words_of(" ", "PAGER")


def test_a_plan_in_lines() -> None:
    steps = (
        CommandSpec("apt-get upgrade", run_as_user="root"),
        CommandSpec("id [x]", barrier=True),
    )
    rollout = RolloutSpec("1,rest", max_failures="1")
    names = ["db1", "web01", "web02"]
    plan = make_plan(rollout, names, offline={"web02"}, left_out=["web03"])
    lines = plan_lines(TaskSpec("@all", steps, rollout=rollout), plan, 60)
    texts = [plain(line) for line in lines]
    assert texts[0] == "It would run on 3 hosts, in 2 batches."
    assert "1      1       db1" in texts
    assert "2      2       web[01-02]" in texts
    assert any("web02: fails as undeliverable" in text for text in texts)
    assert any(text.startswith("Left out     web03") for text in texts)
    assert "1      apt-get upgrade   as root" in texts
    assert "2      id [x]   waits for all hosts" in texts
    assert all(width_of(line) <= 60 for line in lines)


def test_a_plan_of_a_random_order_has_the_hosts_apart() -> None:
    rollout = RolloutSpec("1", Order.RANDOM)
    plan = make_plan(rollout, [f"h{n:03}" for n in range(40)], offline=())
    lines = plan_lines(TaskSpec("@all", (CommandSpec("id"),), rollout=rollout), plan, 40)
    texts = [plain(line) for line in lines]
    assert texts[3].split()[:4] == ["1", "1", "drawn", "when"]
    assert any("h[000-039]" in text for text in texts)


async def test_earlier_commands_in_the_form(fleet: FakeOperator, running: Running) -> None:
    fleet.clock += timedelta(hours=1)
    async with running(fleet) as pilot:
        await press(pilot, "n", "tab", *"my draft")
        form = pilot.app.screen
        command, target = form.query_one(CommandArea), form.query_one("#target", Input)
        await press(pilot, "up")
        assert (command.text, target.value) == ("systemctl restart nginx", "env=prod")
        await press(pilot, "up")
        assert command.text.startswith("apt-get")
        hint = form.query_one("#command-hint", Label)
        assert "runs since today 14:02 on 14 hosts, 2 failed" in str(hint.content)
        await press(pilot, "down", "down", "down")
        assert (command.text, target.value) == ("my draft", "")
        await press(pilot, "ctrl+r")
        assert isinstance(pilot.app.screen, HistoryScreen)
        assert pilot.app.screen.query_one(OptionList).option_count == 5
        await press(pilot, *"ROTA")
        assert pilot.app.screen.query_one(OptionList).option_count == 1
        await press(pilot, *"x")
        assert "No command contains “ROTAx”." in shown(pilot)
        await press(pilot, "backspace", "enter")
        assert pilot.app.screen is form
        assert (command.text, target.value) == ("logrotate -f /etc/logrotate.conf", "@all")
        await press(pilot, "ctrl+z")
        assert command.text == "my draft", "it can be undone"


async def test_a_target_is_completed(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", "down")
        form = pilot.app.screen
        field, terms = form.query_one(TargetField), form.query_one("#target-terms", Label)
        assert str(terms.content).split()[:3] == ["↓", "@all", "@maintenance"]
        await press(pilot, *"ro")
        assert str(terms.content).split() == ["↓", "role="]
        await press(pilot, "right")
        assert field.value == "role=", "what stands dim behind the cursor"
        assert str(terms.content).split() == ["↓", "role=db", "role=web"]
        await press(pilot, "down", "down")
        assert field.value == "role=web"
        assert str(terms.content).split() == ["↓", "role=db", "role=web"]
        assert "14 hosts" in shown(pilot)
        await press(pilot, "down")
        assert field.value == "role=db"
        await press(pilot, "up", *",db")
        assert str(terms.content).split() == ["↓", "db1", "db2", "db3"]
        await pilot.click("#target-terms", offset=(20, 0))
        await settle(pilot)
        assert field.value == "role=web,db2"


async def test_the_editor_and_the_plan_of_a_form(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "vi")
    editor = Editor(b"uptime\n")
    monkeypatch.setattr(edit_command, "run_program", editor)
    async with running(fleet) as pilot:
        await press(pilot, "n", *"@all", "tab", *"id", "ctrl+e")
        form = pilot.app.screen
        assert isinstance(form, NewTaskScreen)
        assert form.query_one(CommandArea).text == "uptime"
        editor.status = 2
        await press(pilot, "ctrl+e")
        assert form.query_one(CommandArea).text == "uptime"
        assert [note.message for note in pilot.app._notifications] == [
            "vi ended with status 2; the command is as it was."
        ]
        assert isinstance(pilot.app, DashboardApp)
        pilot.app.link.state_dir = "/srv/my fleet"
        form.check()
        line = str(form.query_one("#line", Label).content)
        assert line == "tui-manager --state-dir '/srv/my fleet' run @all -- uptime"
        await press(pilot, "f6")
        assert pilot.app.clipboard == line
        before = fleet.calls.count("create_task")
        await press(pilot, "f4")
        assert isinstance(pilot.app.screen, PlanScreen)
        assert "It would run on 17 hosts, in one batch." in shown(pilot)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, NewTaskScreen)
        assert fleet.calls.count("create_task") == before


async def test_what_is_typed_as_a_task_file(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "n", *"@all", "ctrl+t")
        form = pilot.app.screen
        assert isinstance(form, NewTaskScreen)
        assert "The command is empty." in shown(pilot)
        await press(pilot, *"id", *["tab"] * 6, "enter", *["tab"] * 5, *"KEY", "f4")
        assert isinstance(pilot.app.screen, PlanScreen), "a plan needs no values of secrets"
        await press(pilot, "escape", "tab", *"s3cret", "ctrl+t")
        assert isinstance(pilot.app.screen, TaskFileScreen)
        text = pilot.app.screen.query_one(TextArea).text
        assert 'run = "id"' in text
        assert "[params.KEY]" in text
        assert "s3cret" not in text
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, NewTaskScreen)
        assert form.fields.secret_values == {"KEY": "s3cret"}, "nothing is lost"


def test_the_hosts_of_a_target_in_a_line() -> None:
    names = tuple(f"batch-ap-{n:04}" for n in range(0, 4000, 2))
    preview = TargetPreview(names, names[:1], "", ("db1",))
    line = hosts_line("task:7:failed", preview)
    assert line.plain == ("2,000 hosts, 1 offline, 1 in maintenance or gone   batch-ap 2,000"), (
        "a count a prefix"
    )


async def test_all_of_the_form_by_mouse(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"@all")
        form = pilot.app.screen
        assert isinstance(form, NewTaskScreen)
        await pilot.click("#command-hint", offset=(36, 0))
        await settle(pilot)
        assert isinstance(pilot.app.screen, HistoryScreen)
        await pilot.click("#commands", offset=(4, 1))
        await settle(pilot)
        assert form.query_one(CommandArea).text == "apt-get -y -q upgrade"
        for place in ("#waits", "#include_maintenance", "#process CollapsibleTitle"):
            await pilot.click(place)
            await settle(pilot)
        assert (form.fields.waits, form.fields.include_maintenance) == (True, True)
        assert "LEVEL=high" in shown(pilot)
        await pilot.click("#plan-button")
        await settle(pilot)
        assert isinstance(pilot.app.screen, PlanScreen)
        await press(pilot, "escape")
        frame = form.query_one("#form").region
        await pilot.click(offset=(frame.right - 8, frame.bottom - 1))
        await settle(pilot)
        assert isinstance(pilot.app.screen, TaskFileScreen)
        await press(pilot, "escape")
        await pilot.click(offset=(frame.right - 45, frame.bottom - 1))
        await settle(pilot)
        assert "--include-maintenance -- 'apt-get -y -q upgrade'" in pilot.app.clipboard


async def test_the_ends_of_a_text_of_several_lines_have_keys(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "n", "tab")
        area = pilot.app.focused
        assert isinstance(area, TextArea)
        area.load_text("one\ntwo\nthree")
        await press(pilot, "ctrl+end", "x", "ctrl+home", "y", "ctrl+shift+end", "z")
        assert area.text == "yz"
        await press(pilot, "ctrl+home")
        assert area.cursor_location == (0, 0)
