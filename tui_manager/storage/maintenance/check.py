"""Checks a database for damage, wrong counters, and rows that contradict each other.

Each query of `sql/check.sql` finds rows; here is a sentence for each, with the ids.
"""

import contextlib
import functools
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.schedules.cron_and_zone import read_cron
from tui_manager.domain.tasks.task import Counts
from tui_manager.domain.tasks.transitions import legal_states
from tui_manager.storage.engine.database_url import client_needed
from tui_manager.storage.engine.sqlite.migrations import migrations
from tui_manager.storage.engine.sqlite.read_only import read_only
from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.maintenance.pruning import marked

T = TypeVar("T")
_SQL = load_queries("check.sql")
_COUNTERS = [*(item.name for item in fields(Counts)), "has_faults"]  # the last on PostgreSQL
_OF = "execution {execution_id} of task {task_id}"

_SENTENCES: Mapping[str, str] = {
    "managers": "The table of the manager holds {found} rows; it must hold one.",
    "task_counters": "Counters of task {task_id} differ from a recount: {difference}.",
    "command_counters": (
        "Counters of command {position} of task {task_id} differ from a recount: {difference}."
    ),
    "status_and_reason": f"The status of {_OF} is {{status}} with the reason '{{reason}}', "
    "which is no legal pair.",
    "ended_without_time": f"The {_OF} is {{status}} without a time of its end.",
    "unended_with_time": f"The {_OF} is {{status}} and has a time of its end.",
    "running_unsent": f"The {_OF} is running, but was never sent or never started.",
    "wrong_command": f"The {_OF} belongs to command {{of_position}} of task {{of_task}}.",
    "twice_on_a_host": "Command {position} of task {task_id} stands {times} times on host row "
    "{host}.",
    "incomplete_task": "Task {task_id} has {found} command hosts; {commands} commands on "
    "{host_count} hosts make another number.",
    "out_of_turn": f"The {_OF} is pending with ready = {{ready}} behind a command that is "
    "{before}.",
    "rollout_host": "The host {host} in the rollout of task {task_id} (batch, ended, unended, "
    "incomplete, faults) is {found} instead of {expected}.",
    "barrier": "The host {host} waits at a barrier before command {barrier} of task {task_id}, and "
    "its first command that has not ended is {next}.",
    "rollout_batch": "Batch {number} of task {task_id} (hosts, waiting, ended, at a barrier, "
    "failed, completed) is {found} instead of {expected}.",
    "rollout_counters": "The rollout of task {task_id} (waiting, expected, under way, away, at a "
    "barrier, failing, failed) is {found} instead of {expected}.",
    "ended_task_unended_row": "Task {task_id} is {status}, but {unended} of its command hosts have "
    "not ended.",
    "running_task_all_ended": "Task {task_id} is running, but all its command hosts have ended.",
    "task_status": "Task {task_id} is {status} with {completed} of {total} completed.",
    "paused_task": "Task {task_id} is paused, and it is {status} or being canceled.",
    "held_task": "Task {task_id} is on hold, and it is {status} or being canceled.",
    "task_times": "Task {task_id} is {status}, and its times say otherwise.",
    "output_hole": f"Output of {_OF}, stream {{stream}}: a piece begins at {{begins}}, the one "
    "before it ends at {expected}.",
    "output_size": f"Output of {_OF}: {{stdout_bytes}} + {{stderr_bytes}} bytes are counted, "
    "{stdout} + {stderr} are stored.",
    "output_piece": f"Piece {{piece}} of the output of {_OF} is neither data nor a gap of that "
    "task.",
    "contents": "The {kind} of command {position} of task {task_id} is not what was stored with "
    "it, or is missing.",
    "secret_not_erased": "The secret {secret} of command {position} of task {task_id} is stored "
    "still, and the task is {status}.",
    "token_uses": "Join token {token}, good for {uses}, counts {used} uses, and {enrolled} hosts "
    "have enrolled with it.",
    "bound_labels": "The host {host} lacks the label {label}={bound} of its join token.",
    "operator_labels": "The host {host} lacks the label {label}={given} of an operator.",
    "removed_not_revoked": "The host {host} was removed and is {admission}, not revoked.",
    "turned_away_with_work": "The host {host} is {admission}, but {unended} of its command hosts "
    "have not ended.",
    "schedule_unreadable": "The schedule {schedule} cannot start anything: {problem}",
    "schedule_due": "The next due time of the schedule {schedule} is not after the time up to "
    "which due times were handled.",
    "schedule_run": "Row {run} of the history of the schedule {schedule} (count, first, task, "
    "skipped, decided) is {found}, which is no legal row.",
    "schedule_task": "Row {run} of the history of the schedule {schedule} names task {task_id}, "
    "which that schedule has not started.",
    "schedule_paused": "The schedule {schedule} is paused, and a due time of it waits.",
    "files_not_stored": "The file set {file_set} is not stored, and {what} copies it. Copy its "
    "files once more.",
    "file_pieces": "The file set {file_set} has {found} bytes in the database instead of "
    "{expected}.",
}

