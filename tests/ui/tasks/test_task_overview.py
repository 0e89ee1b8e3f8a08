"""The overview of a task on its screen: a cell a host, failures by cause."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.support.seeded.seeded_fleet import seeded_fleet
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason
from tui_manager.domain.tasks.common_label import CommonLabel
from tui_manager.domain.tasks.task import Counts
from tui_manager.domain.tasks.task_map import WORST_FIRST, FailureGroup, TaskMap
from tui_manager.ui.drawing.spans import Span, plain, shorten_middle, shorten_name, width_of
from tui_manager.ui.tasks.failure_summary import failure_lines, failure_words
from tui_manager.ui.tasks.one_task.task_map_strip import Cell, map_cells, map_lines


def drawn(task_map: TaskMap, width: int, lines: int) -> list[str]:
    return [plain(line) for line in map_lines(map_cells(task_map, width, lines), width)]


def test_each_host_has_a_cell_and_batches_are_set_apart() -> None:
    assert drawn(TaskMap(("f", "frr", "cp")), 80, 1) == ["✘ ✘▶▶ ✔◌"]
    assert drawn(TaskMap(("xts",)), 2, 2) == ["⊘◷", "⤼"]


def test_of_many_hosts_a_cell_shows_the_worst() -> None:
    lines = drawn(TaskMap(("c" * 500 + "f" + "c" * 499, "p" * 1000)), 60, 1)
    assert lines == ["✔" * 9 + "✘" + "✔" * 9 + " " + "◌" * 19 + "  1 cell = 53 hosts"]
    cells = map_cells(TaskMap(("cccf",)), 2, 1)
    assert cells.lines == ((Cell("c", 0), Cell("f", 3)),)  # the host that decides it


@given(
    st.lists(st.text(WORST_FIRST, min_size=1, max_size=60), max_size=60),
    st.integers(1, 50),
    st.integers(1, 4),
)
def test_no_host_is_lost_and_nothing_is_too_wide(
    batches: list[str], width: int, lines: int
) -> None:
    task_map = TaskMap(tuple(batches))
    cells = map_cells(task_map, width, lines)
    drawn_lines = map_lines(cells, width)
    assert len(drawn_lines) <= lines
    assert all(width_of(line) <= width for line in drawn_lines)
    letters = task_map.letters
    shown = [cell for line in cells.lines for cell in line if cell is not None]
    assert all(letters[cell.number] == cell.letter for cell in shown)
    if letters:
        worst = min(letters, key=WORST_FIRST.index)
        assert worst in {cell.letter for cell in shown}


def group(hosts: int, names: str, reason: Reason = Reason.EXIT_CODE, code: int = 4) -> FailureGroup:
    exit_code = code if reason is Reason.EXIT_CODE else None
    return FailureGroup(Status.FAILED, reason, exit_code, None, hosts, names, min(hosts, 40))


def test_failures_are_told_by_their_cause() -> None:
    groups = (group(120, "web[01-40]"), group(1, "db01", Reason.UNDELIVERABLE))
    assert [plain(line) for line in failure_lines(groups, 80, 4)] == [
        "✘ exit 4: 120 hosts web[01-40],…",
        "✘ could not be delivered: 1 host db01",
    ]
    (line,) = failure_lines(groups, 80, 1)
    assert plain(line) == (
        "✘ exit 4: 120 hosts web[01-40],…   ✘ could not be delivered: 1 host db01"
    )
    assert failure_lines((), 80, 4) == ()


def test_the_label_that_failed_hosts_have_in_common_is_told() -> None:
    one = replace(group(12, "web[01-12]"), label=CommonLabel("zone=[eu]", 0, 80))
    two = replace(one, label=CommonLabel("zone=[eu]", 2, 80))
    assert [plain(line) for line in failure_lines((one, two), 80, 4)] == [
        "✘ exit 4: 12 hosts, all in zone=[eu] web[01-12]",
        "✘ exit 4: 12 hosts, all in zone=[eu] as 2 of 80 others web[01-12]",
    ]
    (line,) = failure_lines((one, two), 67, 1)
    assert plain(line) == "✘ exit 4: 12 hosts, all in zone=[eu] web[01-12]   and 1 more cause"
    assert plain(failure_lines((one,), 24, 4)[0]) == "✘ exit 4: 12 hosts"


def test_causes_without_room_are_counted() -> None:
    groups = tuple(group(9 - code, f"web[01-0{9 - code}]", code=code) for code in range(1, 8))
    lines = failure_lines(groups, 80, 3)
    assert [plain(line) for line in lines][1:] == [
        "✘ exit 2: 7 hosts web[01-07]", "and 5 more causes"
    ]  # fmt: skip
    many = (group(40, "web[0003,0015,0027,0039,0051,0063]"),)
    assert plain(failure_lines(many, 44, 4)[0]) == "✘ exit 4: 40 hosts web[0003,0015,0027,0039,…"
    for width in range(40, 200):
        (line,) = failure_lines(groups, width, 1)
        assert width_of(line) <= width
        shown = plain(line).count("exit")
        assert (f"and {7 - shown} more cause" in plain(line)) == (shown < 7)


def test_a_name_is_cut_in_its_middle() -> None:
    assert shorten_middle("batch-ap-0017.example", 12) == "batch…xample"
    assert shorten_middle("web01", 5) == "web01"
    assert shorten_name("batch-ap-0017.example.com", 18) == "batch-ap-0017.exa…"
    assert shorten_name("batch-ap-europe-0017.example.com", 12) == "batch…e-0017"
    for width in range(1, 12):
        assert width_of((Span(shorten_middle("名名名名名名", width)),)) <= width


async def test_a_row_says_why_its_task_has_failed() -> None:
    task = (await seeded_fleet()).tasks[2].row
    task = replace(task, host_count=8, counts=Counts(8, failed=4, completed=4))
    causes = (group(2, "a,b", code=3), group(1, "c", Reason.UNDELIVERABLE), group(1, "d", code=9))
    for width, words in (
        (60, "exit 3 on 2, 1 unreachable, exit 9 on 1"),
        (38, "exit 3, unreachable, exit 9"),
        (26, "exit 3, unreachable, …"),
        (20, "exit 3 on 2, …"),
        (12, "exit 3, …"),
        (8, ""),
    ):
        assert failure_words(task, causes, width) == words
    assert failure_words(task, causes[:1], 10) == "exit 3"
    assert failure_words(replace(task, host_count=1), causes[1:2], 20) == "unreachable"
    assert failure_words(replace(task, counts=Counts(8, completed=8)), causes, 60) == ""
    many = replace(task, host_count=9000, counts=Counts(9000, failed=9000))
    assert failure_words(many, (group(500, "a"), group(3, "b", code=3)), 40) == (
        "exit 4 on 500+, exit 3 on 3"
    )
    steps = replace(many, host_count=4500)  # a host may have failed twice
    assert failure_words(steps, (group(250, "a"),), 20) == "exit 4 on 250+"


async def test_every_cause_fits_the_column_of_a_wide_terminal() -> None:
    task = replace((await seeded_fleet()).tasks[2].row, host_count=8, counts=Counts(8, failed=4))
    for reason in {*Reason} - {Reason.NONE, Reason.CANCELED, Reason.EARLIER_FAILED}:
        assert failure_words(task, (group(1000, "a", reason),), 24).strip()
