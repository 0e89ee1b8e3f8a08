"""Hosts, tasks and command hosts as cells."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tests.support.seeded.seeded_fleet import seeded_fleet
from tui_manager.domain.hosts.host import labels_text
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.output.last_line import LastLine
from tui_manager.domain.presentation.state_words import command_host_text
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.tasks.task import CommandHost, Counts
from tui_manager.domain.text.number_format import (
    age,
    clock_words,
    day_and_time,
    running_time,
    short_duration,
    size,
    sparkline,
    timeout_text,
)
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.bars import divide_cells, progress_bar
from tui_manager.ui.drawing.spans import Role, Span, fit, plain, shorten, width_of
from tui_manager.ui.drawing.state_words_and_colours import MAINTENANCE, OFFLINE, ONLINE
from tui_manager.ui.hosts import all_hosts_table, dashboard_hosts_table
from tui_manager.ui.hosts.all_hosts_table import host_cell, no_hosts
from tui_manager.ui.hosts.host_facts import host_facts
from tui_manager.ui.listing.table_layout import Column, fit_columns, no_match_lines, table_title
from tui_manager.ui.tasks.lists import all_tasks_table
from tui_manager.ui.tasks.one_task import command_host_table
from tui_manager.ui.tasks.one_task.task_head import task_head
from tui_manager.ui.tasks.one_task.task_steps import step_lines

DIAL = "127.0.0.1:7443"


def row(status: CommandHostStatus, reason: Reason = Reason.NONE, **fields: object) -> CommandHost:
    base = CommandHost(
        "1/0/web01", 1, 0, "host-web01", "web01", status, reason, "", None, None,
        0, 0, 0, START, START, None, None, False, False,
    )  # fmt: skip
    return replace(base, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (row(CommandHostStatus.PENDING, sent_at=None), "waits to be sent"),
        (row(CommandHostStatus.PENDING), "waits for its start"),
        (row(CommandHostStatus.RUNNING), "running"),
        (row(CommandHostStatus.RUNNING, cancel_requested_at=START), "canceling"),
        (row(CommandHostStatus.COMPLETED), "completed"),
        (
            row(CommandHostStatus.FAILED, Reason.EXIT_CODE, exit_code=100),
            "failed: exit code 100",
        ),
        (row(CommandHostStatus.FAILED, Reason.SIGNAL, signal=9), "failed: signal 9"),
        (
            row(CommandHostStatus.FAILED, Reason.REJECTED, detail="rule\x1b[2J 3"),
            "failed: rejected (rule 3)",
        ),
        (
            row(CommandHostStatus.CANCELED, Reason.CANCEL_UNCONFIRMED),
            "canceled: no proof of the kill",
        ),
        (
            row(CommandHostStatus.TIMEOUT, Reason.TIMEOUT, kill_incomplete=True, late=True),
            "timeout, some processes survive, corrected late",
        ),
    ],
)
def test_a_command_host_says_how_it_stands(what: CommandHost, words: str) -> None:
    assert command_host_text(what) == words


def test_every_reason_has_words() -> None:
    for reason in Reason:
        words = command_host_text(row(CommandHostStatus.FAILED, reason, exit_code=1, signal=1))
        assert words.startswith("failed")


def test_a_command_that_ended_in_silence_says_how_it_ended_to_the_last_word() -> None:
    detail = "refused by this host's policy (max_timeout): at most 30m, not 1h: ask\x1b[2J ana"
    refused = row(CommandHostStatus.FAILED, Reason.REJECTED, detail=detail)
    lines = [plain(line) for line in command_host_table.ended_without_output(refused, 30)]
    assert lines[0] == "No output."
    assert all(len(line) <= 30 for line in lines)
    assert " ".join(lines[1:]) == command_host_text(refused)
    assert "ask ana" in " ".join(lines)
    running = row(CommandHostStatus.RUNNING)
    assert command_host_table.ended_without_output(running, 30) == ()


def test_output_beyond_the_limit_is_marked() -> None:
    cut = row(CommandHostStatus.COMPLETED, stdout_bytes=16_000_000, truncated_bytes=5)
    last = LastLine("done", False, None)
    cell = command_host_table.command_host_cell(cut, "line", 8, START, last)
    assert plain(cell) == "✂done"


def test_every_column_of_every_row_fits_its_width() -> None:
    fleet = FakeOperator()
    host = fleet.add_host("名" * 40, labels={"k": "v" * 100}, cpu=(99.0,) * 30, memory=0.99)
    for columns, cell_of in (
        (all_hosts_table.COLUMNS, all_hosts_table.host_cell),
        (dashboard_hosts_table.COLUMNS, dashboard_hosts_table.dashboard_cell),
    ):
        for column, width in fit_columns(columns, 118):
            cell = cell_of(host, column.key, width, START)
            assert width_of(fit(cell, width, right=column.right)) == width


def test_a_host_that_is_offline_says_since_when() -> None:
    fleet = FakeOperator()
    host = fleet.add_host("web01", online=False, ago=timedelta(seconds=42))
    assert all_hosts_table.host_cell(host, "state", 1, START) == (OFFLINE,)
    assert all_hosts_table.host_cell(host, "since", 6, START) == (Span("○ 42s", Role.FAULT),)
    wide = plain(all_hosts_table.host_cell(host, "since", 20, START))
    assert (wide[:2], wide[-3:]) == ("○ ", "42s")
    assert all_hosts_table.host_cell(host, "cpu", 5, START) == ()


async def test_what_ends_the_waiting_of_a_host_is_never_cut() -> None:
    host = replace((await seeded_fleet()).hosts["db9"], note="", fingerprint="a-b-c")
    for width, hint in ((38, "  a approves, x rejects"), (30, "  a approves"), (20, "")):
        assert (
            plain(all_hosts_table.host_cell(host, "rest", width, START)) == f"pending: a-b-c{hint}"
        )


def test_a_host_says_since_when_with_the_time_if_there_is_room() -> None:
    host = FakeOperator().add_host("web01", ago=timedelta(days=2))
    assert plain(all_hosts_table.host_cell(host, "since", 6, START)) == "2d"
    wide = plain(all_hosts_table.host_cell(host, "since", 18, START))
    assert wide == f"{day_and_time(START - timedelta(days=2), START)}    2d"
    assert day_and_time(START, START) == f"{START:%H:%M}"
    assert day_and_time(START - timedelta(days=400), START)[:4] == "2025"


def test_a_maintenance_that_has_ended_is_not_shown_although_the_host_was_not_read_again() -> None:
    ends = Maintenance("disks", START + timedelta(seconds=5), "ana@pts/3")
    host = replace(FakeOperator().add_host("web01"), maintenance=ends)
    assert all_hosts_table.host_cell(host, "state", 1, START) == (MAINTENANCE,)
    assert all_hosts_table.host_cell(host, "state", 1, START + timedelta(seconds=5)) == (ONLINE,)


def test_names_and_labels_are_whole_where_there_is_room() -> None:
    needs = {"name": 20, "labels": 35}
    for cells_there, wanted in (
        (118, {"name": 20, "labels": 35}),
        (78, {"name": 19, "labels": 14}),
    ):
        columns = all_hosts_table.widen_for(all_hosts_table.COLUMNS, needs, cells_there, 64)
        widths = {column.key: cells for column, cells in fit_columns(columns, cells_there - 2)}
        assert all(widths[key] >= cells for key, cells in wanted.items())
        assert sum(widths.values()) + len(widths) - 1 <= cells_there - 2


async def test_a_task_shows_progress_faults_and_what_is_left() -> None:
    fleet = await seeded_fleet()
    task = fleet.tasks[5].row
    cells = {
        key: plain(all_tasks_table.task_cell(task, key, 10, START))
        for key in ("state", "id", "name", "target", "bar", "done", "faults", "time", "left")
    }
    assert cells == {
        "state": "▶",
        "id": "5",
        "name": "upgrade packages",
        "target": "role=web",
        "bar": "███████▓░░",
        "done": "11/14",
        "faults": "2✘",
        "time": "0:41",
        "left": "~0:11",
    }


async def test_the_head_of_a_task_tells_all_commands() -> None:
    fleet = await seeded_fleet()
    detail = await fleet.get_task(2)
    hosts = (await fleet.get_task_map(2)).counts()
    lines = [plain(line) for line in task_head(detail, START, 80, hosts)]
    facts = "role=db by schedule disk 11:00:00"
    assert lines[0] == f"#2 check disk   {facts}".ljust(61) + "✘ failed after 0:02"
    assert lines[1].endswith("  2✔ 1✘ of 3 hosts")
    assert [plain(line) for line in step_lines(detail.commands, 80)] == [
        "#1 ✔ 3✔     df -h /var/lib   timeout 5m",
        "#2 ✘ 2✔ 1✘  pg_isready   timeout 5m",
    ]


async def test_the_head_of_a_task_names_re_runs_and_who_is_left_out() -> None:
    fleet = await seeded_fleet()
    detail = await fleet.get_task(2)
    again = replace(
        detail,
        task=replace(detail.task, rerun_of=1),
        reruns=(9, 8),
        left_out=("db1", "web01", "web02"),
    )
    lines = [plain(line) for line in task_head(again, START, 80)]
    origin = "re-run of #1   run again as #9, #8   left o…"
    assert lines[1] == f"role=db by schedule disk 11:00:00   {origin}"
    assert "left out: db1,web[01-02]" in plain(task_head(again, START, 140)[0])
    assert width_of(task_head(again, START, 30)[1]) <= 30


async def test_the_head_of_a_task_tells_as_whom_it_runs_and_no_secrets() -> None:
    fleet = await seeded_fleet()
    detail = await fleet.get_task(2)
    secrets = {"PGPASSWORD": "hunter2"}
    spec = replace(detail.commands[0].spec, run_as_user="post\x1bgres", secrets=secrets)
    command = replace(detail.commands[0], spec=spec)
    user = safe_line(spec.run_as_user)
    (line,) = step_lines((command,), 80)
    assert plain(line) == f"$ df -h /var/lib   as {user}   PGPASSWORD=•••   timeout 5m"


async def test_the_head_of_a_task_says_what_its_commands_announce() -> None:
    fleet = await seeded_fleet()
    detail = await fleet.get_task(5)
    hosts = (await fleet.get_task_map(5)).counts()
    silent, told = (
        plain(task_head(detail, START, 120, hosts, percent)[-1]) for percent in (None, 61)
    )
    assert "running" not in silent
    assert told.endswith("of 14 hosts   running 61%")
    assert "▄" in told
    assert "▄" not in silent
    ended = replace(detail, task=replace(detail.task, status=TaskStatus.COMPLETED))
    assert "61%" not in plain(task_head(ended, START, 120, hosts, 61)[-1])


async def test_a_long_command_yields_to_how_it_runs() -> None:
    detail = await (await seeded_fleet()).get_task(2)
    spec = replace(detail.commands[0].spec, text="x" * 500, run_as_user="ana", secrets={"K": ""})
    commands = (replace(detail.commands[0], spec=spec), *detail.commands[1:])
    line = step_lines(commands, 60)[0]
    assert plain(line).endswith("x…   as ana   K=•••   timeout 5m")
    assert width_of(line) == 60


@pytest.mark.parametrize(
    ("counts", "bar"),
    [
        (Counts(total=14, completed=14), "██████████"),
        (Counts(total=1000, completed=999, pending=1), "█████████░"),
        (Counts(total=1000, failed=1, completed=999), "█████████▓"),
        (Counts(total=4, completed=1, failed=1, canceled=1, running=1), "███▓▓▓▒▒░░"),
        (Counts(), "░░░░░░░░░░"),
    ],
)
def test_a_bar_hides_nothing(counts: Counts, bar: str) -> None:
    assert plain(progress_bar(counts, 10)) == bar


def test_a_bar_shows_what_running_commands_announce() -> None:
    counts = Counts(total=4, completed=1, failed=1, running=2)
    assert plain(progress_bar(counts, 8)) == "██▓▓░░░░"
    assert plain(progress_bar(counts, 8, percent=50)) == "██▓▓▄▄░░"
    assert plain(progress_bar(counts, 8, percent=0)) == "██▓▓░░░░"
    assert plain(progress_bar(counts, 8, percent=100)) == "██▓▓▄▄▄▄"


def test_shares_add_up_to_the_width() -> None:
    for width in range(1, 40):
        for numbers in ([1, 0, 3], [1000, 1, 1], [5, 5, 5, 5]):
            assert sum(divide_cells(numbers, width)) == width


def test_a_sparkline_shows_the_newest_readings() -> None:
    assert sparkline((0, 50, 100), 2) == "▅█"
    assert sparkline((100,), 3) == "  █"


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("工程师", 5, "工程…"),
        ("工程师", 4, "工…"),
        ("a", 0, ""),
    ],
)
def test_text_is_cut_by_cells(text: str, width: int, shown: str) -> None:
    assert shorten(text, width) == shown


def test_columns_fold_away_by_rank() -> None:
    columns = (
        Column("a", "", 4),
        Column("b", "", 4, hide_order=1),
        Column("c", "", 4, hide_order=2, grow=1),
    )
    assert [column.key for column, _ in fit_columns(columns, 14)] == ["a", "b", "c"]
    assert [column.key for column, _ in fit_columns(columns, 13)] == ["a", "b"]
    assert [width for _, width in fit_columns(columns, 20)] == [4, 4, 10]


def test_durations_and_sizes() -> None:
    assert [running_time(timedelta(seconds=s)) for s in (7, 761, 11109, 400_000)] == [
        "0:07", "12:41", "3:05:09", "4d 15:06",
    ]  # fmt: skip
    assert [age(timedelta(seconds=s)) for s in (-1, 42, 420, 7300, 200_000)] == [
        "0s", "42s", "7m", "2h", "2d",
    ]  # fmt: skip
    assert [short_duration(s) for s in (0.0004, 0.012, 1.52)] == ["0.4ms", "12ms", "1.5s"]
    assert [size(n) for n in (0, 999, 1000, 12_000, 16_777_216, 3e12)] == [
        "0 B", "999 B", "1.0 kB", "12 kB", "17 MB", "3.0 TB",
    ]  # fmt: skip
    assert [timeout_text(timedelta(seconds=s)) for s in (90, 300, 7200, 86400)] == [
        "90s", "5m", "2h", "1d",
    ]  # fmt: skip


async def test_without_hosts_the_line_to_paste_is_shown() -> None:
    fleet = FakeOperator()
    status = await fleet.manager_status()
    whole = "tui-manager-agent run --manager 127.0.0.1:7443 --insecure --name NAME"
    assert plain(no_hosts(status, DIAL, 80)[-1]) == whole
    narrow = [plain(line) for line in no_hosts(status, DIAL, 50)[-2:]]
    assert all(len(line) <= 50 for line in narrow)
    assert "".join(narrow).replace("\\", "").split() == whole.split()
    secure = [plain(line) for line in no_hosts(replace(status, security="mTLS"), DIAL, 90)]
    assert "--join-token TOKEN" in secure[-1]
    assert any("token create" in line for line in secure)


async def test_the_fake_counts_what_it_holds() -> None:
    fleet = await seeded_fleet()
    for task in (await fleet.list_tasks(Window())).rows:
        page = await fleet.list_command_hosts(task.task_id, Window(limit=1000))
        assert task.counts.total == page.total
        assert task.counts.completed == sum(
            row.status is CommandHostStatus.COMPLETED for row in page.rows
        )


async def test_the_page_of_a_host_says_how_its_commands_are_killed() -> None:
    host = (await (await seeded_fleet()).list_hosts(Window())).rows[0]
    for features, words in (
        ((), "the agent looks for the processes of a command"),
        (("cgroup",), "a command is killed with all processes of its cgroup"),
        (("cgroup", "memory-max", "cpu-max"), "its cgroup, which can limit memory, CPU time"),
    ):
        shown = host_facts(replace(host, features=frozenset(features)), START, 120)
        said = [plain(line) for line in shown if "killing" in plain(line)]
        assert words in "".join(said)
    offline = host_facts(replace(host, online=False), START, 120)
    assert not any("killing" in plain(line) for line in offline)


def test_a_clock_that_is_right_is_called_so() -> None:
    for milliseconds, words in (
        (0, "right"),
        (-0.9, "right"),
        (1, "1.0ms ahead"),
        (-3000, "3.0s behind"),
    ):
        assert clock_words(timedelta(milliseconds=milliseconds)) == words


async def test_the_facts_of_a_host_say_that_its_clock_is_right() -> None:
    host = (await (await seeded_fleet()).list_hosts(Window())).rows[0]
    assert host.vitals is not None
    shown = "\n".join(map(plain, host_facts(replace(host, vitals=Vitals()), START, 120)))
    assert "clock right" in shown


async def test_labels_are_in_one_order_whatever_order_they_came_in() -> None:
    fleet = await seeded_fleet()
    host = (await fleet.list_hosts(Window())).rows[0]
    for labels in ({"role": "web", "env": "prod"}, {"env": "prod", "role": "web"}):
        shown = replace(host, labels=labels)
        assert plain(host_cell(shown, "labels", 30, START)) == "env=prod role=web"
        assert any("env=prod role=web" in plain(line) for line in host_facts(shown, START, 80))
        assert labels_text(labels) == "env=prod role=web"


def test_a_filter_is_shown_as_safely_as_a_name() -> None:
    window = Window(text="a\tb")
    (sentence, *_) = no_match_lines("hosts", 7, window)
    assert plain(sentence) == "None of 7 hosts fits “a␉b”."
    (sentence, *_) = no_match_lines("tasks", 1, Window(faults_only=True))
    assert plain(sentence) == "No row has a problem."
    assert "/ a␉b" in table_title("Hosts", window, matching=0, total=7, marked=0).plain
