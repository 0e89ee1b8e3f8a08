"""`check` finds each contradiction that is put into a sound database, and nothing else."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, failed, manager_parts, result, totals
from tests.support.managers.schedules import ANA, hourly
from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.hosts.agent_messages import Output, Started
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec.rollout_spec import RolloutSpec
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.sqlite.migrations import migrations
from tui_manager.storage.maintenance.check import _SENTENCES, _SQL, check_database


async def history(parts: Parts) -> None:
    """Three tasks: one that completed with output and a gap, one that runs, one that waits; and
    two hosts that have enrolled, of which one was thrown out."""
    token = await parts.token(uses=3, labels={"role": "web"})
    for name in ("db01", "db02"):
        await parts.enroll(name, token=token)
    await parts.admission.reject(["db02"], False, "ana")
    one, two = await parts.connect("web01"), await parts.connect("web02")
    await parts.started("web[01-02]", "first", "second")
    runs = dict(parts.dispatcher.sent)
    execution = runs[one.host_id].execution_id
    await parts.report(
        one.host_id,
        Started(execution, timedelta(0)),
        Output(execution, Stream.STDOUT, 0, b"hello\n"),
        Output(execution, Stream.STDOUT, 6, b"", gap=10),
        Output(execution, Stream.STDOUT, 16, b"world\n"),
        result(execution, totals=totals(22)),
    )
    await parts.report(two.host_id, failed(runs[two.host_id].execution_id))
    for _, run in await parts.send():
        await parts.report(one.host_id, Started(run.execution_id, timedelta(0)))
    await parts.started("web02", "third", rollout=RolloutSpec(max_concurrency="1"))
    ((_, run),) = parts.dispatcher.sent[-1:]
    await parts.report(two.host_id, result(run.execution_id))
    await parts.schedules.add_schedule(hourly(), ANA)
    script = CommandSpec("", script=content_of(b"#!/bin/sh\n"), stdin=content_of(b""))
    await parts.tasks.create_task(TaskSpec("@all", (script, CommandSpec("true"))))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a manager that has stopped."""
    folder = tmp_path_factory.mktemp("made")

    async def make() -> None:
        async with manager_parts(folder) as parts:
            await history(parts)

    asyncio.run(make())
    assert not list(folder.glob(f"{DATABASE}-*"))  # all is in the one file
    return folder / DATABASE


@pytest.fixture
def database(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(made, tmp_path))


def _found(path: Path) -> set[str]:
    return {finding.check for finding in check_database(path).findings}


async def test_a_sound_database_is_clean_with_and_without_a_manager(tmp_path: Path) -> None:
    async with manager_parts(tmp_path) as parts:
        await history(parts)
        running = check_database(tmp_path / DATABASE)
    assert running == check_database(tmp_path / DATABASE)
    assert running.findings == ()
    assert (running.tasks, running.command_hosts, running.output_bytes) == (3, 5, 22)


def test_reading_writes_no_file(database: Path) -> None:
    before = (sorted(database.parent.iterdir()), database.read_bytes(), database.stat().st_mtime)
    check_database(database)
    after = (sorted(database.parent.iterdir()), database.read_bytes(), database.stat().st_mtime)
    assert before == after


def test_a_missing_database_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no database"):
        check_database(tmp_path / DATABASE)
    assert list(tmp_path.iterdir()) == []


