"""A database of SQLite is migrated to PostgreSQL: every row, or nothing."""

import asyncio
import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.databases.postgresql import new_database, postgresql_database, url_as_superuser
from tests.support.managers.manager_parts import Parts, failed, manager_parts, result, spec, totals
from tests.support.managers.rollouts import rollout
from tests.support.managers.schedules import ANA, TASK_FILE, hourly, turn_to
from tui_manager.domain.errors import AlreadyRunningError, InvalidInputError, StorageError
from tui_manager.domain.hosts.agent_messages import Output, Started
from tui_manager.domain.manager.notification import Event, Hook
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.postgresql.bulk_load import BulkLoad
from tui_manager.storage.engine.postgresql.migrations import LOCK
from tui_manager.storage.engine.sqlite.migrations import migrations
from tui_manager.storage.maintenance import migrate_to_postgresql as module
from tui_manager.storage.maintenance.check import check_database, check_postgresql
from tui_manager.storage.maintenance.migrate_to_postgresql import Migrated, migrate_to_postgresql
from tui_manager.storage.maintenance.migrated_rows import (
    COUNTED,
    COUNTERS,
    TABLES,
)
from tui_manager.storage.tables.manager import receivers

pytestmark = pytest.mark.sqlite("both engines are said here")
FEATURES = ("script", "stdin")
# Of several managers; empty on SQLite.
OF_SEVERAL = {"gateways", "leader", "gateway_vitals", "file_uploads", "file_pieces"}
FILE_SET = """
    INSERT INTO file_sets (sha256, manifest_size, size, files, bytes, stored_at, used_at)
    VALUES ('ab', 1, 2, 3, 4, 5, 6)"""
TRANSFER = """
    INSERT INTO transfers (command_host, bytes, files, unchanged_files, received_bytes, sha256)
    SELECT max(id), 1, 1, 0, 1, 'ab' FROM command_hosts"""

OF_TEMPLATE = """
    INSERT INTO template_files (version, sha256) SELECT max(id), 'ab' FROM template_versions"""
RECEIVER = Hook("page", ("/bin/page",), (Event.TASK_ENDED, Event.HOST_LOST))
LOST_HOST = "INSERT INTO lost_hosts (host, since) SELECT max(id), 1 FROM hosts"
OF_SCHEDULE = "INSERT INTO schedule_files (schedule, sha256) SELECT max(id), 'ab' FROM schedules"


@pytest.fixture
def url() -> Iterator[str]:
    """Of a database with tables and without rows, which costs a third of a new one."""
    with postgresql_database() as made:
        yield made


@pytest.fixture
def new_url() -> Iterator[str]:
    """Of a database without tables."""
    with new_database() as made:
        yield made


@pytest.fixture
def unchanged(url: str) -> Iterator[None]:
    """Asserts that the test leaves the database at `url` as it was."""
    before = _state(url)
    yield
    assert _state(url) == before


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a manager that has done a little of everything, and has stopped."""
    folder = tmp_path_factory.mktemp("made")

    async def make() -> None:
        async with manager_parts(folder) as parts:
            await _work(parts)

    asyncio.run(make())
    return folder / DATABASE


@pytest.fixture
def source(tmp_path: Path, made: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(made, tmp_path))


async def _work(parts: Parts) -> None:
    await parts.database.write(lambda tx: receivers.register(tx, [RECEIVER], 0))
    web01 = (await parts.enroll("web01", auto_approve=True)).host_id
    await parts.dial(web01, "web01", features=FEATURES)
    await parts.member("web02", labels={"role": "web"})
    await parts.started("web01", CommandSpec("echo hi; sleep 1", secrets={"KEY": "s3cret"}))
    run = parts.dispatcher.sent[-1][1].execution_id
    await parts.report(web01, Started(run, timedelta(0)))
    await parts.report(web01, Output(run, Stream.STDOUT, 0, b"hi\x00\xff\n"))
    script = CommandSpec("", script=content_of(b"#!/bin/sh\n"), arguments=("a", ""))
    await parts.started("web01", script, "after")
    run = parts.dispatcher.sent[-1][1].execution_id
    await parts.report(web01, Started(run, timedelta(0)), failed(run))
    await parts.started("@all", "true", rollout=rollout(batches="1"), offline="wait")
    await parts.templates.save("restart", TASK_FILE, 0, ANA, "b7f4c3f0-0000-4000-8000-000000000001")
    await parts.schedules.add_schedule(hourly(), ANA)
    turn_to(parts, 4)
    await parts.schedule_loop.run_once()
    await parts.send()
    for _, sent in parts.dispatcher.sent[-1:]:
        await parts.report(web01, result(sent.execution_id, totals=totals()))
    await parts.tasks.create_task(spec("@all", "never started"))
    await parts.database.write(lambda tx: tx.execute(FILE_SET))
    await parts.database.write(lambda tx: tx.execute(TRANSFER))
    await parts.database.write(lambda tx: tx.execute(OF_TEMPLATE))
    await parts.database.write(lambda tx: tx.execute(OF_SCHEDULE))
    await parts.database.write(lambda tx: tx.execute(LOST_HOST))
    clock_error = "INSERT INTO clock_errors (began, ended, behind, at_start) VALUES (1, 2, 3, 1)"
    await parts.database.write(lambda tx: tx.execute(clock_error))


def _move(source: Path, url: str, progress: Any = lambda *_: None) -> Migrated:
    return migrate_to_postgresql(source, url, source.parent, progress)


def _rows_of_file(path: Path) -> dict[str, list[dict[str, Any]]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
            for table in TABLES
        }


def _rows_of_server(url: str) -> dict[str, list[dict[str, Any]]]:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table}".encode()).fetchall()
            for table in TABLES
        }


def _state(url: str) -> list[Any]:
    """The tables, and how many rows the manager's have."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'S', 'v') "
            "AND relnamespace = 'public'::regnamespace ORDER BY relname"
        ).fetchall()
        if ("tasks",) not in names:
            return names
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            for table in (*TABLES, "command_counts")
        ]
        return [*names, *counts]


