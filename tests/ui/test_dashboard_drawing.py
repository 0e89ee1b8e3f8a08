"""What the dashboard draws, as pure functions: where its panes are, its rows, the header."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from textual.geometry import Region, Size

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tests.support.seeded.seeded_fleet import seeded_fleet
from tests.ui.conftest import Running, settle, shown
from tui_manager.domain.hosts.vitals import Disk, Vitals
from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.tasks.task import Counts, Hold, RolloutProgress, Task
from tui_manager.domain.tasks.task_map import FailureGroup, TaskSummary
from tui_manager.ui.dashboard_panes import HOSTS, NOW, OUTPUT, RECENT, TABS, pane_regions
from tui_manager.ui.drawing.spans import plain, width_of
from tui_manager.ui.frame.header import attention_spans, header_line
from tui_manager.ui.hosts.dashboard_hosts_table import dashboard_cell, fullest_disk, title_counts
from tui_manager.ui.listing.table_layout import Column, fit_columns
from tui_manager.ui.tasks.lists import recent_tasks_table, running_tasks_table
from tui_manager.ui.tasks.lists.all_tasks_table import (
    COLUMNS,
    WIDE_COLUMNS,
    short_author,
    task_cell,
)
from tui_manager.ui.tasks.lists.recent_tasks_table import hosts_spans
from tui_manager.ui.tasks.lists.running_tasks_table import (
    RunningTask,
    failed_spans,
    merge_for,
    running_cell,
    waits_text,
)
from tui_manager.ui.tasks.lists.task_selection import clock_text


async def task(number: int, **fields: object) -> Task:
    return replace((await (await seeded_fleet()).get_task(number)).task, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("now_lines", [0, 4, 7, 90])
@pytest.mark.parametrize("size", [(60, 16), (80, 22), (99, 22), (100, 34), (189, 40), (190, 48)])
def test_the_panes_fill_the_screen_and_do_not_overlap(
    size: tuple[int, int], now_lines: int
) -> None:
    for front in (RECENT, HOSTS, OUTPUT):
        regions = pane_regions(Size(*size), now_lines, front)
        assert sum(region.area for region in regions.values()) == size[0] * size[1]
        for region in regions.values():
            assert region.intersection(Region(0, 0, *size)) == region
        assert regions[NOW].height <= max(4, size[1] // 3)
        assert (regions[NOW].height == 0) == (now_lines == 0)
        assert front in regions


def test_a_narrow_screen_has_tabs_and_a_wide_one_three_columns() -> None:
    assert set(pane_regions(Size(80, 22), 5, OUTPUT)) == {NOW, TABS, OUTPUT}
    two = pane_regions(Size(120, 34), 5, OUTPUT)
    assert set(two) == {NOW, RECENT, HOSTS, OUTPUT}
    assert two[NOW].width == 120
    three = pane_regions(Size(200, 48), 5, OUTPUT)
    assert three[OUTPUT].height == three[HOSTS].height == 48
    assert (three[NOW].width, three[RECENT].y) == (three[RECENT].width, 5)


async def row(task: Task, width: int, failed: tuple[str, ...] = ()) -> str:
    shown = RunningTask(task, failed)
    widths = merge_for(task, fit_columns(running_tasks_table.columns_for([shown]), width))
    cells = (plain(running_cell(shown, column.key, cells, START)) for column, cells in widths)
    return " ".join(cells)


async def test_a_running_task_says_where_it_is() -> None:
    upgrade = await task(5)
    wide = await row(upgrade, 140, ("web03", "web13"))
    for part in (
        "▶",
        "5",
        "upgrade packages",
        "role=web",
        "11/14",
        "2✘ web03,web13",
        "0:41",
        "ana",
    ):
        assert part in wide
    assert "batch" not in wide
    rollout = RolloutProgress(2, 3, 5, 4, 1, None, 0)
    assert "batch 2 of 3" in await row(replace(upgrade, rollout=rollout), 140)
    narrow = await row(upgrade, 60, ("web03", "web13"))
    assert "11/14" in narrow
    assert "2✘ web03,…" in narrow


@pytest.mark.parametrize("width", [56, 75, 115])
async def test_a_task_that_waits_says_what_ends_that(width: int) -> None:
    upgrade = await task(5)
    held = await row(replace(upgrade, hold=Hold(1, 3, None)), width)
    assert held.startswith("‖")
    assert "on hold" in held
    assert "2✘" in held
    paused = await row(replace(upgrade, paused=True), width)
    assert ("paused: p goes on" if width > 56 else "paused") in paused
    canceling = await row(replace(upgrade, cancel_requested_at=START), width)
    assert canceling.startswith("■")
    assert "canceling" in canceling
    assert width < 100 or "on hold after batch 1: p goes on" in held


async def test_what_a_task_waits_for_is_never_cut() -> None:
    paused = replace(await task(5), paused=True)
    assert [waits_text(paused, width) for width in (40, 28, 20, 6)] == [
        "paused: p goes on, c cancels",
        "paused: p goes on, c cancels",
        "paused: p goes on",
        "paused",
    ]


@pytest.mark.parametrize(
    ("hosts", "names", "width", "shown"),
    [
        (0, (), 20, ""),
        (2, ("db02", "web03"), 20, "2✘ db02,web03"),
        (3, ("db02", "web03"), 20, "3✘ db02,web03,…"),
        (2, ("db02", "web03"), 9, "2✘ db02,…"),
        (2, ("db02", "web03"), 8, "2✘"),
        (1200, ("a" * 30,), 12, "1200✘"),
        (123456, ("a",), 4, "123k✘"),
    ],
)
def test_names_of_failed_hosts_are_whole(
    hosts: int, names: tuple[str, ...], width: int, shown: str
) -> None:
    assert plain(failed_spans(hosts, names, width)) == shown


async def test_why_a_task_failed_stands_behind_the_names_if_there_is_room() -> None:
    cause = FailureGroup(CommandHostStatus.FAILED, Reason.EXIT_CODE, 3, None, 2, "", 0)
    failed = replace(await task(5), hosts_failed=2, counts=Counts(8, failed=2, running=6))
    row = RunningTask(failed, ("db02", "web03"), TaskSummary((cause,)))
    for width, names in (
        (40, "2✘ db02,web03  exit 3 on 2"),
        (25, "2✘ db02,web03  exit 3"),
        (20, "2✘ db02,web03"),
    ):
        assert plain(running_cell(row, "failed", width, START)) == names
    many = replace(row, task=replace(failed, hosts_failed=5))
    assert plain(running_cell(many, "failed", 25, START)) == "5✘ db02,…  exit 3 on 2"
    skipped = replace(failed, hosts_failed=0, counts=Counts(8, skipped=2))
    spent = replace(cause, status=CommandHostStatus.SKIPPED, reason=Reason.BUDGET_SPENT)
    held = RunningTask(skipped, (), TaskSummary((spent,)))
    assert plain(running_cell(held, "failed", 25, START)) == "2 over the budget"


async def test_a_recent_task_counts_hosts() -> None:
    disk = await task(2)  # two steps on three hosts
    assert plain(hosts_spans(disk, 8)) == "1✘ of 3"
    assert plain(hosts_spans(replace(disk, hosts_failed=0), 8)) == "3"
    skipped = replace(disk, hosts_failed=0, counts=Counts(6, completed=4, skipped=2))
    assert plain(hosts_spans(skipped, 8)) == "2⤼ of 3"
    many = replace(disk, host_count=10_000, hosts_failed=1_234)
    assert [plain(hosts_spans(many, width)) for width in (16, 10, 5)] == [
        "1234✘ of 10000", "1k✘ of 10k", "1234✘",
    ]  # fmt: skip
    assert len(plain(hosts_spans(many, 8))) <= 8
    pending = await task(6)
    assert plain(hosts_spans(pending, 8)) == ""


def test_a_time_of_today_is_a_clock_and_an_older_one_a_date() -> None:
    now = datetime(2026, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert clock_text(now - timedelta(minutes=20), now) == "00:10"
    assert clock_text((now - timedelta(minutes=20)).astimezone(UTC), now) == "00:10"
    assert clock_text(now - timedelta(minutes=40), now) == "1 Mar"
    assert clock_text(now - timedelta(days=90), now) == "2025"


async def test_an_author_is_a_user_or_a_schedule() -> None:
    assert [
        short_author(await task(1, created_by=by)) for by in ("ana@pts/3", "bo", "schedule:nightly")
    ] == ["ana", "bo", "nightly"]
    assert plain(task_cell(await task(1, created_by="ana@pts/3"), "by", 8, START)) == "ana"


@pytest.mark.parametrize("columns", [COLUMNS, WIDE_COLUMNS])
def test_the_number_of_failed_hosts_has_a_heading(columns: Sequence[Column]) -> None:
    (faults,) = (column for column in columns if column.key == "faults")
    assert faults.title == "FAILED"
    assert faults.width >= len(faults.title)


async def test_a_recent_row_fits_any_width() -> None:
    disk = await task(2, created_by="schedule:nightly")
    for width in (40, 56, 75, 120):
        widths = fit_columns(recent_tasks_table.columns_for([disk], width), width)
        for column, cells in widths:
            assert width_of(recent_tasks_table.recent_cell(disk, column.key, cells, START)) <= max(
                cells, 12
            )
        keys = [column.key for column, _ in widths]
        assert {"state", "id", "name"} <= set(keys)
        assert {"hosts", "hosts_and_why"} & set(keys)


async def test_a_host_on_which_the_selected_task_failed_has_its_glyph() -> None:
    fleet = await seeded_fleet()
    host = fleet.hosts["web01"]
    assert plain(dashboard_cell(host, "state", 1, START)) == "●"
    assert plain(dashboard_cell(host, "state", 1, START, failed=True)) == "✘"
    assert plain(dashboard_cell(fleet.hosts["web06"], "state", 1, START)) == "▶"
    assert plain(dashboard_cell(fleet.hosts["db9"], "state", 1, START, failed=True)) == "◌"
    assert plain(dashboard_cell(host, "disk", 4, START)) == "36%"
    full = replace(
        host, vitals=Vitals(disks=(Disk("/", 95, 100), Disk("/a", 1, 100), Disk("/b", 0, 0)))
    )
    assert fullest_disk(full) == 95
    assert fullest_disk(replace(host, vitals=None)) is None
    assert plain(title_counts(2, 4, 1)) == "✘2 ▶4 ○1 "
    assert title_counts(0, 0, 0) == ()


def _alerts(*texts: str) -> tuple[Alert, ...]:
    return tuple(map(Alert, texts))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
async def test_the_header_has_the_fleet_and_the_most_urgent_alert(width: int) -> None:
    status = await (await seeded_fleet()).manager_status()
    full = replace(
        status, attention=_alerts("Results wait for the database: The disk is full.", "Else.")
    )
    line = plain(header_line(full, "", START, width, place="ops@m1"))
    assert "▲ Results" in line
    assert "16/17 hosts ○1   ◌ 1 pending" in line, "a pending host is not one of the 17"
    assert ("failed today" in line) == (width > 80)
    assert line.endswith("  14:03 ")
    assert ("ops@m1" in line) == (width > 80)


async def test_the_header_says_what_is_slow_only_when_it_is() -> None:
    status = await (await seeded_fleet()).manager_status()
    calm = plain(header_line(status, "", START, 200))
    for absent in ("slow", "commit", "7443", "mTLS", "INSECURE"):
        assert absent not in calm
    slow = replace(status, health=replace(status.health, commit_seconds=2.1))
    assert "database slow: 2.1s" in plain(header_line(slow, "", START, 200))
    slow = replace(status, health=replace(status.health, loop_lag_seconds=0.4))
    assert "manager slow: 400ms" in plain(header_line(slow, "", START, 200))
    assert "INSECURE" in plain(header_line(replace(status, security="insecure"), "", START, 60))


async def test_the_header_has_its_width_always() -> None:
    status = await (await seeded_fleet()).manager_status()
    for alerts in ((), _alerts("web03 is offline for 42 s."), status.attention):
        for width in range(60, 210):
            line = header_line(replace(status, attention=alerts), "", START, width, place="ops@m1")
            assert width_of(line) == width
            assert "14:03" in plain(line)
            assert ("no alerts" in plain(line)) == (not alerts)


async def test_the_header_says_nothing_of_alerts_if_only_the_storage_has_trouble() -> None:
    status = await (await seeded_fleet()).manager_status()
    status = replace(status, health=replace(status.health, storage_error="The disk is full."))
    storage, other = _alerts("Results wait for the database: The disk is full.", "Else.")
    for width in (80, 120, 200):
        line = header_line(replace(status, attention=(storage,)), "", START, width)
        assert "✘ results cannot be stored" in plain(line)
        assert "alerts" not in plain(line)
        assert width_of(line) == width
        line = header_line(replace(status, attention=(storage, other)), "", START, width)
        assert "▲ Else" in plain(line)


NOT_HEARD = (
    "Manager m2 (10.0.0.2:7443) was not heard{}: 4,000 hosts that it had last are offline. Look."
)


@pytest.mark.parametrize(
    ("alerts", "room", "shown"),
    [
        ((), 30, "no alerts"),
        (("web03 is offline for 42 s.",), 40, "○ web03 offline 42s"),
        (("Task 1 is on hold: resume it.", "b"), 40, "▲ Task 1 is on hold  +1 more: 4"),
        (("Task 1 is on hold after batch 1.", "b"), 32, "▲ Task 1 is on hold…  +1 more: 4"),
        (("Task 1 is on hold.", "b"), 21, "▲ Task 1 is…  +1 more"),
        (("web03 is offline.",), 40, "○ web03 offline"),
        ((NOT_HEARD.format(" for 12 s"),), 40, "▲ manager m2 not heard 12s"),
        ((NOT_HEARD.format(""), "b"), 40, "▲ manager m2 not heard  +1 more: 4"),
        (("Task 1 is on hold.", "b", "c"), 12, "▲ 3 alerts"),
        (("\x1b[31mred\n", "b"), 40, None),
    ],
)
def test_an_alert_is_said_in_its_first_words(
    alerts: tuple[str, ...], room: int, shown: str | None
) -> None:
    text = plain(attention_spans(_alerts(*alerts), room, "4"))
    assert shown is None or text == shown
    assert text.isprintable()


async def test_the_header_says_since_when_the_manager_is_gone() -> None:
    status = await (await seeded_fleet()).manager_status()
    line = plain(header_line(status, "It has ended.", START, 80, START))
    assert "✘ manager away since 14:03:22: It has ended." in line


@pytest.mark.parametrize(
    ("width", "own_column"), [(56, False), (59, False), (62, True), (90, True)]
)
async def test_recent_says_why_a_task_failed_beside_another_list(
    width: int, own_column: bool
) -> None:
    fleet = await seeded_fleet()
    task = (await fleet.get_task(2)).task
    summary = (await fleet.summarize_tasks([2]))[2]
    widths = fit_columns(recent_tasks_table.columns_for([task], width), width)
    cells = {
        column.key: plain(recent_tasks_table.recent_cell(task, column.key, cells, START, summary))
        for column, cells in widths
    }
    assert ("why" in cells) is own_column
    assert ("hosts_and_why" in cells) is not own_column
    assert cells.get("hosts_and_why", "1✘ exit 2") == "1✘ exit 2"
    assert cells.get("why", "exit 2 on 1") in ("exit 2 on 1", "exit 2")
    assert {"target", "when", "by"} <= cells.keys(), "nothing else gives way"
    unknown = recent_tasks_table.recent_cell(task, "hosts_and_why", 12, START)
    assert plain(unknown) == "1✘ of 3", "before it is read"


async def test_recent_shows_the_reason_on_a_usual_terminal(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (120, 36)) as pilot:
        await settle(pilot)
        assert "1✘ exit 2" in shown(pilot)