SPOILED: dict[str, str] = {
    "managers": "DROP INDEX IF EXISTS manager_is_one; DELETE FROM manager;"
    "INSERT INTO manager (manager_id, created_at) VALUES ('a', 1), ('b', 1)",
    "task_counters": "UPDATE tasks SET running = running + 1 WHERE id = 1",
    "command_counters": "UPDATE commands SET total = 7 WHERE id = 1",
    "status_and_reason": "UPDATE command_hosts SET reason = 'signal' WHERE status = 'completed'",
    "ended_without_time": "UPDATE command_hosts SET finished_at = NULL WHERE status = 'completed'",
    "unended_with_time": "UPDATE command_hosts SET finished_at = 1 WHERE status = 'running'",
    "running_unsent": "UPDATE command_hosts SET sent_at = NULL WHERE status = 'running'",
    "wrong_command": "UPDATE command_hosts SET position = 5 WHERE id = 1",
    "twice_on_a_host": "UPDATE command_hosts SET host = 1 WHERE command_id = 1",
    "incomplete_task": "UPDATE tasks SET host_count = 9 WHERE id = 1",
    "out_of_turn": "UPDATE command_hosts SET status = 'pending', ready = 0 WHERE position = 1",
    "barrier": "UPDATE rollout_hosts SET state = 'at_barrier', barrier = 1",
    "rollout_host": "UPDATE rollout_hosts SET faults = faults + 1",
    "rollout_batch": "UPDATE rollout_batches SET hosts = 7",
    "rollout_counters": "UPDATE rollouts SET hosts_failed = 7",
    "ended_task_unended_row": "UPDATE tasks SET status = 'failed', finished_at = 1 WHERE id = 1",
    "running_task_all_ended": "UPDATE tasks SET status = 'running' WHERE id = 2",
    "task_status": "UPDATE tasks SET status = 'failed' WHERE id = 2",
    "paused_task": "UPDATE tasks SET paused_at = 1 WHERE id = 2",
    "held_task": "UPDATE rollouts SET held_until = 1; UPDATE tasks SET cancel_requested_at = 1",
    "task_times": "UPDATE tasks SET finished_at = NULL WHERE id = 2",
    "output_hole": "DELETE FROM output_chunks WHERE gap > 0",
    "output_size": "UPDATE command_hosts SET stdout_bytes = 23 WHERE stdout_bytes = 22",
    "output_piece": "UPDATE output_chunks SET task_id = 2 WHERE gap > 0",
    "contents": "UPDATE command_contents SET data = x'00' WHERE kind = 'stdin'",
    "secret_not_erased": "INSERT INTO secrets VALUES (3, 'KEY', x'00')",
    "token_uses": "UPDATE tokens SET used = used - 1",
    "bound_labels": "UPDATE hosts SET labels = '{\"role\":\"db\"}' WHERE bound_labels <> '{}'",
    "operator_labels": 'UPDATE hosts SET operator_labels = \'{"role":"db"}\'',
    "removed_not_revoked": "UPDATE hosts SET removed_at = 1 WHERE name = 'web02'",
    "turned_away_with_work": "UPDATE hosts SET admission = 'revoked' WHERE name = 'web01'",
    "schedule_unreadable": "UPDATE schedules SET zone = 'US/Gone'",
    "schedule_due": "UPDATE schedules SET next_due = handled_until",
    "schedule_run": "INSERT INTO schedule_runs (schedule, due, decided_at) VALUES (1, 1, 1)",
    "schedule_task": "INSERT INTO schedule_runs (schedule, due, task_id, decided_at) "
    "VALUES (1, 1, 1, 1)",
    "schedule_paused": "INSERT INTO schedule_runs (schedule, due) VALUES (1, 1); "
    "UPDATE schedules SET paused_at = 1",
    "files_not_stored": "UPDATE commands SET files_sha256 = 'ab' WHERE task_id = 3",
    "file_pieces": "INSERT INTO file_uploads VALUES (1, 0); INSERT INTO file_sets (sha256, "
    "manifest_size, size, files, bytes, stored_at, used_at, upload) "
    "VALUES ('ab', 1, 2, 3, 4, 5, 6, 1)",
    "foreign_key": "DELETE FROM hosts WHERE name = 'web02'",
    "schema": "DROP TRIGGER command_hosts_counted_in",
}