def _compare(table: str, row: dict[str, Any], other: dict[str, Any]) -> None:
    """A row of the file has the same values on the server, but for counters. True is 1."""
    counters = set(COUNTERS if table in COUNTED else ())
    assert row.keys() - other.keys() <= counters
    for name in row.keys() & other.keys():
        assert row[name] == other[name]


@pytest.mark.parametrize("database", [new_database, postgresql_database])
def test_every_row_is_migrated(source: Path, database: Any) -> None:
    before = source.read_bytes()
    with database() as url:
        moved = _move(source, url)
        ours, theirs = _rows_of_file(source), _rows_of_server(url)
        found = check_postgresql(url)
    assert moved.rows == {table: len(rows) for table, rows in ours.items()}
    assert min(moved.rows.values()) > 0
    assert moved.replaced == {}
    assert moved.recounted == 0
    for table in TABLES:
        key = list(ours[table][0])[:2]
        rows = sorted(ours[table], key=lambda row: [str(row[name]) for name in key])
        found_rows = sorted(theirs[table], key=lambda row: [str(row[name]) for name in key])
        for row, other in zip(rows, found_rows, strict=True):
            _compare(table, row, other)
    assert {task["has_faults"] for task in theirs["tasks"]} == {True, False}
    assert found == check_database(source)
    assert found.findings == ()
    assert source.read_bytes() == before
    assert [path.name for path in source.parent.glob("manager*")] == [DATABASE]


def test_what_a_killed_manager_has_left_in_the_log_is_migrated(
    source: Path, tmp_path: Path, url: str
) -> None:
    left = tmp_path / "left"
    left.mkdir()
    with contextlib.closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO audit (at, actor, action) VALUES (0, '', 'in the log')")
        for end in ("", "-wal"):
            shutil.copy(f"{source}{end}", left)
    _move(left / DATABASE, url)
    assert "in the log" in {row["action"] for row in _rows_of_server(url)["audit"]}


async def test_the_manager_goes_on_with_ids_that_were_never_given(source: Path, url: str) -> None:
    with contextlib.closing(sqlite3.connect(source)) as connection:
        newest = connection.execute("SELECT max(id) FROM tasks").fetchone()[0]
        # The newest tasks were pruned.
        connection.execute("UPDATE sqlite_sequence SET seq = seq + 7 WHERE name = 'tasks'")
        connection.commit()
    _move(source, url)
    statement = (
        "INSERT INTO tasks (name, description, target, created_by, created_at) "
        "VALUES ('', '', '', '', 0) RETURNING id"
    )
    audit = "INSERT INTO audit (at, actor, action) VALUES (0, '', '') RETURNING id"
    async with open_database(url) as database:
        made = await database.write(lambda tx: tx.execute(statement).fetchone()[0])
        noted = await database.write(lambda tx: tx.execute(audit).fetchone()[0])
    assert made == newest + 8
    assert noted == len(_rows_of_file(source)["audit"]) + 1


