"""What PostgreSQL's schema does by itself: it counts, keeps output in one part a day, and lets the
audit only grow."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from tests.support.databases.postgresql import postgresql_database, url_as_superuser
from tui_manager.domain.ids import new_execution_ids
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.storage.engine.database import Database, open_database
from tui_manager.storage.engine.statements import from_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import audit
from tui_manager.storage.views import audit_list

HOSTS = range(1, 9)
STATUSES = list(CommandHostStatus)
REASONS = (Reason.NONE, Reason.UNDELIVERABLE, Reason.EXIT_CODE)
DAY = 86_400_000_000  # microseconds
TODAY = from_datetime(datetime(2040, 5, 17, tzinfo=UTC))  # a migration makes no part for it

_EACH = ", ".join(f"count(ch.id) FILTER (WHERE ch.status = '{status}')" for status in STATUSES)
_FAULTS = "count(ch.id) FILTER (WHERE ch.status IN ('failed', 'timeout', 'skipped')) > 0"
_FAULT = "ch.status IN ('failed', 'timeout') AND ch.reason <> 'undeliverable'"
_STATES = ("waiting", "expected", "under_way", "away", "at_barrier")
# What is stored, and the same counted anew.
COUNTERS = {
    "commands": (
        f"SELECT id, total, {', '.join(STATUSES)} FROM counted_commands",
        f"SELECT k.id, count(ch.id), {_EACH} FROM commands AS k"
        " LEFT JOIN command_hosts AS ch ON ch.command_id = k.id GROUP BY k.id",
    ),
    "tasks": (
        f"SELECT id, has_faults, total, {', '.join(STATUSES)} FROM counted_tasks",
        f"SELECT t.id, {_FAULTS}, count(ch.id), {_EACH} FROM tasks AS t"
        " LEFT JOIN command_hosts AS ch ON ch.task_id = t.id GROUP BY t.id",
    ),
    "listed tasks": (
        "SELECT coalesce(sum(listed), 0) FROM task_counts",
        "SELECT count(*) FROM tasks WHERE pruned_at IS NULL",
    ),
    "hosts of rollouts": (
        "SELECT task_id, host, unended, incomplete, faults FROM rollout_hosts",
        "SELECT task_id, host, count(*) FILTER (WHERE ch.status IN ('pending', 'running')),"
        f" count(*) FILTER (WHERE ch.status <> 'completed'), count(*) FILTER (WHERE {_FAULT})"
        " FROM command_hosts AS ch WHERE ch.batch > 0 GROUP BY task_id, host",
    ),
    "rollouts": (
        f"SELECT task_id, {', '.join(f'hosts_{state}' for state in _STATES)}, hosts_failing,"
        " hosts_failed FROM rollouts",
        "SELECT task_id, "
        + ", ".join(f"count(*) FILTER (WHERE state = '{state}')" for state in _STATES)
        + ", count(*) FILTER (WHERE state <> 'ended' AND faults > 0),"
        " count(*) FILTER (WHERE faults > 0) FROM rollout_hosts GROUP BY task_id",
    ),
    "batches": (
        "SELECT task_id, number, waiting, ended, at_barrier, failed, completed"
        " FROM rollout_batches",
        "SELECT task_id, batch, count(*) FILTER (WHERE state = 'waiting'),"
        " count(*) FILTER (WHERE state = 'ended'), count(*) FILTER (WHERE state = 'at_barrier'),"
        " count(*) FILTER (WHERE faults > 0), count(*) FILTER (WHERE incomplete = 0)"
        " FROM rollout_hosts GROUP BY task_id, batch",
    ),
}


@pytest.fixture
def url() -> Iterator[str]:
    with postgresql_database() as made:
        yield made


@pytest.fixture
async def postgresql(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as made:
        await made.write(_add_hosts)
        yield made


def _add_hosts(tx: Transaction) -> None:
    for number in HOSTS:
        tx.execute(
            "INSERT INTO hosts (id, host_id, name, admission, first_seen, since)"
            " VALUES (?, ?, ?, 'admitted', 0, 0)",
            (number, f"h{number}", f"web{number}"),
        )


def _add_task(tx: Transaction, steps: int, batch: int = 0, now: int = TODAY) -> int:
    """A pending task on all hosts; returns its number."""
    task_id: int = tx.execute(
        "INSERT INTO tasks (name, description, target, created_by, created_at)"
        " VALUES ('', '', '@all', '', 0) RETURNING id"
    ).fetchone()[0]
    if batch:
        _add_rollout(tx, task_id, steps, batch)
    for position in range(steps):
        command_id = tx.execute(
            "INSERT INTO commands (task_id, position, text, timeout_after, parameters, environment,"
            " cwd) VALUES (?, ?, 'true', 1, '{}', '{}', '') RETURNING id",
            (task_id, position),
        ).fetchone()[0]
        for host, execution_id in zip(HOSTS, new_execution_ids(now, len(HOSTS)), strict=True):
            tx.execute(
                "INSERT INTO command_hosts (execution_id, task_id, command_id, position, host,"
                " status, batch) VALUES (?, ?, ?, ?, ?, 'pending', ?)",
                (execution_id, task_id, command_id, position, host, batch),
            )
    return task_id


def _add_rollout(tx: Transaction, task_id: int, steps: int, batch: int) -> None:
    count = len(HOSTS)
    tx.execute(
        "INSERT INTO rollouts (task_id, batches, batch_order, delay, max_concurrency, max_failures,"
        " strict, hold, hold_timeout, hosts_waiting)"
        " VALUES (?, '', 'name', 0, '', '', false, '', 0, ?)",
        (task_id, count),
    )
    tx.execute(
        "INSERT INTO rollout_batches (task_id, number, hosts, waiting) VALUES (?, ?, ?, ?)",
        (task_id, batch, count, count),
    )
    for host in HOSTS:
        tx.execute(
            "INSERT INTO rollout_hosts (task_id, host, place, batch, unended, incomplete)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (task_id, host, host, batch, steps, steps),
        )


def _change_some(tx: Transaction, chance: random.Random) -> None:
    """One statement of those that change rows, on some of them."""
    tx.execute(f"SET LOCAL tui_manager.gateway = '{chance.randrange(3)}'")
    kind = chance.random()
    if kind < 0.1:
        _add_task(tx, chance.randint(1, 3), chance.randint(0, 1))
    elif kind < 0.15:
        tx.execute("DELETE FROM tasks WHERE id % 3 = ?", (chance.randrange(3),))
        tx.execute("UPDATE tasks SET pruned_at = 1 WHERE id % 5 = ?", (chance.randrange(5),))
    elif kind < 0.25:
        tx.execute(
            "DELETE FROM command_hosts WHERE batch = 0 AND id % 7 = ?", (chance.randrange(7),)
        )
    elif kind < 0.35:
        tx.execute("UPDATE command_hosts SET stdout_bytes = stdout_bytes + 1")
    elif kind < 0.45:
        state = chance.choice(_STATES)
        barrier = 1 if state == "at_barrier" else None
        tx.execute(
            "UPDATE rollout_hosts SET state = ?, barrier = ? WHERE unended > 0 AND host % 3 = ?",
            (state, barrier, chance.randrange(3)),
        )
    else:
        divisor = chance.choice((1, 3, 20))
        tx.execute(
            "UPDATE command_hosts SET status = ?, reason = ? WHERE id % ? = ?",
            (chance.choice(STATUSES), chance.choice(REASONS), divisor, chance.randrange(divisor)),
        )


def _compare_with_recount(tx: Transaction) -> None:
    for name, (stored, counted) in COUNTERS.items():
        wrong = tx.execute(f"{stored} EXCEPT {counted}").fetchall()
        assert not wrong, (name, wrong)


@pytest.mark.parametrize("seed", range(3))
async def test_counters_agree_with_a_recount(postgresql: Database, seed: int) -> None:
    chance = random.Random(seed)

    def work(tx: Transaction) -> None:
        for _ in range(20):
            _change_some(tx, chance)
            _compare_with_recount(tx)

    for _ in range(5):
        await postgresql.write(work)


async def test_what_is_undone_is_not_counted(postgresql: Database) -> None:
    def fail(tx: Transaction) -> None:
        tx.execute("UPDATE command_hosts SET status = 'failed'")
        raise KeyError

    task_id = await postgresql.write(lambda tx: _add_task(tx, 2))
    with pytest.raises(KeyError):
        await postgresql.write(fail)
    await postgresql.read(_compare_with_recount)
    assert task_id


async def test_a_task_ends_and_its_secrets_are_erased(postgresql: Database) -> None:
    def work(tx: Transaction) -> list[object]:
        task_id = _add_task(tx, 2)
        tx.execute(
            "INSERT INTO secrets (command_id, name, value)"
            " SELECT id, 'A', 'sealed' FROM commands WHERE task_id = ?",
            (task_id,),
        )
        tx.execute("UPDATE tasks SET status = 'running'")
        running = [row[0] for row in tx.execute("SELECT value FROM secrets")]
        tx.execute("UPDATE tasks SET status = 'completed'")
        return [*running, *(row[0] for row in tx.execute("SELECT value FROM secrets"))]

    assert await postgresql.write(work) == [b"sealed", b"sealed", None, None]


def _add_output(tx: Transaction, task_id: int) -> None:
    tx.execute(
        'INSERT INTO output_chunks (execution_id, task_id, command_host_id, stream, "offset", data)'
        " SELECT execution_id, task_id, id, 1, 0, 'x' FROM command_hosts WHERE task_id = ?",
        (task_id,),
    )


def _parts(tx: Transaction) -> list[str]:
    """The part of each task's output."""
    rows = tx.execute(
        "SELECT DISTINCT task_id, tableoid::regclass::text FROM output_chunks ORDER BY task_id"
    )
    return [str(row[1]) for row in rows]