@pytest.mark.parametrize("check", SPOILED)
def test_each_contradiction_is_found_and_named(database: Path, check: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(SPOILED[check])
    checked = check_database(database)
    assert check in {finding.check for finding in checked.findings}
    for finding in checked.findings:
        assert "{" not in finding.text
        assert finding.text.endswith(".")


def test_a_script_that_is_missing_is_found(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("DELETE FROM command_contents WHERE kind = 'script'")
    (finding,) = check_database(database).findings
    assert finding.text == (
        "The script of command 0 of task 3 is not what was stored with it, or is missing."
    )


def test_every_query_is_shown_to_find_something() -> None:
    assert set(_SENTENCES) == set(_SQL) - {"sizes"}
    assert set(_SENTENCES) <= set(SPOILED)


def test_a_newer_schema_is_reported(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 999")
    (finding,) = check_database(database).findings
    assert finding.check == "schema"
    assert "999" in finding.text


def _scribble(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 3000)


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [_scribble, _cut])
def test_damage_to_the_file_is_a_finding(database: Path, damage: Callable[[Path], None]) -> None:
    damage(database)
    assert "integrity" in _found(database)


def test_each_damage_is_a_finding_of_its_own(database: Path) -> None:
    """SQLite tells of up to a hundred places in one text."""
    with closing(sqlite3.connect(database)) as connection:
        before = connection.execute("PRAGMA page_count").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute("CREATE TABLE theirs (text)")
        connection.executemany("INSERT INTO theirs VALUES (?)", [("x" * 500,)] * 500)
        connection.commit()
    with database.open("r+b") as file:
        for page in range(before + 10, before + 40, 4):
            file.seek(size * page + 8)
            file.write(b"\xff" * 64)
    findings = check_database(database).findings
    assert len(findings) > 8
    assert all("\n" not in finding.text and "***" not in finding.text for finding in findings)


async def test_an_older_schema_is_sound_before_and_after_its_migration(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(migrations()[0][1])
        connection.execute("INSERT INTO manager VALUES ('m', 1)")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    assert check_database(path).findings == ()
    async with open_database(path):
        pass
    assert check_database(path).findings == ()


_ROLLOUT_OF_SCHEMA_16 = """
INSERT INTO manager VALUES ('m', 1);
INSERT INTO hosts (id, host_id, name, admission, first_seen, since)
VALUES (1, 'h1', 'web01', 'admitted', 0, 0), (2, 'h2', 'web02', 'admitted', 0, 0);
INSERT INTO tasks (id, name, description, target, created_by, created_at, started_at, status,
    host_count) VALUES (1, '', '', '@all', '', 1, 1, 'running', 2);
INSERT INTO commands (id, task_id, position, text, timeout_after, parameters, environment, cwd)
VALUES (1, 1, 0, 'true', 1, '{}', '{}', ''), (2, 1, 1, 'true', 1, '{}', '{}', '');
INSERT INTO rollouts (task_id, batches, batch_order, delay, max_concurrency, max_failures, strict,
    hold, hold_timeout, batch_count, batch, hosts_waiting)
VALUES (1, '1', 'name', 0, '', '', 0, '', 0, 2, 1, 2);
INSERT INTO rollout_batches (task_id, number, hosts, waiting) VALUES (1, 1, 1, 1), (1, 2, 1, 1);
INSERT INTO rollout_hosts (task_id, host, place, batch, unended, incomplete)
VALUES (1, 1, 0, 1, 2, 2), (1, 2, 1, 2, 2, 2);
INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, status, batch)
SELECT k.id || '-' || h.id, 1, k.id, k.position, h.id, 'pending', h.id
FROM commands AS k, hosts AS h;
UPDATE rollout_hosts SET state = 'under_way' WHERE host = 1;
UPDATE command_hosts SET status = 'running', sent_at = 1, started_at = 1 WHERE id = 1;
"""


async def test_a_running_rollout_of_an_older_schema_is_kept(tmp_path: Path) -> None:
    """Its table of hosts is made anew, with triggers that go on counting."""
    path = tmp_path / DATABASE
    with closing(sqlite3.connect(path)) as connection:
        for _, sql in migrations()[:16]:
            connection.executescript(sql)
        connection.executescript(f"{_ROLLOUT_OF_SCHEMA_16}PRAGMA user_version = 16;")
        before = connection.execute("SELECT * FROM rollout_hosts").fetchall()
    assert check_database(path).findings == ()
    async with open_database(path) as database:
        await database.write(lambda tx: None)
    assert check_database(path).findings == ()
    columns = "task_id, host, place, batch, state, wait_until, delivery_left, unended, incomplete"
    with closing(sqlite3.connect(path)) as connection:
        assert (
            connection.execute(f"SELECT {columns}, faults FROM rollout_hosts").fetchall() == before
        )
        connection.execute(
            "UPDATE command_hosts SET status = 'failed', reason = 'exit_code', finished_at = 1"
            " WHERE id = 1"
        )
        connection.execute(
            "UPDATE command_hosts SET status = 'skipped', reason = 'earlier_failed',"
            " finished_at = 1 WHERE position = 1 AND host = 1"
        )
        connection.commit()
    assert check_database(path).findings == ()
