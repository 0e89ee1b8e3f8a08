"""The footer, the help and what a key does elsewhere, drawn without an app; and the footer of the
pane that has the focus."""

import pytest
from textual.keys import _character_to_key

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.ui.action import KEY_NAMES, KeyMap, Pane, ScreenName, key_text
from tui_manager.ui.action_table import ACTIONS
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.frame.help import help_lines
from tui_manager.ui.frame.key_footer import FooterKey, footer_line, key_at, use_elsewhere
from tui_manager.ui.key_bindings import footer_actions

KEYS = [
    FooterKey("new_task", "n", "n", "New"),
    FooterKey("filter", "slash", "/", "Filter"),
    FooterKey("help", "question_mark", "?", "Help"),
    FooterKey("quit", "q", "q", "Quit"),
]
A_ELSEWHERE = (
    "a works elsewhere: Approve in Dashboard (1), Hosts (2) or the screen of a host, "
    "Add in Schedules (5)."
)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (40, " n New   / Filter   ? Help   q Quit     "),
        (33, " n New  / Filter  ? Help  q Quit "),
        (31, " n New   / Filter   ? Help     "),
        (15, " n New   ? Help"),
        (9, " ? Help  "),
    ],
)
def test_the_footer_leaves_out_what_does_not_fit_but_never_the_help(width: int, line: str) -> None:
    assert plain(footer_line(KEYS, width)) == line


def test_the_footer_keeps_the_way_back() -> None:
    keys = [*KEYS, FooterKey("back", "escape", "esc", "Back")]
    assert plain(footer_line(keys, 31)) == " n New   ? Help   esc Back     "
    assert plain(footer_line(keys, 17)) == " ? Help  esc Back"


def test_a_click_on_the_footer_finds_the_key_that_is_drawn_there() -> None:
    for width in (40, 33, 31, 15):
        line = plain(footer_line(KEYS, width))
        for key in KEYS:
            words = f"{key.shown} {key.label}"
            if words in line:
                at = line.index(words)
                assert key_at(KEYS, width, at) == key_at(KEYS, width, at + len(words) - 1) == key
                assert key_at(KEYS, width, at - 1) is None


def test_the_footer_has_first_what_belongs_to_the_pane() -> None:
    hosts = [action.id for action in footer_actions(ScreenName.DASHBOARD, Pane.HOSTS)]
    assert hosts[:5] == ["new_task", "approve", "reject", "maintenance", "labels"]
    assert hosts.index("cancel_task") > hosts.index("remove_host")
    tasks = [action.id for action in footer_actions(ScreenName.DASHBOARD, Pane.TASKS)]
    assert tasks[:2] == ["new_task", "rerun_task"]
    assert tasks.index("cancel_task") < tasks.index("open")
    assert "approve" not in tasks


async def test_the_footer_follows_the_focus(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        assert " c Cancel " in shown(pilot).splitlines()[-1]
        screen.set_focus(screen.output)
        await settle(pilot)
        assert " f Follow " in shown(pilot).splitlines()[-1]
        screen.set_focus(screen.hosts)
        await settle(pilot)
        assert " a Approve  x Reject " in shown(pilot).splitlines()[-1]
        await press(pilot, "G")
        admitted = shown(pilot).splitlines()[-1]
        assert " x Revoke " in admitted
        assert "Approve" not in admitted
        await press(pilot, "3", "a")
        assert [note.message for note in pilot.app._notifications] == [A_ELSEWHERE]


async def test_the_footer_of_a_pending_task_says_how_it_starts(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, size=(80, 24)) as pilot:
        await pilot.app.run_action("app.open_task(6)")
        await settle(pilot)
        foot = shown(pilot).splitlines()[-1]
        assert " s Start " in foot
        assert " esc Back" in foot


def test_a_key_that_works_elsewhere_says_where() -> None:
    said = use_elsewhere("a", ScreenName.TASKS, KeyMap())
    assert said == A_ELSEWHERE
    assert use_elsewhere("equals_sign", ScreenName.HOSTS, KeyMap()) == (
        "= works elsewhere: Groups in the screen of a task."
    )
    assert use_elsewhere("Z", ScreenName.HOSTS, KeyMap()) == ""
    changed = KeyMap({"groups": ("Z",), "show_hosts": ("f2",)})
    assert use_elsewhere("Z", ScreenName.HOSTS, changed).startswith("Z works elsewhere: Groups in")
    assert use_elsewhere("equals_sign", ScreenName.HOSTS, changed) == ""
    assert "Hosts (f2)" in use_elsewhere("a", ScreenName.TASKS, changed)


def test_the_words_of_the_keys_are_those_of_the_table() -> None:
    for action in ACTIONS:
        assert action.shown == " ".join(map(key_text, action.keys))
    for key, text in KEY_NAMES.items():
        assert len(text) > 1 or _character_to_key(text) == key


@pytest.mark.parametrize("width", [74, 116])
def test_the_help_has_every_action_and_first_those_of_the_pane(width: int) -> None:
    changed = KeyMap({"approve": ("A",)})
    lines = [plain(line).rstrip() for line in help_lines(width, changed, Pane.HOSTS)]
    assert lines[0].startswith("In Hosts")
    assert lines[2].startswith("  A         Approve")
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for action in ACTIONS:
        assert text.count(f" {action.text}") >= 1
        assert (f" {action.text}  asks" in text) == action.destructive
        assert changed.shown(action) in text


def test_the_help_finds_an_action_by_other_words() -> None:
    found = [plain(line).rstrip() for line in help_lines(74, KeyMap(), None, "repeat")]
    assert found == ["Tasks", "  r         Run an ended task again, on some hosts"]
    (nothing,) = help_lines(74, KeyMap(), None, "zebra")
    assert "zebra" in plain(nothing)
