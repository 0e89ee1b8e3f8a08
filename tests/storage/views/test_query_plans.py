"""How SQLite finds the rows of each query: at a cost that does not grow with the history."""

import re
import sqlite3
from collections.abc import Iterator
from importlib.resources import files

import pytest

from tui_manager.storage.engine.sqlite.migrations import migrate
from tui_manager.storage.engine.statements import load_queries

FILES = sorted(
    path.name
    for path in (files("tui_manager.storage") / "sql" / "sqlite").iterdir()
    if not path.name[0].isdigit() and path.name != "check.sql"  # which looks at everything
)
GROWING = ("tasks", "commands", "command_contents", "command_hosts", "output_chunks", "audit")
# What walks along a list on purpose: through a window, or through rows of which there are few.
WALKS = {
    ("gateway_work.sql", "running_elsewhere"),  # there is one manager
    ("manager_state.sql", "move_deadlines_of_sent"),
    ("command_hosts.sql", "hosts_with_work"),
    ("pruning.sql", "all_marked"),
    ("pruning.sql", "marked"),
    ("command_delivery.sql", "hosts_to_give_up"),
    ("task_list.sql", "count"),
    ("command_history.sql", "newest"),
    ("task_list.sql", "window"),
}
UNENDED = "command_hosts_unended (host=? AND task_id=? AND position"
UNENDED_OF_HOST = "command_hosts_unended (host=?)"
UNENDED_OF_HOST_IN_TASK = "command_hosts_unended (host=? AND task_id=?)"
UNENDED_OF_TASK = "command_hosts_by_attention (task_id=? AND attention=?)"
UNDER_WAY = "command_hosts_under_way (host=?)"
WAITING = "command_hosts_to_send (host=?)"
OF_STATE = "rollout_hosts_by_state (task_id=? AND state=? AND batch=?)"
BY_KEY = "INTEGER PRIMARY KEY (rowid=?)"
BY_EXECUTION = "(execution_id=?)"
# What every result, every command sent and every cancel asks, and how it must be found.
CONSTANT = {
    ("manager_state.sql", "move_deadlines"): "command_hosts_undelivered",
    ("manager_state.sql", "move_deadlines_of_sent"): "command_hosts_unanswered",
    ("command_hosts.sql", "stored_executions"): BY_EXECUTION,
    ("command_hosts.sql", "start"): BY_KEY,
    ("command_hosts.sql", "finish"): BY_KEY,
    ("command_hosts.sql", "set_output_sizes"): BY_KEY,
    ("command_hosts.sql", "make_ready"): UNENDED,
    ("command_hosts.sql", "skip"): UNENDED,
    ("command_hosts.sql", "step_orders"): "COVERING INDEX commands_in_order (task_id=?)",
    ("command_hosts.sql", "lose_agent"): UNDER_WAY,
    ("command_hosts.sql", "lose_canceled"): UNDER_WAY,
    ("command_hosts.sql", "cancel_unsent"): UNENDED_OF_TASK,
    ("command_hosts.sql", "request_cancel"): UNENDED_OF_TASK,
    ("command_hosts.sql", "hosts_of_task"): "command_hosts_of_command (command_id=? AND host=?)",
    ("command_hosts.sql", "cancel_unsent_on_hosts"): UNENDED_OF_HOST_IN_TASK,
    ("command_hosts.sql", "request_cancel_on_hosts"): UNENDED_OF_HOST_IN_TASK,
    ("choose_commands.sql", "to_send"): WAITING,
    ("choose_commands.sql", "under_way"): UNDER_WAY,
    ("command_contents.sql", "of_execution"): BY_EXECUTION,
    ("choose_commands.sql", "mark_sent"): BY_KEY,
    ("command_delivery.sql", "sent_unended"): UNDER_WAY,
    ("command_delivery.sql", "held"): BY_EXECUTION,
    ("command_delivery.sql", "undelivered"): "command_hosts_undelivered (deliver_before<?)",
    ("command_delivery.sql", "hosts_to_give_up"): "USING INDEX command_hosts_unanswered",
    ("command_delivery.sql", "unsent_of_host"): WAITING,
    ("command_delivery.sql", "unsent_since"): WAITING,
    ("command_delivery.sql", "unsent_of_turned_away"): UNENDED_OF_HOST,
    ("command_delivery.sql", "guessed"): "command_hosts_guessed (host=?)",
    ("command_delivery.sql", "mark_not_held"): BY_KEY,
    ("host_changes.sql", "unended_tasks"): UNENDED_OF_HOST,
    ("pruning.sql", "mark"): "tasks_by_end (finished_at<?)",
    ("pruning.sql", "count_old"): "tasks_by_end (finished_at<?)",
    ("output.sql", "streams_of_host"): "command_hosts_of_command (command_id=? AND host=?)",
    ("output.sql", "newest_of_stream"): "output_chunks_by_offset (command_host_id=? AND stream=?)",
    ("output.sql", "of_task"): "output_chunks_by_task (task_id=? AND id>?)",
    ("output.sql", "of_task_backwards"): "output_chunks_by_task (task_id=? AND id<?)",
    ("output.sql", "of_stream_backwards"): "output_chunks_by_offset (command_host_id=? AND stream",
    ("output.sql", "data_before"): "output_chunks_by_offset (command_host_id=? AND stream=?",
    ("output.sql", "streams_of_execution"): BY_EXECUTION,
    ("output.sql", "newest_of_task"): "output_chunks_by_task (task_id=?)",
    ("output_by_host.sql", "hosts"): "command_hosts_by_place (task_id=? AND position=? AND id>?)",
    ("output_by_host.sql", "hosts_named"): "hosts_of_name (name=?)",
    ("output_by_host.sql", "streams"): "command_hosts_of_command (command_id=? AND host=?)",
    ("output.sql", "first_pieces"): BY_KEY,
    ("output_by_host.sql", "truncated"): "command_hosts_of_command (command_id=? AND host=?)",
    ("hosts.sql", "targetable_named"): "hosts_admitted_name (name=?)",
    ("task_list.sql", "of_host"): "command_hosts_of_host (host=?)",
    ("task_list.sql", "window_from_the_end"): "tasks_listed (id>?)",
    ("task_list.sql", "each_nth"): "tasks_listed (id>?)",
    ("task_list.sql", "count_newer"): "tasks_listed (id>?)",
    ("command_host_list.sql", "behind_by_attention"): "(task_id=? AND (attention,position)>(?,?)",
    ("command_host_list.sql", "behind_by_host"): "(task_id=? AND position>?)",
    ("host_runs.sql", "unended_tasks"): UNENDED_OF_HOST,
    ("host_runs.sql", "of_tasks"): "command_hosts_of_command (command_id=? AND host=?)",
    ("host_runs.sql", "admission"): "audit_of_host (host_id=?)",
    ("task_overview.sql", "hosts_by_place"): "COVERING INDEX rollout_hosts_by_",
    (
        "task_overview.sql",
        "hosts_by_name",
    ): "COVERING INDEX command_hosts_by_place (task_id=? AND pos",
    (
        "task_overview.sql",
        "hosts_with",
    ): "command_hosts_by_attention (task_id=? AND attention=? AND",
    ("task_overview.sql", "host_by_name"): "command_hosts_by_place (task_id=? AND position=?)",
    ("task_overview.sql", "host_by_place"): "COVERING INDEX rollout_hosts_by_state (task_id=?)",
    ("task_overview.sql", "worst_of_host"): "command_hosts_of_command (command_id=? AND host=?)",
    ("task_overview.sql", "first_failing"): "command_hosts_by_failure (task_id=? AND failure>?)",
    ("task_overview.sql", "failing"): "command_hosts_by_failure (task_id=? AND failure>?)",
    ("task_overview.sql", "running"): "command_hosts_by_attention (task_id=? AND attention=?)",
    ("task_overview.sql", "away"): UNENDED_OF_HOST_IN_TASK,
    ("task_overview.sql", "command_hosts"): BY_EXECUTION,
    ("task_overview.sql", "newest_pieces"): "output_chunks_by_offset (command_host_id=? AND stream",
    ("rollouts.sql", "state"): BY_KEY,
    ("schedules.sql", "due"): "schedules_due (next_due<?)",
    ("schedules.sql", "next_due"): "schedules_due",
    ("schedules.sql", "running"): "tasks_of_schedules (schedule=?)",
    ("schedule_runs.sql", "last"): "schedule_runs_of_schedule (schedule=?)",
    ("schedule_runs.sql", "waiting"): "schedule_runs_waiting (schedule=?)",
    ("pruning.sql", "remove_schedule_runs"): "schedule_runs_by_decision (decided_at<?)",
    ("rollouts.sql", "running"): "tasks_unended (status=?)",
    ("rollout_hosts.sql", "waiting"): OF_STATE,
    ("rollout_hosts.sql", "not_begun"): "rollout_hosts_by_state (task_id=? AND state=?)",
    ("rollout_hosts.sql", "candidates"): UNENDED,
    ("rollout_hosts.sql", "next_wait"): "rollout_hosts_waiting (task_id=?",
    ("rollout_hosts.sql", "overdue"): "rollout_hosts_waiting (task_id=? AND wait_until",
    ("rollout_hosts.sql", "begun"): "rollout_hosts_begun (host=?)",
    ("rollout_hosts.sql", "set_state"): "PRIMARY KEY (task_id=? AND host=?)",
    ("rollout_hosts.sql", "start_delivery"): UNENDED_OF_HOST_IN_TASK,
    ("rollout_hosts.sql", "stop_at_barrier"): UNENDED,
    ("rollout_hosts.sql", "at_barrier"): "rollout_hosts_at_barrier (task_id=? AND batch=? AND barr",
    ("rollout_hosts.sql", "set_delivery_left"): "PRIMARY KEY (task_id=? AND host=?)",
    ("rollout_hosts.sql", "stop_delivery"): UNENDED,
    ("rollout_hosts.sql", "set_ready"): UNENDED_OF_HOST_IN_TASK,
    ("rollout_hosts.sql", "keep_delivery_left"): UNENDED_OF_HOST_IN_TASK,
    ("rollout_hosts.sql", "stop_current_delivery"): UNENDED_OF_HOST_IN_TASK,
    ("rollout_hosts.sql", "continue_delivery"): UNENDED_OF_HOST_IN_TASK,
    ("rollout_hosts.sql", "forget_delivery_left"): "PRIMARY KEY (task_id=? AND host=?)",
    ("work_totals.sql", "count_running"): "tasks_unended (status=?)",
    ("work_totals.sql", "unended_work"): "tasks_unended (status=?)",
    ("work_totals.sql", "count_failed"): "COVERING INDEX tasks_failed_by_end (finished_at>?)",
    ("work_totals.sql", "held"): "tasks_unended (status=?)",
    ("work_totals.sql", "newest_updates"): "commands_of_updates",
    ("tasks.sql", "failed_hosts"): UNENDED_OF_TASK,
    ("task_list.sql", "running"): "tasks_by_status (status=?)",
    ("notifications.sql", "add"): "PRIMARY KEY (event=?)",
    ("notifications.sql", "add_end_of_task"): "PRIMARY KEY (event=?)",
    ("notifications.sql", "oldest"): "notifications_of_receiver (receiver=?)",
    ("notifications.sql", "drop_oldest"): "notifications_of_receiver (receiver=?",
    ("notifications.sql", "earlier_ends"): "tasks_in_a_row (<expr>=? AND finished_at<?)",
    ("notifications.sql", "later_end"): "tasks_in_a_row (<expr>=? AND finished_at>?)",
}


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    """It is only asked for plans."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    yield connection
    connection.close()


def _plan(database: sqlite3.Connection, file: str, query: str) -> list[str]:
    sql = load_queries(file)[query]
    values = dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


@pytest.mark.parametrize(("file", "query"), CONSTANT)
def test_queries_for_each_result_use_an_index(
    database: sqlite3.Connection, file: str, query: str
) -> None:
    plan = _plan(database, file, query)
    assert any(CONSTANT[file, query] in step for step in plan), plan


def test_no_query_reads_a_whole_table_that_grows(database: sqlite3.Connection) -> None:
    scan = re.compile(rf"SCAN ({'|'.join(GROWING)}|a|ch|o|t)\b")
    found = {
        (file, query)
        for file in FILES
        for query in load_queries(file)
        if any(scan.search(step) for step in _plan(database, file, query))
    }
    assert found == WALKS


def test_the_first_barrier_at_which_hosts_wait_is_found_by_an_index(
    database: sqlite3.Connection,
) -> None:
    """It is asked for each time when hosts have come there."""
    plan = _plan(database, "rollouts.sql", "state")
    index = "COVERING INDEX rollout_hosts_at_barrier (task_id=? AND batch=? AND barrier>?)"
    assert any(index in step for step in plan), plan


@pytest.mark.parametrize("query", ["failing", "first_failing"])
def test_the_ways_of_failures_are_read_in_the_order_of_their_index(
    database: sqlite3.Connection, query: str
) -> None:
    """The first hosts of a way are those of the first commands that failed so."""
    plan = _plan(database, "task_overview.sql", query)
    assert not any("TEMP B-TREE" in step for step in plan), plan


@pytest.mark.parametrize(
    ("file", "query"),
    [
        ("task_overview.sql", "hosts_by_name"),
        ("task_overview.sql", "hosts_with"),
        ("task_overview.sql", "failing"),
        ("task_overview.sql", "first_failing"),
        ("tasks.sql", "failed_hosts"),
        ("command_host_list.sql", "behind_by_attention"),
    ],
)
def test_command_hosts_of_a_task_are_read_from_an_index_alone(
    database: sqlite3.Connection, file: str, query: str
) -> None:
    """A row of each is on another page of the table. A plan does not say this of an index with a
    generated column, but the columns that its program reads do."""
    sql = load_queries(file)[query]
    values = dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    steps = database.execute(f"EXPLAIN {sql}", values).fetchall()
    (root,) = database.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'command_hosts'"
    ).fetchone()
    of_table = {p1 for _, operation, p1, p2, *_ in steps if (operation, p2) == ("OpenRead", root)}
    reads = [step for step in steps if step[1] == "Column" and step[2] in of_table]
    assert reads == []


def test_only_lists_of_tasks_use_the_indexes_that_were_made_for_them(
    database: sqlite3.Connection,
) -> None:
    """SQLite may prefer them to smaller ones, which hold only what has not ended."""
    migration = files("tui_manager.storage") / "sql" / "sqlite" / "0016_task_list.sql"
    names = re.findall(r"CREATE INDEX (\w+)", migration.read_text(encoding="utf-8"))
    used = re.compile(rf"INDEX ({'|'.join(names)})\b")
    found = {
        (file, query)
        for file in FILES
        for query in load_queries(file)
        if any(used.search(step) for step in _plan(database, file, query))
    }
    assert found == {
        ("task_list.sql", "of_host"),
        ("task_list.sql", "first_since"),
        ("task_list.sql", "running"),
        ("task_list.sql", "scan"),
    }


def test_a_scan_of_tasks_finds_the_rows_of_each_order_by_an_index(
    database: sqlite3.Connection,
) -> None:
    plan = _plan(database, "task_list.sql", "scan")
    for index in (
        "tasks_listed (id>? AND id<?)",
        "tasks_listed (id>?)",
        "tasks_by_status (status=? AND id<?)",
        "tasks_with_faults (id<?)",
        "tasks_by_start (start_order<?)",
        "tasks_by_finish (finish_order>?)",
        "tasks_by_duration (duration<?)",
        "command_hosts_of_host (host=? AND task_id<?)",
        "command_hosts_of_host (host=? AND task_id=?)",  # whether a task ran on the host
    ):
        assert any(f"INDEX {index}" in step for step in plan), (index, plan)
    assert not any("TEMP B-TREE" in step for step in plan)
