"""Numbers are whole or in a shorter unit: what is left of a cut one reads as another one."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_operator.fake_core import START
from tests.support.seeded.seeded_fleet import seeded_fleet
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.tasks.task import Counts, Task
from tui_manager.domain.text.number_format import number, progress, running_time
from tui_manager.ui.drawing.spans import plain, shorten_middle, spans, width_of
from tui_manager.ui.hosts.all_hosts_table import COLUMNS as HOST_COLUMNS
from tui_manager.ui.hosts.all_hosts_table import host_cell
from tui_manager.ui.hosts.host_facts import host_facts
from tui_manager.ui.listing.table_layout import GAP, GUTTER, fit_columns, row_spans
from tui_manager.ui.tasks.lists.all_tasks_table import (
    WIDE_COLUMNS,
    columns_for,
    counts_line,
    task_cell,
)
from tui_manager.ui.tasks.one_task.command_host_table import STEP_COLUMNS, command_host_cell
from tui_manager.ui.tasks.one_task.task_head import task_head

_FACTOR = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


@pytest.mark.parametrize(
    ("value", "width", "shown"),
    [
        (0, 3, "0"),
        (999, 3, "999"),
        (1_600, 4, "1600"),
        (1_600, 3, "1k"),
        (16_000, 4, "16k"),
        (19_999, 4, "19k"),
        (160_000, 4, "160k"),
        (1_999_999, 4, "1.9M"),
        (2_300_000_000, 4, "2.3G"),
    ],
)
def test_a_number_in_few_cells(value: int, width: int, shown: str) -> None:
    assert number(value, width) == shown


@given(st.integers(0, 999_999_999_999), st.integers(4, 12))
def test_it_fits_and_is_rounded_down_by_less_than_half(value: int, width: int) -> None:
    text = number(value, width)
    assert len(text) <= width
    match = re.fullmatch(r"(\d+(?:\.\d)?)([kMG]?)", text)
    assert match
    shown = float(match[1]) * _FACTOR[match[2]]
    assert shown <= value + 0.001
    assert value == 0 or shown > value / 2


@given(st.integers(0, 99_999), st.integers(1, 99_999), st.integers(7, 11))
def test_what_is_not_all_never_reads_as_all(done: int, total: int, width: int) -> None:
    if done < total:
        text = progress(done, total, width)
        assert len(text) <= width
        first, second = text.split("/")
        assert first != second or len(f"{done}/{total}") > width
    assert (
        progress(total, total, width).split("/")[0] == progress(total, total, width).split("/")[1]
    )


@pytest.mark.parametrize(
    ("seconds", "width", "shown"),
    [
        (47_109, 8, "13:05:09"),
        (47_109, 7, "13h05m"),
        (47_109, 5, "13h"),
        (400_000, 8, "4d 15:06"),
        (400_000, 7, "4d15h"),
        (400_000, 4, "4d"),
        (761, 4, "12m"),
    ],
)
def test_a_running_time_in_few_cells(seconds: int, width: int, shown: str) -> None:
    assert running_time(timedelta(seconds=seconds), width) == shown


async def large_task() -> Task:
    fleet = await seeded_fleet()
    task = (await fleet.list_tasks(Window())).rows[0]
    counts = Counts(total=20_000, completed=16_399, failed=1_600, running=2_001)
    return replace(
        task,
        task_id=60_031,
        counts=counts,
        host_count=20_000,
        hosts_ended=17_999,
        hosts_failed=1_600,
        started_at=START - timedelta(hours=13, minutes=5),
        finished_at=None,
    )


@pytest.mark.parametrize("width", range(50, 160))
async def test_a_row_of_a_large_task_cuts_no_number(width: int) -> None:
    task = await large_task()
    widths = fit_columns(columns_for(WIDE_COLUMNS, [task]), width - GUTTER)
    assert sum(cells + GAP for _, cells in widths) - GAP <= width - GUTTER
    for column, cells in widths:
        if column.key not in ("name", "target", "by"):
            assert width_of(task_cell(task, column.key, cells, START)) <= cells, column.key
    row = plain(
        row_spans(
            widths,
            lambda key, cells: task_cell(task, key, cells, START),
            current=False,
            marked=False,
        )
    )
    assert "60031" in row
    assert "17999/20000" in row
    assert "1600✘" in row


async def test_a_row_of_a_busy_host_cuts_no_number() -> None:
    fleet = await seeded_fleet()
    for host in (await fleet.list_hosts(Window(limit=100))).rows:
        if host.vitals is None:
            continue
        vitals = replace(host.vitals, load_1m=12_345.67, cpu_percent=100.0, running=1_600)
        busy = replace(host, capacity=100_000, vitals=vitals)
        for column in HOST_COLUMNS:
            if column.right:
                cells = width_of(host_cell(busy, column.key, column.width, START))
                assert cells <= column.width, column.key
        for width in range(40, 120):
            facts = host_facts(busy, START, width)
            start = next(n for n, line in enumerate(facts) if plain(line).startswith("load"))
            for line in facts[start : start + 3]:
                assert width_of(line) <= width


async def test_a_row_of_a_long_command_cuts_no_number() -> None:
    fleet = await seeded_fleet()
    row = (await fleet.list_command_hosts(1, Window())).rows[0]
    long = replace(
        row,
        command=119,
        started_at=START - timedelta(days=12, hours=11),
        finished_at=START,
        stdout_bytes=999_000_000,
        truncated_bytes=5,
    )
    for column in STEP_COLUMNS:
        if column.right:
            assert (
                width_of(command_host_cell(long, column.key, column.width, START)) <= column.width
            )


async def test_the_head_of_a_large_task_cuts_no_number() -> None:
    fleet = await seeded_fleet()
    detail = replace(await fleet.get_task(1), task=await large_task())
    assert "20,000 hosts: 16,399 completed  1,600 failed  2,001 running" not in plain(
        task_head(detail, START, 60)[1]
    )
    for width in range(60, 160):
        assert width_of(task_head(detail, START, width)[1]) <= width
    assert plain(counts_line(detail.task.counts, 20_000, 40)) == "20,000 16k✔ 1600✘ 2001▶"


@pytest.mark.parametrize(
    ("width", "shown"),
    [(40, "batch-ap-south-1-node0123"), (25, "batch-ap-south-1-node0123"), (16, "batch-a…node0123"),
     (8, "bat…0123"), (2, "b…"), (1, "…"), (0, "")],
)  # fmt: skip
def test_a_name_keeps_its_end(width: int, shown: str) -> None:
    text = shorten_middle("batch-ap-south-1-node0123", width)
    assert width_of(spans(text)) <= width
    assert text == shown


@given(st.text(max_size=30), st.integers(1, 40))
def test_a_name_cut_in_its_middle_fits(text: str, width: int) -> None:
    cut = shorten_middle(text, width)
    assert width_of(spans(cut)) <= width
    assert cut == text or "…" in cut