def _make_parts(tx: Transaction, now: int, days: int) -> int:
    return int(tx.execute("SELECT make_output_partitions(?, ?)", (now, days)).fetchone()[0])


def _drop_parts(tx: Transaction, before: int) -> int:
    return int(tx.execute("SELECT drop_output_partitions(?)", (before,)).fetchone()[0])


async def test_output_is_in_the_part_of_its_day(postgresql: Database) -> None:
    def work(tx: Transaction) -> list[str]:
        assert _make_parts(tx, TODAY + DAY - 1, 2) == 3
        assert _make_parts(tx, TODAY, 2) == 0
        for now in (TODAY, TODAY + DAY - 1000, TODAY + DAY, TODAY + 3 * DAY):
            _add_output(tx, _add_task(tx, 1, now=now))
        assert _make_parts(tx, TODAY, 4) == 1  # not for the day whose output is elsewhere
        return _parts(tx)

    assert await postgresql.write(work) == [
        "output_chunks_20400517",
        "output_chunks_20400517",
        "output_chunks_20400518",
        "output_chunks_other",
    ]


async def test_a_part_goes_when_all_its_tasks_are_pruned(postgresql: Database) -> None:
    def work(tx: Transaction) -> list[int]:
        _make_parts(tx, TODAY, 1)
        tasks = [_add_task(tx, 1, now=now) for now in (TODAY, TODAY, TODAY + DAY)]
        for task_id in tasks:
            _add_output(tx, task_id)
        _drop_parts(tx, TODAY)  # those that the migration has made are empty
        dropped = [_drop_parts(tx, TODAY + 2 * DAY)]
        for task_id in tasks:
            tx.execute("UPDATE tasks SET pruned_at = 1 WHERE id = ?", (task_id,))
            dropped += [_drop_parts(tx, TODAY + DAY), len(_parts(tx))]
        return dropped

    assert await postgresql.write(work) == [0, 0, 3, 1, 1, 0, 1]


