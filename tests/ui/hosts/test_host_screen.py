"""The screen of one host."""

from dataclasses import replace
from datetime import timedelta

import pytest
from textual.widgets import Input

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.hosts.host import HostDetail, HostRun
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.hosts.vitals import HISTORY_MINUTES, Disk, VitalsPoint
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission, Reason
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.transitions import Operation
from tui_manager.ui.drawing.spans import Role, Span, flow, plain, width_of
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.tasks.rerun_task import RerunScreen
from tui_manager.ui.hosts.host_facts import all_facts
from tui_manager.ui.hosts.host_head import host_head, host_vitals, minutes_of, spark_of_hour
from tui_manager.ui.hosts.host_run_table import in_order, matching_runs, run_cell
from tui_manager.ui.hosts.host_screen import HostScreen
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen

SIZES = [(80, 24), (120, 36), (200, 50)]
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def two() -> FakeOperator:
    """web01 has completed one task and fails in another; web02 runs that one."""
    fleet = FakeOperator()
    fleet.add_host("web01", labels={"role": "web"})
    fleet.add_host("web02")
    for name in ("check disk", "deploy"):
        spec = TaskSpec("@all", (CommandSpec("true"),), name)
        await fleet.start_task(await fleet.create_task(spec))
    fleet.emit(fleet.execution(1, "web01"), b"old output of web01\n")
    for name in ("web01", "web02"):
        fleet.finish(fleet.execution(1, name))
    fleet.apply(fleet.execution(2, "web02"), Operation.START)
    fleet.emit(fleet.execution(2, "web01"), b"said by web01\n")
    fleet.emit(fleet.execution(2, "web02"), b"said by web02\n")
    fleet.finish(fleet.execution(2, "web01"), exit_code=4)
    return fleet


def detail_of(fleet: FakeOperator, **fields: object) -> HostDetail:
    return HostDetail(replace(fleet.hosts["web01"], **fields))  # type: ignore[arg-type]


def lines_of(lines: tuple[tuple[Span, ...], ...]) -> list[str]:
    return [plain(line) for line in lines]


# The screen.


@pytest.mark.parametrize("size", SIZES)
async def test_a_host_shows_its_own_outcomes_and_its_output_only(
    two: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    two.facts["host-web01"] = {"os": "debian"}
    async with running(two, size) as pilot:
        await press(pilot, "2", "enter")
        assert isinstance(pilot.app.screen, HostScreen)
        text = shown(pilot)
        assert "✘     #2 deploy" in text
        assert " exit 4 " in text
        assert "● web01   online" in text
        if size[0] == 80:
            await press(pilot, "tab")
            text = shown(pilot)
        assert "said by web01" in text
        assert "said by web02" not in text
        if size[0] == 80:
            await press(pilot, "tab")
            assert "os  debian" in shown(pilot)
            await press(pilot, "tab")
        await press(pilot, "down")
        if size[0] == 80:
            await press(pilot, "tab")
        assert "old output of web01" in shown(pilot)


async def test_what_the_keys_of_a_host_act_on(two: FakeOperator, running: Running) -> None:
    async with running(two, (80, 24)) as pilot:
        await press(pilot, "2", "enter", "n")
        assert isinstance(pilot.app.screen, NewTaskScreen)
        assert "web01" in shown(pilot)
        await press(pilot, "escape")
        await press(pilot, "R", "ctrl+u", *"shop-1", "f5")
        await settle(pilot)
        assert two.hosts["web01" if "web01" in two.hosts else "shop-1"].name == "shop-1"
        assert "● shop-1" in shown(pilot)
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, TaskScreen)
        assert pilot.app.screen.task_id == 2
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, HostScreen)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, HostsScreen)


