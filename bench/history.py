"""A database with a long history, made in one go: hosts, tasks, command hosts, a line of each."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tui_manager.storage.database import FILE
from tui_manager.storage.migrations import migrate

_SMALL = 100  # hosts of a small task
_BIG_SHARE = 0.9  # of the rows are of tasks on all hosts
_TRIGGER = "command_hosts_counted_in"
_HOUR = 3_600_000_000  # microseconds
_BEGAN = 1_767_225_600_000_000  # 2026-01-01, microseconds since 1970

_HOSTS = """
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :hosts)
INSERT INTO hosts (id, host_id, name, labels, admission, os, arch, capacity, first_seen, since)
SELECT i + 1, printf('00000000-0000-4000-8000-%012x', i), printf('h%05d', i),
    json_object('env', CASE i % 3 WHEN 0 THEN 'prod' ELSE 'test' END, 'rack', printf('%d', i / 40)),
    'admitted', 'linux', 'x86_64', 5, :began, :began
FROM n;
"""
_TASKS = """
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :tasks)
INSERT INTO tasks (id, name, description, target, status, host_count, created_by, created_at,
    started_at, finished_at)
SELECT i + 1, printf('job %d', i), '', CASE WHEN i < :big THEN '@all' ELSE 'env=prod' END,
    'completed', CASE WHEN i < :big THEN :hosts ELSE :small END, 'bench@none',
    :began + i * :hour, :began + i * :hour, :began + i * :hour + 60000000
FROM n;
"""
_COMMANDS = """
INSERT INTO commands (id, task_id, position, text, timeout_after, parameters, environment, cwd)
SELECT id, id, 0, 'uname -r', 3600000000, '{}', '{}', '' FROM tasks;
"""
_COMMAND_HOSTS = """
INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, status, reason,
    exit_code, sent_at, sent_journal_id, started_at, finished_at, stdout_bytes, stdout_total,
    stderr_total)
SELECT lower(printf('%s-%s-4%s-8%s-%s', hex(randomblob(4)), hex(randomblob(2)),
        substr(hex(randomblob(2)), 2), substr(hex(randomblob(2)), 2), hex(randomblob(6)))),
    t.id, t.id, 0, h.id, CASE (t.id * 7 + h.id) % 50 WHEN 0 THEN 'failed' ELSE 'completed' END,
    CASE (t.id * 7 + h.id) % 50 WHEN 0 THEN 'exit_code' ELSE '' END,
    (t.id * 7 + h.id) % 50 = 0, t.started_at, 'j', t.started_at + 1000000,
    t.started_at + 2000000 + h.id, 40, 40, 0
FROM tasks AS t JOIN hosts AS h ON h.id <= t.host_count;
"""
_OUTPUT = """
INSERT INTO output_chunks (task_id, command_host_id, stream, "offset", data)
SELECT task_id, id, 1, 0, CAST(printf('%-39d', id) || char(10) AS BLOB) FROM command_hosts;
"""
_COUNTS = """
UPDATE {table} SET total = c.total, completed = c.completed, failed = c.failed
FROM (SELECT {key}, count(*) AS total, sum(status = 'completed') AS completed,
    sum(status = 'failed') AS failed FROM command_hosts GROUP BY {key}) AS c
WHERE c.{key} = {table}.id;
"""
_ENDINGS = "UPDATE tasks SET status = 'failed' WHERE failed > 0;"


@dataclass(frozen=True, slots=True)
class Shape:
    """How much history: command hosts in all, and hosts they are on."""

    rows: int
    hosts: int

    @property
    def big(self) -> int:
        """Tasks on all hosts, the oldest."""
        return max(1, int(self.rows * _BIG_SHARE) // self.hosts)

    @property
    def small(self) -> int:
        """Hosts of every other task."""
        return min(_SMALL, self.hosts)

    @property
    def tasks(self) -> int:
        """All tasks."""
        return self.big + max(1, (self.rows - self.big * self.hosts) // self.small)


def fill(state_dir: Path, shape: Shape) -> None:
    """Makes the database of a manager that has never run, but has this history."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_dir / FILE
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")  # nothing is lost that could not be made again
    connection.execute("PRAGMA cache_size = -262144")
    migrate(connection)
    values = {
        "hosts": shape.hosts,
        "tasks": shape.tasks,
        "big": shape.big,
        "small": shape.small,
        "began": _BEGAN,
        "hour": _HOUR,
    }
    trigger = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE name = ?", (_TRIGGER,)
    ).fetchone()[0]
    connection.execute(f"DROP TRIGGER {_TRIGGER}")  # one recount is cheaper than a million counts
    connection.execute("BEGIN")
    for statement in (_HOSTS, _TASKS, _COMMANDS, _COMMAND_HOSTS, _OUTPUT):
        connection.execute(statement, values)
    for table, key in (("tasks", "task_id"), ("commands", "command_id")):
        connection.execute(_COUNTS.format(table=table, key=key))
    connection.execute(_ENDINGS)
    connection.execute(trigger)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