async def test_one_task_keeps_a_part_at_a_cost_without_its_pruned_tasks(
    postgresql: Database,
) -> None:
    def work(tx: Transaction) -> list[int]:
        _make_parts(tx, TODAY, 0)
        tasks = [_add_task(tx, 1, now=TODAY) for _ in range(100)]
        for task_id in tasks:
            _add_output(tx, task_id)
        tx.execute("UPDATE tasks SET pruned_at = 1 WHERE id < ?", (tasks[-1],))
        _drop_parts(tx, TODAY)  # those that the migration has made
        before = _scans(tx)
        return [_drop_parts(tx, TODAY + DAY), _scans(tx) - before]

    dropped, scans = await postgresql.write(work)
    assert dropped == 0
    assert scans < 10


def _scans(tx: Transaction) -> int:
    """How often this transaction has looked for tasks and for output."""
    query = (
        "SELECT sum(seq_scan + coalesce(idx_scan, 0))::bigint FROM pg_stat_xact_user_tables"
        " WHERE relname = 'tasks' OR relname LIKE 'output_chunks%'"
    )
    return int(tx.execute(query).fetchone()[0])


async def test_output_of_pruned_tasks_leaves_a_part_that_stays(postgresql: Database) -> None:
    def work(tx: Transaction) -> list[object]:
        _make_parts(tx, TODAY, 0)
        tasks = [_add_task(tx, 1, now=TODAY) for _ in range(4)]
        for task_id in tasks:
            _add_output(tx, task_id)
        for task_id in tasks[1:]:
            tx.execute("UPDATE tasks SET pruned_at = 1 WHERE id = ?", (task_id,))
        removed = []
        for before in (TODAY, *[TODAY + DAY] * 4):
            query = "SELECT remove_pruned_output(?, ?)"
            removed.append(tx.execute(query, (before, 10)).fetchone()[0])
        left = tx.execute("SELECT task_id FROM output_chunks").fetchall()
        return [removed, {row[0] for row in left} == {tasks[0]}, len(left)]

    assert await postgresql.write(work) == [[0, 10, 10, 4, 0], True, 8]