async def test_a_run_is_canceled_and_repeated_on_this_host_only(
    two: FakeOperator, running: Running
) -> None:
    async with running(two) as pilot:
        await press(pilot, "2", "enter")
        foot = shown(pilot).splitlines()[-1]
        assert "r Run again" in foot
        assert not [key for key in ("c Cancel", "a Approve", "D Remove") if key in foot]
        await press(pilot, "c", "a")
        text = shown(pilot)
        assert "has ended on this host" in text
        assert "web01 is admitted: only a pending host can be approved." in text
        await press(pilot, "escape", "down", "enter")
        assert "Runs 2  ▶ 1 not ended" in shown(pilot)
        await press(pilot, "c")
        assert "web02" in shown(pilot)
        await press(pilot, "y")
        await settle(pilot)
        row = two.tasks[2].rows[two.execution(2, "web02")]
        assert row.cancel_requested_at is not None
        two.apply(row.execution_id, Operation.CONFIRM_CANCEL, Reason.CANCELED)
        await press(pilot, "r")
        assert isinstance(pilot.app.screen, RerunScreen)
        await press(pilot, "f5")
        await settle(pilot)
        (again,) = two.tasks[3].rows.values()
        assert again.host == "web02"
        assert "◌     #3" in shown(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_a_zoomed_pane_has_the_whole_screen(
    two: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    two.facts["host-web01"] = {"os": "debian"}
    async with running(two, size) as pilot:
        await press(pilot, "2", "enter", "tab", "z")
        for pane in ("#output", "#facts-pane", "#runs"):
            widget = pilot.app.screen.query_one(pane)
            assert widget.has_focus
            assert widget.outer_size.width == size[0], pane
            assert widget.outer_size.height == size[1] - 1, pane
            await press(pilot, "tab")
        await press(pilot, "escape")
        assert "● web01   online" in shown(pilot)


async def test_a_host_that_is_removed_closes_its_screen(
    two: FakeOperator, running: Running
) -> None:
    async with running(two) as pilot:
        await press(pilot, "2", "enter")
        del two.hosts["web01"]
        two._order = None
        two.publish(Changes(hosts=True))
        await settle(pilot)
        assert isinstance(pilot.app.screen, HostsScreen)
        assert [note.message for note in pilot.app._notifications] == ["web01 was removed."]


async def test_a_wrong_new_name_is_said_beside_it(two: FakeOperator, running: Running) -> None:
    async with running(two, (80, 24)) as pilot:
        await press(pilot, "2", "R", "f5")
        assert "Type another name than it has." in shown(pilot)
        name = pilot.app.screen.query_one("#name", Input)
        assert name.has_focus
        await press(pilot, "ctrl+u", *"a b", "f5")
        assert name.value == "a b"
        assert set(two.hosts) == {"web01", "web02"}


# What is drawn.


def test_the_head_says_what_the_host_is_and_who_admitted_it(two: FakeOperator) -> None:
    detail = replace(
        detail_of(two),
        facts={"os_name": "Debian 12"},
        admitted_at=START - timedelta(days=3),
        admitted_by="ana@pts/3",
    )
    for width in (78, 118, 198):
        lines = lines_of(host_head(detail, START, width))
        text = "   ".join(line.strip() for line in lines)
        for part in ("● web01", "role=web", "Debian 12", "10.0.0.9", " by ana"):
            assert part in text
        assert all(len(line) <= width for line in lines)


def test_the_head_tells_what_is_wrong(two: FakeOperator) -> None:
    offline = detail_of(two, online=False, vitals=None, since=START - 2 * MINUTE)
    state = host_head(offline, START, 78)[0]
    assert Span("offline for 2m", Role.FAULT) in state
    ended = Maintenance("disks", START - MINUTE, "ana@pts/3")
    assert "maintenance" not in plain(host_head(detail_of(two, maintenance=ended), START, 78)[0])
    lasts = Maintenance("disks", START + MINUTE, "ana@pts/3")
    lines = lines_of(host_head(detail_of(two, maintenance=lasts), START, 78))
    assert any("disks, until" in line for line in lines)
    pending = detail_of(two, admission=Admission.PENDING, fingerprint="a-b-c", note="Odd.")
    lines = lines_of(host_head(pending, START, 78))
    assert "pending admission" in lines[0]
    assert any("a-b-c" in line for line in lines)
    assert "▲ Odd." in lines
    assert "not known since" in plain(host_head(offline, START, 78, away=True)[0])


def test_the_hour_has_a_cell_for_each_minute_and_dots_for_gaps() -> None:
    points = [VitalsPoint(START - n * MINUTE, 100.0, 0.0) for n in (0, 1, 59)]
    cpu, memory = minutes_of(points, START + timedelta(seconds=30))
    assert len(cpu) == len(memory) == HISTORY_MINUTES
    assert spark_of_hour(cpu, 99) == "█" + "·" * 57 + "██"
    assert spark_of_hour(memory, 99) == "▁" + "·" * 57 + "▁▁"
    assert spark_of_hour(cpu, 6) == "█····█"
    peak = (*[0.0] * 59, 100.0)
    assert spark_of_hour(peak, 1) == "█"


def test_vitals_use_the_room_that_is_there(two: FakeOperator) -> None:
    points = tuple(VitalsPoint(START - n * MINUTE, 50.0, 10.0) for n in range(59, -1, -1))
    detail = replace(detail_of(two), vitals_history=points)
    assert detail.host.vitals is not None
    disks = tuple(Disk(f"/d{n}", n, 5) for n in range(1, 6))
    vitals = replace(detail.host.vitals, disks=disks, skew=timedelta(seconds=-3), load_1m=99.0)
    detail = replace(detail, host=replace(detail.host, vitals=vitals))
    for width in (78, 118, 198):
        lines = host_vitals(detail, START, width)
        assert all(width_of(line) <= width for line in lines)
        text = "   ".join(lines_of(lines))
        sparks = min(HISTORY_MINUTES, (width - 21) // 2)
        assert f"cpu {'▅' * sparks}" in text
        assert "/d5 ▓▓▓▓▓▓▓▓▓▓ 100%" in text
        assert "2 more disks" in text
    assert Span("3.0s behind", Role.CAUTION) in [span for line in lines for span in line]
    offline = replace(detail, host=replace(detail.host, online=False, vitals=None))
    assert "▅    -" in plain(host_vitals(offline, START, 78)[0])
    assert host_vitals(HostDetail(offline.host), START, 78) == ()


def test_what_a_host_says_stays_text(two: FakeOperator) -> None:
    nasty = "\x1b[2J[red]x[/]\n"
    detail = HostDetail(
        replace(two.hosts["web01"], os=nasty, address=nasty, labels={"k": nasty}),
        {"os_name": nasty, nasty: nasty},
        START,
        admitted_at=START,
        admitted_by=nasty,
    )
    run = HostRun(nasty, 1, two.tasks[1].rows[two.execution(1, "web01")])
    drawn = [
        *host_head(detail, START, 78),
        *all_facts(detail, START, 40),
        run_cell(run, "name", 20, START),
    ]
    for line in drawn:
        assert plain(line).isprintable()
    assert any("[red]x[/]" in plain(line) for line in drawn)


# Its runs.


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("EXIT 4", [2]),
        ('"exit 4"', [2]),
        ("#2", [2]),
        ("2", [2]),
        ("/^task [12]$/", [2, 1]),
        ("exit=4", [2]),
        ("status!=failed", [1]),
        ("!task", []),
        ('name="task 1"', [1]),
        ("id=1 task", [1]),
    ],
)
def test_runs_are_filtered_in_the_language_of_lists(
    two: FakeOperator, text: str, numbers: list[int]
) -> None:
    runs = [HostRun(f"task {n}", 3, two.tasks[n].rows[two.execution(n, "web01")]) for n in (2, 1)]
    found = matching_runs(runs, Window(text=text))
    assert [run.row.task_id for run in found] == numbers


async def test_a_wrong_filter_of_runs_is_refused(two: FakeOperator, running: Running) -> None:
    async with running(two, (160, 48)) as pilot:
        await pilot.app.run_action(f"app.open_host('{two.hosts['web01'].host_id}')")
        await settle(pilot)
        await press(pilot, "slash", *"host=x")
        await settle(pilot)
        assert "A list of runs has no key 'host'; it has status, reason" in shown(pilot)


def test_runs_that_have_not_ended_come_first(two: FakeOperator) -> None:
    new, old = (
        HostRun(f"task {n}", 3, two.tasks[n].rows[two.execution(n, "web01")]) for n in (2, 1)
    )
    open_ = HostRun("open", 3, two.tasks[2].rows[two.execution(2, "web02")])
    assert in_order([new, open_, old]) == [open_, new, old]
    assert matching_runs([new, old], Window(faults_only=True)) == [new]
    assert plain(run_cell(new, "step", 5, START)) == "1/3"
    assert plain(run_cell(new, "when", 6, START)) == f"{START:%H:%M}"
    whole = replace(new, started_at=START - timedelta(minutes=2), finished_at=START)
    assert plain(run_cell(whole, "time", 7, START)) == "2:00"
    assert plain(run_cell(replace(whole, finished_at=None), "time", 7, START)) == "2:00"
    later = START + timedelta(days=1)
    assert plain(run_cell(new, "when", 12, later)) == f"{START.day} {START:%b %H:%M}"
    assert plain(run_cell(new, "when", 6, later)) == f"{START.day} {START:%b}"
    assert plain(run_cell(new, "when", 6, START + timedelta(days=400))) == f"{START:%Y}"


def test_parts_flow_into_lines_and_are_never_broken() -> None:
    parts = [(Span(text),) for text in ("aaaa", "bb", "cccccccccccc", "d")]
    assert lines_of(flow(parts, 9)) == ["aaaa   bb", "cccccccc…", "d"]
    assert flow([], 9) == ()