@pytest.mark.parametrize(("days", "part"), [(100, ""), (500, "output_chunks_other")])
def test_output_lies_in_the_part_of_its_day(source: Path, url: str, days: int, part: str) -> None:
    day = datetime.now(UTC) - timedelta(days=days)
    hexadecimal = f"{int(day.timestamp() * 1000):012x}"
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.execute(
            "UPDATE command_hosts SET execution_id = ? || substr(execution_id, 14) "
            "WHERE stdout_bytes > 0",
            (f"{hexadecimal[:8]}-{hexadecimal[8:]}",),
        )
        connection.commit()
    _move(source, url)
    with psycopg.connect(url) as connection:
        parts = connection.execute("SELECT DISTINCT tableoid::regclass::text FROM output_chunks")
        assert parts.fetchall() == [(part or f"output_chunks_{day:%Y%m%d}",)]


def test_nul_in_texts_is_replaced_and_counted(source: Path, url: str) -> None:
    facts = json.dumps({"a": "x\0y", "b": r"\u0000"})  # the second is no NUL
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.execute("UPDATE hosts SET facts = ? WHERE name = 'web01'", (facts,))
        connection.execute("UPDATE hosts SET os = 'a' || char(0) || 'b'")
        connection.execute(r"UPDATE commands SET text = 'printf \u0000' WHERE id = 1")
        connection.commit()
    moved = _move(source, url)
    assert moved.replaced == {"hosts.facts": 1, "hosts.os": 2}
    theirs = _rows_of_server(url)
    assert {row["os"] for row in theirs["hosts"]} == {"a\N{REPLACEMENT CHARACTER}b"}
    (found,) = (json.loads(row["facts"]) for row in theirs["hosts"] if row["name"] == "web01")
    assert found == {"a": "x\N{REPLACEMENT CHARACTER}y", "b": r"\u0000"}
    assert r"printf \u0000" in {row["text"] for row in theirs["commands"]}


def test_wrong_counters_are_right_afterwards(source: Path, url: str) -> None:
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.execute("UPDATE tasks SET total = total + 5 WHERE id = 1")
        connection.commit()
    assert _move(source, url).recounted == 1
    assert check_postgresql(url).findings == ()


def test_what_is_left_of_a_pruned_task_is_not_called_wrong(source: Path, url: str) -> None:
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.execute("UPDATE tasks SET pruned_at = 1 WHERE id = 2")
        connection.execute("DELETE FROM command_hosts WHERE task_id = 2 AND position = 1")
        connection.commit()
    assert _move(source, url).recounted == 0


@pytest.mark.parametrize("version", [1, 12, len(migrations()) - 1])
def test_an_older_schema_is_migrated_in_a_copy(tmp_path: Path, url: str, version: int) -> None:
    source = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(source, isolation_level=None)) as connection:
        for _, sql in migrations()[:version]:
            connection.executescript(sql)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("INSERT INTO manager (manager_id, created_at) VALUES ('old', 0)")
    before = source.read_bytes()
    assert _move(source, url).rows["manager"] == 1
    (manager,) = _rows_of_server(url)["manager"]
    assert (manager["manager_id"], manager["created_at"]) == ("old", 0)
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["old.db"]


@pytest.mark.usefixtures("unchanged")
def test_a_newer_schema_is_refused(source: Path, url: str) -> None:
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(InvalidInputError, match="newer tui-manager"):
        _move(source, url)


@pytest.mark.usefixtures("unchanged")
def test_a_file_of_another_program_is_refused(tmp_path: Path, url: str) -> None:
    for content in (b"", b"not a database" * 1000):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(InvalidInputError):
            _move(tmp_path / "file", url)


@pytest.mark.usefixtures("unchanged")
def test_a_damaged_file_is_refused(source: Path, url: str) -> None:
    content = bytearray(source.read_bytes())
    content[3 * 4096 : 4 * 4096] = b"\xff" * 4096
    source.write_bytes(content)
    with pytest.raises(InvalidInputError, match="damaged"):
        _move(source, url)


@pytest.mark.usefixtures("unchanged")
def test_a_text_that_is_no_text_is_refused(source: Path, url: str) -> None:
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.execute("UPDATE command_hosts SET detail = CAST(x'ff' AS TEXT)")
        connection.commit()
    with pytest.raises(StorageError, match="Could not decode to UTF-8 column 'detail'"):
        _move(source, url)


def test_a_row_without_its_task_is_damage(source: Path, url: str) -> None:
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.execute("DELETE FROM tasks WHERE id = 1")  # without foreign keys
        connection.commit()
    with pytest.raises(InvalidInputError, match=f"damaged; `tui-manager check {source}`"):
        _move(source, url)


def test_a_database_with_rows_is_refused_and_left_alone(source: Path, url: str) -> None:
    _move(source, url)
    before = _state(url)
    with pytest.raises(InvalidInputError, match="rows in manager, tokens, hosts, tasks"):
        _move(source, url)
    assert _state(url) == before


