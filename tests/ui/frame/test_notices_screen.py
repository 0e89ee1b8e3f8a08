"""Notices that can be read again, and the call when a long task has ended."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from textual import notifications
from textual.widget import Widget
from textual.widgets._toast import Toast

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.waiting import wait_until
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.frame.app_notices_and_themes import NotifyingApp, ShownNotice
from tui_manager.ui.frame.notices_screen import NO_NOTICES, Notice, Notices, notice_lines
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.preferences import NotifyMode, Preferences
from tui_manager.ui.terminal.bell_and_desktop_notification import notification

NOW = datetime(2026, 7, 4, 14, 3, 22, tzinfo=UTC)
HOSTILE = "a\x1b]0;title\x07b\x9c\x1b\\c\nd;e\x00"


def test_notices_are_kept_the_newest_first_and_not_without_end() -> None:
    notices = Notices()
    for number in range(1000):
        notices.add(Notice(NOW, "information", str(number)))
    kept = [notice.text for notice in notices.newest_first()]
    assert kept[:2] == ["999", "998"]
    assert len(kept) == 200


def test_a_notice_has_its_time_and_severity_and_is_wrapped() -> None:
    notices = [
        Notice(NOW, "error", "the disk is full"),
        Notice(NOW - timedelta(days=1), "warning", "web01 \x1b[31m is admitted"),
        Notice(NOW, "information", "one two three four five"),
    ]
    lines = [plain(line) for line in notice_lines(notices, 26, NOW)]
    assert lines == [
        "14:03:22  ✘ the disk is",
        "            full",
        "07-03 14:03  ▲ web01  is",
        "               admitted",
        "14:03:22    one two three",
        "            four five",
    ]
    assert notice_lines((), 26, NOW) == NO_NOTICES


async def test_a_notice_that_expires_before_its_screen_shows_it_lets_the_screen_go_on(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        pilot.app.notify("gone")
        await settle(pilot)
        (notice,) = pilot.app._notifications
        notice.raised_at -= notice.timeout + 1
        assert notice.has_expired
        toast = Toast(notice)
        assert toast._timeout > 0, "with less, Textual's timer runs without end"
        await pilot.app.screen.mount(toast)
        await wait_until(lambda: is_attached(toast), lambda seen: not seen)
        await press(pilot, "2")
        assert isinstance(pilot.app.screen, HostsScreen)


async def is_attached(widget: Widget) -> bool:
    return widget.is_attached


def test_a_notice_does_not_go_by_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    notice = ShownNotice("text", timeout=5)
    for wrong in (0.0, 4e9):
        monkeypatch.setattr(notifications, "time", lambda wrong=wrong: wrong)
        assert 0 < notice.time_left <= 5
        assert not notice.has_expired


@pytest.mark.parametrize(
    ("environment", "begin", "end"),
    [
        ({"TERM": "xterm-256color"}, "\a\x1b]9;tui-manager: ", "\x1b\\"),
        ({"TERM": "foot"}, "\a\x1b]777;notify;tui-manager;", "\x1b\\"),
        ({"TERM": "xterm", "VTE_VERSION": "7600"}, "\a\x1b]777;notify;tui-manager;", "\x1b\\"),
        ({"TERM": "tmux", "TMUX": "/x"}, "\a\x1bPtmux;\x1b\x1b]9;", "\x1b\x1b\\\x1b\\"),
    ],
)
def test_a_hostile_name_puts_no_sequence_into_a_notification(
    environment: dict[str, str], begin: str, end: str
) -> None:
    made = notification(HOSTILE + "x" * 1000, environment)
    assert made.startswith(begin)
    assert made.endswith(end)
    said = made.removeprefix(begin).removesuffix(end)
    assert not re.search("[\x00-\x1f\x7f-\x9f]", said)
    assert len(said) < 250
    if "777" in begin:
        assert ";" not in said


@pytest.mark.parametrize(
    ("notify", "begin"),
    [(NotifyMode.OFF, None), (NotifyMode.BELL, "\a"), (NotifyMode.TERMINAL, "\a\x1b]9;")],
)
async def test_a_task_that_ran_for_long_calls_when_it_ends(
    fleet: FakeOperator, monkeypatch: pytest.MonkeyPatch, notify: NotifyMode, begin: str | None
) -> None:
    written: list[str] = []
    monkeypatch.setattr(NotifyingApp, "call_operator", lambda _, sequence: written.append(sequence))
    for name in ("TMUX", "VTE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    app = DashboardApp(fleet.open, now=fleet.now, preferences=Preferences(notify=notify))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await settle(pilot)
        for seconds, exit_code in ((5, 1), (31, 0), (3601, 3)):
            task_id = await _start(fleet)
            await settle(pilot)
            fleet.clock += timedelta(seconds=seconds)
            fleet.finish(fleet.execution(task_id, "web01"), exit_code)
            await settle(pilot)
        said = [notice.text for notice in app.shown_notices.newest_first()]
        assert [re.sub(r"^#\d+ .*? (completed|failed)", r"\1", text) for text in said] == [
            "failed after 1:00:01: 1 of 1 host failed.",
            "completed after 0:31 on 1 host.",
        ]
        assert len(written) == (0 if begin is None else 2)
        assert all(begin and sequence.startswith(begin) for sequence in written)
        await press(pilot, "i")
        assert "failed after 1:00:01" in shown(pilot)
        assert "✘ #" in shown(pilot)
        await press(pilot, "i")
        assert "Notices" not in shown(pilot).splitlines()[2]


async def _start(fleet: FakeOperator) -> int:
    """A task on one host, whose name would set the terminal's title."""
    task_id = await fleet.create_task(TaskSpec("web01", (CommandSpec("true"),), name=HOSTILE))
    await fleet.start_task(task_id)
    return task_id