FILES_SINCE = 26  # the first schema with sets of files

# The first schema that has the tables and columns of a query; all others need the schema 1.
_SINCE = {
    **dict.fromkeys(("secret_not_erased", "token_uses", "turned_away_with_work"), 4),
    **dict.fromkeys(("paused_task", "held_task", "rollout_host"), 13),
    **dict.fromkeys(("bound_labels", "operator_labels", "removed_not_revoked"), 14),
    **dict.fromkeys(
        ("out_of_turn", "barrier", "rollout_batch", "rollout_counters", "contents"), 17
    ),
    **dict.fromkeys((name for name in _SENTENCES if name.startswith("schedule_")), 19),
    **dict.fromkeys(("files_not_stored", "file_pieces"), FILES_SINCE),
}
_PROBLEMS = (100, 50, 20, 5, 1)  # limits of SQLite's integrity check, tried in order
_PRUNED_SINCE = 7  # the first schema with tasks that are pruned and still have rows


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault: the name of the query, and a sentence with ids."""

    check: str
    text: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was checked, and what was found; the sizes are 0 if they could not be read."""

    tasks: int
    command_hosts: int
    output_bytes: int
    findings: tuple[Finding, ...]


def check_database(path: Path) -> CheckResult:
    """Checks all of the database at `path`, which a manager may be using.

    Raises:
        NotFoundError: there is no such file.
        StorageError: it cannot be read at all.
    """
    return read_only(path, _check)


def check_postgresql(url: str) -> CheckResult:
    """The same for a database of PostgreSQL, whose server looks after damage itself.

    Raises:
        InvalidInputError: it has not this program's schema, or the client is not installed.
        StorageError: it cannot be reached or read.
    """
    return read_postgresql(url, _check_rows)


def read_postgresql(url: str, work: Callable[[Transaction], T]) -> T:
    """What `work` returns of one state of a database of PostgreSQL. Raises as
    `check_postgresql`."""
    with client_needed():
        from tui_manager.storage.engine.postgresql import read_only as postgresql
    return postgresql.read_only(url, work)


def _check(tx: sqlite3.Connection) -> CheckResult:
    findings = list(_damage(tx)) or list(_schema(tx))
    if findings:  # the queries mean nothing in such a database
        return CheckResult(0, 0, 0, tuple(findings))
    return _check_rows(tx)


def _check_rows(tx: Transaction) -> CheckResult:
    findings = contradictions(tx)
    sizes = tx.execute(_SQL["sizes"]).fetchone()
    return CheckResult(
        sizes["tasks"], sizes["command_hosts"], sizes["output_bytes"], tuple(findings)
    )


def _damage(tx: sqlite3.Connection) -> Iterator[Finding]:
    """What SQLite's own checks find."""
    try:
        for text in _integrity(tx):
            for line in text.splitlines():  # a row may describe many pages
                if line != "ok" and not line.startswith("***"):
                    yield Finding("integrity", f"SQLite: {line}.")
        for table, row, parent, _ in tx.execute("PRAGMA foreign_key_check").fetchall():
            text = f"Row {row} of {table} speaks of a row of {parent} that is not there."
            yield Finding("foreign_key", text)
    except sqlite3.DatabaseError as error:
        yield Finding("integrity", f"SQLite: {error}.")


