"""Who did what: on the screen of the manager, in words."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from textual.pilot import Pilot

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tests.support.waiting import wait_until
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.manager_status import Health
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.drawing.spans import Role, fit, plain, width_of
from tui_manager.ui.hosts.host_screen import HostScreen
from tui_manager.ui.listing.table_layout import fit_columns
from tui_manager.ui.manager.alert_pane import alert_lines
from tui_manager.ui.manager.audit_table import COLUMNS, audit_cell, audit_detail, audit_words
from tui_manager.ui.manager.manager_screen import ManagerScreen
from tui_manager.ui.manager.manager_text import figure_lines
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen

SIZES = [(80, 24), (160, 48)]
HOSTILE = "\x1b]0;owned\x07[red]x\u202e\n{task}"


def entry(
    action: str,
    *,
    task: int = 0,
    called: str = "",
    host: str = "",
    at: datetime = START,
    **detail: str,
) -> AuditEntry:
    return AuditEntry(1, at, "ana@pts/3", action, task, host and "id", host, detail, called)


@pytest.mark.parametrize(
    ("what", "words", "detail"),
    [
        (entry("create_task", task=12, target="@all"), "made task 12 for @all", ""),
        (
            entry("start_task", task=12, target="role=web", hosts="14", names="web[01-14]"),
            "started task 12 on web[01-14]",
            "target role=web, hosts 14",
        ),
        (
            entry("start_task", task=12, target="web[1-2]", hosts="2", names="web[1-2]"),
            "started task 12 on web[1-2]",
            "hosts 2",
        ),
        (
            entry("start_task", task=1, target="@all", hosts="2"),
            "started task 1 on @all",
            "hosts 2",
        ),
        (entry("cancel_task", task=12, told="3"), "canceled task 12", "told 3"),
        (
            entry("start_task", task=12, called="restart nginx", names="web01"),
            "started task 12 (restart nginx) on web01",
            "",
        ),
        (
            entry("cancel_task", task=12, called="a name of which not all is shown"),
            "canceled task 12 (a name of which not all…)",
            "",
        ),
        (entry("paint_task", task=12, called="red"), "paint task task 12 (red)", ""),
        (
            entry(
                "create_token", token="3", uses="1", seconds="900", labels="", auto_approve="false"
            ),
            "made a join token",
            "token 3, uses 1, lasts 15m",
        ),
        (entry("enroll_host", host="db9"), "db9 asked to join", ""),
        (entry("admit_host", host="db9"), "admitted db9", ""),
        (entry("admit_host", name="db9", by="insecure"), "admitted db9", "by insecure"),
        (entry("reject_host", host="db9"), "rejected db9", ""),
        (entry("revoke_host", host="db9", lost="3"), "revoked db9", "lost 3"),
        (
            entry("refuse_host", host="db9", reason="name_taken", text="It is taken.", count="41"),
            "refused an agent named db9",
            "It is taken.  reason name_taken, 41 more times",
        ),
        (entry("refuse_host", text="No such token."), "refused an agent", "No such token."),
        (entry("violation", host="db9", text="A lie."), "db9 broke the protocol", "A lie."),
        (entry("create_token", seconds="9" * 5000), "made a join token", f"seconds {'9' * 5000}"),
        (entry("renew_certificate", host="db9"), "renewed the certificate of db9", ""),
        (
            entry("rename_host", host="db9", before="db1", after="db9"),
            "db9 was called db1 before",
            "after db9",
        ),
        (entry("remove_host", host="db9", admission="revoked"), "removed db9", "admission revoked"),
        (entry("label_host", host="db9", set="a=1", unset="b"), "labeled db9", "set a=1, unset b"),
        (
            entry("set_maintenance", host="db9", reason="disks", until="2026-03-02T14:00:00Z"),
            "put db9 into maintenance",
            "reason disks, until 2026-03-02T14:00:00Z",
        ),
        (
            entry("end_maintenance", host="db9", reason="disks"),
            "ended the maintenance of db9",
            "reason disks",
        ),
        (entry("move_host", host="db9"), "db9 came from another machine", ""),
        (entry("paint_host", host="db9"), "paint host db9", ""),
        (entry("sort_{x}"), "sort (x)", ""),
        (entry("start_task", task=3), "started task 3 on ?", ""),
        (entry("admit_host"), "admitted a host", ""),
    ],
)
def test_an_act_reads_as_a_sentence(what: AuditEntry, words: str, detail: str) -> None:
    assert (audit_words(what), audit_detail(what)) == (words, detail)


def test_what_was_wrong_stands_out() -> None:
    for action in ("refuse_host", "violation"):
        assert audit_cell(entry(action), "what", 9, START)[0].role is Role.FAULT


@pytest.mark.parametrize(
    ("at", "when"),
    [
        (START, "16:03:22"),
        (START - timedelta(hours=18), "03-01 22:03"),
        (START - timedelta(days=400), "2025-01-26"),
    ],
)
def test_times_are_the_operators_own(at: datetime, when: str) -> None:
    here = START.astimezone(timezone(timedelta(hours=2)))
    assert plain(audit_cell(entry("x", at=at), "when", 11, here)) == when


@pytest.mark.parametrize("width", [56, 76, 156])
def test_every_cell_fits_its_width(width: int) -> None:
    what = AuditEntry(
        1, START, HOSTILE, "start_task", 1, "", HOSTILE, {"target": HOSTILE, "a": "b"}, HOSTILE
    )
    for column, cells in fit_columns(COLUMNS, width):
        assert width_of(fit(audit_cell(what, column.key, cells, START), cells)) == cells


@pytest.mark.parametrize("size", SIZES)
async def test_the_audit_stands_below_attention_and_figures(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await press(pilot, "4")
        rows = shown(pilot).splitlines()
        heads = [
            next(n for n, row in enumerate(rows) if f"─ {title}" in row)
            for title in ("Attention", "Manager", "Audit")
        ]
        assert heads == sorted(heads)
        assert re.search("▸ 14:03:22 +ana@pts/3 +made task 6 [(].+[)]", shown(pilot))
        assert len(rows) - heads[2] > 6


@pytest.mark.parametrize("size", SIZES)
async def test_it_follows_what_is_done(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await press(pilot, "4")
        await fleet.cancel_task(4)
        await settle(pilot)
        assert "canceled task 4" in shown(pilot)
        fleet.record("refuse_host", actor="manager", host=fleet.hosts["db1"], why="wrong name")
        fleet.publish(Changes(manager=True))
        await settle(pilot)
        assert "refused an agent named db1" in shown(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_it_is_filtered_as_it_is_typed(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await press(pilot, "4", "slash")
        assert "#12 actor= action= host= task=" in shown(pilot)
        await press(pilot, *"#5")
        assert "2 of 23" in shown(pilot)
        assert "task 6" not in shown(pilot)
        await press(pilot, "enter", "escape")
        assert "made task 6" in shown(pilot)
        await press(pilot, "slash", *"zz", "enter")
        assert "None of 23 entries fits “zz”." in shown(pilot)
        await press(pilot, "escape", "ctrl+z")
        assert "1 of 23" in shown(pilot)
        assert "refused an agent named web03" in shown(pilot)


async def test_enter_goes_to_what_was_acted_on(fleet: FakeOperator, running: Running) -> None:
    fleet.record("violation", host=fleet.hosts["db2"], actor="host db2")
    fleet.record("create_token")
    async with running(fleet) as pilot:
        await press(pilot, "4", "enter")
        assert isinstance(pilot.app.screen, ManagerScreen)
        assert [n.message for n in pilot.app._notifications] == [
            "This entry is about no task and no host."
        ]
        await press(pilot, "down", "enter")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, HostScreen)
        assert screen.host_id == fleet.hosts["db2"].host_id
        await press(pilot, "4", "down", "enter")
        screen = pilot.app.screen
        assert isinstance(screen, TaskScreen)
        assert screen.task_id == 6


async def test_the_frame_tells_all_of_the_selected_act(running: Running) -> None:
    fleet = FakeOperator()
    why = "Its certificate is of another authority, and not of this one."
    fleet.record("refuse_host", host=fleet.add_host("db1"), text=f"{why}{HOSTILE}")
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "4")
        assert f"─ {why}[red]x" in shown(pilot)


async def test_tab_goes_round_the_panes(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "4")
        seen = []
        for _ in range(3):
            assert pilot.app.screen.focused is not None
            seen.append(pilot.app.screen.focused.id)
            await press(pilot, "tab")
        assert seen == ["audit", "attention", "figures"]


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_names_and_details_are_text(running: Running, size: tuple[int, int]) -> None:
    fleet = FakeOperator()
    fleet.attention = (Alert(f"An agent that says it is {HOSTILE * 20} was refused."),)
    fleet.record("refuse_host", actor=HOSTILE, host=fleet.add_host(f"evil{HOSTILE}"), why=HOSTILE)
    fleet.record(HOSTILE, actor=HOSTILE)
    await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    async with running(fleet, size) as pilot:
        await press(pilot, "4")
        text = shown(pilot)
        assert "[red]x<U+202E>" in text
        assert "owned" not in text
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


async def test_figures_take_two_columns_where_they_fit() -> None:
    fleet = FakeOperator()
    fleet.security = "mTLS"
    status = await fleet.manager_status()
    now = START.astimezone(UTC)
    wide = [plain(line) for line in figure_lines(status, now, 76)]
    narrow = [plain(line) for line in figure_lines(status, now, 58)]
    assert len(wide) == 7
    assert len(narrow) == 13
    assert "security  mTLS, join at 127.0.0.1:7444     queues" in "\n".join(wide)
    assert all(value in "\n".join(wide) for value in narrow)


async def test_a_database_elsewhere_has_a_line_of_its_own() -> None:
    fleet = FakeOperator()
    status = await fleet.manager_status()
    status = replace(status, database="PostgreSQL 16 at db1.example.org", health=Health())
    for width, lines in ((76, 8), (58, 13)):
        shown = [plain(line) for line in figure_lines(status, START.astimezone(UTC), width)]
        assert len(shown) == lines
        assert shown[-2] == "database  PostgreSQL 16 at db1.example.org, 0 B"


async def test_an_untrusted_clock_is_a_figure() -> None:
    fleet = FakeOperator()
    fleet.clock_ahead = timedelta(days=40)
    lines = figure_lines(await fleet.manager_status(), START.astimezone(UTC), 76)
    assert "clock     40 d ahead, pruning waits for at most 23h" in "\n".join(map(plain, lines))


def test_a_long_alert_takes_several_lines() -> None:
    lines = alert_lines((Alert("One."), Alert("word " * 30)), 40, 1)
    texts = [plain(line) for _, line in lines]
    assert [number for number, _ in lines][:3] == [0, 1, 1]
    assert len(texts) > 4
    assert texts[:1] == ["  ▲ One."]
    assert texts[1].startswith("▸ ▲ word")
    assert all(len(text) <= 40 for text in texts)
    assert plain(alert_lines((), 40, 0)[0][1]) == "  ✔ No alerts."


async def test_an_alert_opens_what_it_is_about(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        fleet.attention = (*fleet.attention, Alert("Task 2 is on hold.", task_id=2), Alert("Else."))
        fleet.publish(Changes(manager=True))
        await press(pilot, "4", "tab")
        opened = []
        for _ in range(5):
            await press(pilot, "4", "enter")
            opened.append(shown(pilot))
            await press(pilot, "4", "down")
        assert "web04" in opened[0].splitlines()[1]
        assert "Hosts 1 of" in opened[1]
        assert "/ state=pending" in opened[1]
        assert "▸ ✘ backup" in opened[2]
        assert "#2 check disk" in opened[3]
        assert "This alert is about no host, task or schedule." in opened[4]


async def test_an_alert_keeps_the_cursor_and_opens_with_a_click(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "4", "tab", "down")
        first, second, third = fleet.attention
        fleet.attention = (Alert("New."), first, replace(second, text="2 hosts wait."), third)
        fleet.publish(Changes(manager=True))
        await settle(pilot)
        assert "▸ ▲ 2 hosts wait." in shown(pilot)
        await pilot.click("#attention", offset=(10, 2))
        await settle(pilot)
        assert "web04" in shown(pilot).splitlines()[1]


def cursor_is_seen(pilot: "Pilot[None]") -> bool:
    """Whether the selected row of the audit stands on the screen."""
    screen = pilot.app.screen
    assert isinstance(screen, ManagerScreen)
    row = screen.audit.list.cursor - screen.audit.first
    return 0 <= row < screen.audit.size.height - 1 and "│▸ " in shown(pilot)


async def cursor_comes_to_be_seen(pilot: "Pilot[None]") -> None:
    """A resize and a filter take their time, which is a timer's."""

    async def look() -> bool:
        try:
            return cursor_is_seen(pilot)
        except AssertionError:  # what is drawn has the size of before still
            return False

    await wait_until(look, bool)