async def test_a_database_that_a_manager_uses_is_refused(source: Path, url: str) -> None:
    async with open_database(url):
        with pytest.raises(AlreadyRunningError, match="A manager uses the PostgreSQL database"):
            _move(source, url)


def test_no_manager_starts_meanwhile(source: Path, url: str) -> None:
    lock = f"SELECT pg_try_advisory_xact_lock({LOCK})"  # which every start waits for
    free = []

    def try_to_lock(_what: str, _table: str, _done: int, _total: int) -> None:
        with psycopg.connect(url) as connection:
            free.append(connection.execute(lock).fetchone())

    _move(source, url, try_to_lock)
    assert set(free) == {(False,)}


class _CutOffError(Exception):
    """What ends a move in the middle."""


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("table", ["manager", "command_hosts", "output_chunks", TABLES[-1]])
@pytest.mark.parametrize("what", ["write", "compare"])
def test_what_is_cut_off_leaves_nothing_behind(
    source: Path, url: str, what: str, table: str
) -> None:
    def cut_off(*at: Any) -> None:
        if at[:2] == (what, table):
            raise _CutOffError

    with pytest.raises(_CutOffError):
        _move(source, url, cut_off)


def test_what_is_cut_off_leaves_no_table_in_a_new_database(source: Path, new_url: str) -> None:
    for place in (("write", "command_hosts"), ("compare", TABLES[-1])):

        def cut_off(*at: Any, place: tuple[str, str] = place) -> None:
            if at[:2] == place:
                raise _CutOffError

        with pytest.raises(_CutOffError):
            _move(source, new_url, cut_off)
        assert _state(new_url) == []


def test_a_lost_connection_leaves_nothing_behind(source: Path, new_url: str) -> None:
    def end_connections(what: str, table: str, _done: int, _total: int) -> None:
        if (what, table) == ("write", "audit"):
            with psycopg.connect(url_as_superuser(new_url)) as superuser:
                superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    with pytest.raises(StorageError, match=r"cannot be (reached|used)"):
        _move(source, new_url, end_connections)
    assert _state(new_url) == []


def test_a_full_disk_leaves_nothing_behind(source: Path, new_url: str) -> None:
    with psycopg.connect(url_as_superuser(new_url), autocommit=True) as superuser:
        superuser.execute(_DISK_FULL)
        try:
            with pytest.raises(StorageError, match=r"Its disk is full; free some space"):
                _move(source, new_url)
        finally:
            superuser.execute("DROP EVENT TRIGGER disk_full; DROP SCHEMA tests CASCADE")
    assert _state(new_url) == []


# A trigger on each new table `audit`, which says what a server with a full disk says.
_DISK_FULL = """
CREATE SCHEMA tests;
GRANT USAGE ON SCHEMA tests TO PUBLIC;
CREATE FUNCTION tests.is_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'could not extend file: No space left';
END $$;
CREATE FUNCTION tests.fill() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('audit') IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_trigger WHERE tgname = 'disk_full') THEN
        CREATE TRIGGER disk_full BEFORE INSERT ON audit
        FOR EACH ROW EXECUTE FUNCTION tests.is_full();
    END IF;
END $$;
CREATE EVENT TRIGGER disk_full ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
EXECUTE FUNCTION tests.fill();
"""


@pytest.mark.usefixtures("unchanged")
def test_rows_that_are_not_those_of_the_file_are_noticed(
    source: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = BulkLoad.read

    def other(self: BulkLoad, table: str, columns: Any) -> Any:
        if table == "secrets":
            self.tx.execute("UPDATE secrets SET value = value || '\\x00'::bytea")
        return read(self, table, columns)

    monkeypatch.setattr(BulkLoad, "read", other)
    with pytest.raises(StorageError, match=r"The rows of secrets .* are not those of the file"):
        _move(source, url)


@pytest.mark.parametrize("committed", [True, False])
def test_a_connection_lost_at_the_commit(
    source: Path, url: str, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    execute, before = psycopg.Connection.execute, _state(url)

    def lose(self: Any, query: Any, *given: Any, **named: Any) -> Any:
        if query == "COMMIT":
            if committed:
                execute(self, query)
            self.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return execute(self, query, *given, **named)

    monkeypatch.setattr(psycopg.Connection, "execute", lose)
    if committed:
        moved = _move(source, url)
        monkeypatch.undo()
        assert len(_rows_of_server(url)["tasks"]) == moved.rows["tasks"]
    else:
        with pytest.raises(StorageError, match="cannot be reached"):
            _move(source, url)
        monkeypatch.undo()
        assert _state(url) == before


def test_many_rows_are_copied_in_several_batches(
    source: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)
    assert _move(source, url).recounted == 0
    assert check_postgresql(url).findings == ()