def _integrity(tx: sqlite3.Connection) -> list[str]:
    """The rows of SQLite's integrity check. If it stops with an error, sqlite3 loses the rows
    before it; a check that ends after fewer problems does not come so far.

    Raises:
        sqlite3.DatabaseError: not even the first problem can be read.
    """
    for limit in _PROBLEMS:
        try:
            return [text for (text,) in tx.execute(f"PRAGMA integrity_check({limit})").fetchall()]
        except sqlite3.DatabaseError:
            if limit == _PROBLEMS[-1]:
                raise
    return []


def _schema(tx: sqlite3.Connection) -> Iterator[Finding]:
    """Whether the schema is one of this program's, with unchanged tables, indexes and triggers."""
    known = migrations()
    version = tx.execute("PRAGMA user_version").fetchone()[0]
    if not 0 < version <= len(known):
        text = f"The schema is number {version}; this program knows 1 to {len(known)}."
        yield Finding("schema", text)
        return
    expected, found = _objects_of_schema(version), _objects(tx)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            what = "is missing" if name not in found else "is not that of this program"
            yield Finding("schema", f"{name} of the schema {what}.")


@functools.cache
def _objects_of_schema(version: int) -> dict[str, str]:
    """What the first migrations make."""
    with contextlib.closing(sqlite3.connect(":memory:")) as ours:
        for _, sql in migrations()[:version]:
            ours.executescript(sql)
        return _objects(ours)


def _objects(tx: sqlite3.Connection) -> dict[str, str]:
    query = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
    return {f"The {kind} {name}": sql for kind, name, sql in tx.execute(query)}


def contradictions(tx: Transaction) -> list[Finding]:
    """What the queries of `check.sql` find in a database of one of this program's schemas."""
    version = len(migrations())
    if isinstance(tx, sqlite3.Connection):  # also of an older program, and without a `sha256`
        version = tx.execute("PRAGMA user_version").fetchone()[0]
        _add_sha256(tx)
    asked = [name for name in _SENTENCES if _SINCE.get(name, 1) <= version]
    pruned = marked(tx) if version >= _PRUNED_SINCE else set()
    return [finding for name in asked for finding in _found(tx, name, pruned)]


def _add_sha256(tx: sqlite3.Connection) -> None:
    """Adds the function to a connection that lacks it. If it was replaced instead, SQLite would
    compile all statements of the connection again."""
    try:
        tx.execute("SELECT sha256(NULL)").close()
    except sqlite3.OperationalError:
        tx.create_function("sha256", 1, _sha256, deterministic=True)


def _sha256(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()


def _cron_problem(cron: str, zone: str) -> str | None:
    """Why the due times of a schedule cannot be read; None: they can."""
    try:
        read_cron(cron, zone)
    except InvalidInputError as error:
        return str(error)
    return None


def _found(tx: Transaction, name: str, pruned: Set[int]) -> Iterator[Finding]:
    """Tasks that are `pruned` still have some of their rows, which are not checked."""
    values = {}
    if ":legal" in _SQL[name]:
        values["legal"] = json.dumps(sorted(legal_states()))
    for row in tx.execute(_SQL[name], values):
        facts = {key: row[key] for key in row.keys()}  # noqa: SIM118
        if facts.get("task_id") in pruned:
            continue
        if name == "schedule_unreadable":
            facts["problem"] = _cron_problem(row["cron"], row["zone"])
            if facts["problem"] is None:
                continue
        if "counted" in facts:
            facts["difference"] = _difference(json.loads(row["stored"]), json.loads(row["counted"]))
        yield Finding(name, _SENTENCES[name].format(**facts))


def _difference(stored: list[int], counted: list[int]) -> str:
    return ", ".join(
        f"{name} {one} instead of {other}"
        for name, one, other in zip(_COUNTERS, stored, counted, strict=False)
        if one != other
    )