async def test_the_selected_act_stays_on_the_screen(fleet: FakeOperator, running: Running) -> None:
    for number in range(120):
        fleet.record("violation", host=fleet.hosts["db2"], actor=f"host {number}")
    async with running(fleet, (120, 40)) as pilot:
        await press(pilot, "4")
        await cursor_comes_to_be_seen(pilot)
        await press(pilot, "pagedown")
        for size in ((120, 24), (80, 30), (60, 16), (160, 48)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            await cursor_comes_to_be_seen(pilot)
        await press(pilot, "end", "slash")
        await cursor_comes_to_be_seen(pilot)
        await press(pilot, *"viol")
        await cursor_comes_to_be_seen(pilot)
        await press(pilot, "enter", "pagedown", "pagedown", "escape")
        await cursor_comes_to_be_seen(pilot)
        await press(pilot, "pagedown", "ctrl+z")
        await cursor_comes_to_be_seen(pilot)


@pytest.mark.parametrize("came", [1, 30, 100])
async def test_it_stays_there_when_many_acts_are_recorded(
    fleet: FakeOperator, running: Running, came: int
) -> None:
    for _ in range(60):
        fleet.record("violation", host=fleet.hosts["db2"])
    async with running(fleet, (120, 40)) as pilot:
        await press(pilot, "4", "down", "down")
        for _ in range(came):
            fleet.record("violation", host=fleet.hosts["db1"])
        fleet.publish(Changes(manager=True))
        await settle(pilot, 8)
        assert cursor_is_seen(pilot)