async def test_parts_wait_for_a_long_reader(postgresql: Database, url: str) -> None:
    def work(tx: Transaction) -> list[int]:
        return [_make_parts(tx, TODAY, 1), _drop_parts(tx, TODAY)]

    await postgresql.write(lambda tx: _make_parts(tx, TODAY - DAY, 0))
    with psycopg.connect(url) as backup:
        backup.execute("SELECT FROM output_chunks")
        assert await postgresql.write(work) == [0, 0]
    made, dropped = await postgresql.write(work)
    assert made == 2
    assert dropped > 0  # those of the migration too, unless another test has dropped them


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET actor = ''", "DELETE FROM audit", "TRUNCATE audit"]
)
async def test_the_audit_only_grows(postgresql: Database, url: str, statement: str) -> None:
    entry = "INSERT INTO audit (at, actor, action) VALUES (1, 'me', 'x')"
    await postgresql.write(lambda tx: tx.execute(entry).rowcount)
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())
    with (
        psycopg.connect(url_as_superuser(url)) as connection,
        pytest.raises(psycopg.IntegrityError, match="append-only"),
    ):
        connection.execute(statement.encode())


async def test_the_numbers_of_the_audit_have_no_gaps(postgresql: Database, url: str) -> None:
    """Its list counts by them, and finds its windows by them."""

    def enter(tx: Transaction) -> None:
        for _ in range(2):
            audit.record(tx, 0, "ana", "create_task")

    def enter_and_fail(tx: Transaction) -> None:
        enter(tx)
        raise KeyError

    await postgresql.write(enter)
    with pytest.raises(KeyError):
        await postgresql.write(enter_and_fail)
    several = "INSERT INTO audit (at, actor, action) SELECT 0, '', '' FROM generate_series(1, 2)"
    with psycopg.connect(url) as connection:
        connection.execute(several)
        waiting = asyncio.create_task(postgresql.write(enter))
        connection.execute(several)
    await waiting
    page = await postgresql.read(lambda tx: audit_list.window(tx, Window(limit=100)))
    assert [entry.audit_id for entry in page.rows] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert page.total == 8
