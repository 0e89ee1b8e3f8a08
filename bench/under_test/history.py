"""A database with a long history, made in one go: hosts, tasks, command hosts, output, the audit.

A history can be long in three ways, and each has a share of the rows: a task of many commands on
all hosts, tasks of one command on all hosts, tasks on a single host.
"""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.sqlite.migrations import migrate

LONG, WIDE = 1, 2  # the task of many commands, and one on all hosts
_LONG_SHARE = 0.4
_WIDE_SHARE = 0.3
_LINES = 5  # for each host, all of the newest command host
_TRIGGER = "command_hosts_counted_in"
_AGE = 29 * 86_400_000_000  # microseconds of the oldest task; it is pruned after 30 days
_SCRIPT = Path(__file__).with_name("history.sql")


@dataclass(frozen=True, slots=True)
class Shape:
    """How much history: command hosts in all, and hosts they are on."""

    rows: int
    hosts: int

    @property
    def commands(self) -> int:
        """Commands of the long task, the oldest."""
        return max(1, int(self.rows * _LONG_SHARE) // self.hosts)

    @property
    def wide(self) -> int:
        """Tasks of one command on all hosts."""
        return max(1, int(self.rows * _WIDE_SHARE) // self.hosts)

    @property
    def tasks(self) -> int:
        """All tasks; those that are left are on one host each."""
        return 1 + self.wide + max(1, self.rows - (self.commands + self.wide) * self.hosts)

    @property
    def lines(self) -> int:
        """Lines of output of the newest command host, beside its first."""
        return _LINES * self.hosts


def fill(state_dir: Path, shape: Shape) -> None:
    """Makes the database of a manager that has never run, but has this history."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_dir / DATABASE
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")  # nothing is lost that could not be made again
    connection.execute("PRAGMA cache_size = -262144")
    migrate(connection)
    _describe(connection, shape)
    (trigger,) = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE name = ?", (_TRIGGER,)
    ).fetchone()
    connection.executescript(
        f"BEGIN; DROP TRIGGER {_TRIGGER};\n{_SCRIPT.read_text(encoding='utf-8')}\n"
        f"{trigger};\nCOMMIT;"
    )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _describe(connection: sqlite3.Connection, shape: Shape) -> None:
    """Tells the script what there is to be."""
    values = {
        "hosts": shape.hosts,
        "tasks": shape.tasks,
        "commands": shape.commands,
        "wide": shape.wide,
        "lines": shape.lines,
        "began": time.time_ns() // 1000 - _AGE,
        "pause": _AGE // (shape.tasks + 1),
    }
    connection.execute(f"CREATE TEMP TABLE shape ({', '.join(values)})")
    connection.execute(
        f"INSERT INTO shape VALUES ({', '.join('?' * len(values))})", list(values.values())
    )
