"""What must be true when everything has ended, whatever was done meanwhile.

It reads the database and the hosts' own traces, and knows nothing of how either came about.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tests.faults.checks.audit_checks import audit_violations
from tests.faults.checks.file_checks import FILE_COLUMNS, FILE_JOIN, file_violations, is_transfer
from tests.faults.checks.rollout_checks import rollout_violations
from tests.faults.checks.step_checks import STEP_COLUMNS, step_violations
from tests.faults.fleet.command import Expected, Trace, expected, read_traces
from tests.faults.fleet.fleet import Fleet
from tui_manager.storage.engine.transaction import Row

_STREAMS = {1: "stdout", 2: "stderr"}
_STATUSES = ("pending", "running", "completed", "failed", "timeout", "canceled", "skipped")
_ROWS = f"""
SELECT ch.*, c.environment, h.name AS host_name, {STEP_COLUMNS}, {FILE_COLUMNS}
FROM command_hosts AS ch JOIN commands AS c ON c.id = ch.command_id
JOIN tasks AS t ON t.id = ch.task_id JOIN hosts AS h ON h.id = ch.host {FILE_JOIN} ORDER BY ch.id
"""
_SKIPPED = {"earlier_failed", "budget_spent", "hold_expired", "maintenance"}
_NEVER_RAN = {"undeliverable", "rejected", "spawn_failed", *_SKIPPED}
_NOTHING = Expected(b"", b"", 0)  # what a copy or a fetch prints
_MAY_BE_CUT = {"interrupted", "agent_state_lost", "canceled", "agent_lost", "cancel_unconfirmed"}


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the faults of a run may have led to, beside the truth.

    Attributes:
        reasons: failures that no command of these tests has by itself.
        gaps: output may be gone from a host, and is then counted.
        dropped: the host's disk may have been full, and bytes are then counted.
        unknown: executions may have run that this database does not know.
        corrected: hosts may have been declared lost, and have come back.
    """

    reasons: Collection[str] = ()
    gaps: bool = False
    dropped: bool = False
    unknown: bool = False
    corrected: bool = False


def check(fleet: Fleet, allowed: Allowed | None = None) -> None:
    """Raises AssertionError with all violations and the whole story if there is one."""
    violations = find_violations(fleet, allowed or Allowed())
    assert not violations, "\n".join([*violations, fleet.explain()])


def find_violations(fleet: Fleet, allowed: Allowed) -> list[str]:
    """A sentence for each thing that is not as it must be."""
    trace = read_traces(list((fleet.folder / "hosts").iterdir()))
    rows = fleet.rows(_ROWS)
    found = fleet.database.findings()
    known = {row["execution_id"] for row in rows}
    if not allowed.unknown:
        found += [f"{id_} ran and is not in the database" for id_ in trace.begun.keys() - known]
    found += [f"{id_} ran {n} times" for id_, n in trace.begun.items() if n > 1]
    for row in rows:
        found += [
            f"{row['execution_id']}: {wrong}" for wrong in _of_row(fleet, row, trace, allowed)
        ]
    found += file_violations(fleet.files, rows)
    found += step_violations(rows, trace, corrected=allowed.corrected)
    found += audit_violations(fleet.rows)
    return found + _tasks(fleet, rows) + rollout_violations(fleet.rows, corrected=allowed.corrected)


def _of_row(fleet: Fleet, row: Row, trace: Trace, allowed: Allowed) -> list[str]:
    begun = trace.begun.get(row["execution_id"], 0)
    ended = trace.ended.get(row["execution_id"], 0)
    if is_transfer(row):
        planned, begun = _NOTHING, int(row["status"] == "completed")
        ended = begun
    else:
        planned = expected(row["execution_id"], row["environment"], row["host_name"])
    wrong = _status(row, begun, ended, planned, allowed)
    whole = row["status"] == "completed" or row["reason"] == "exit_code"
    dropped = row["truncated_bytes"] if allowed.dropped else 0
    if row["truncated_bytes"] and not allowed.dropped:
        wrong.append(f"{row['truncated_bytes']} bytes were dropped")
    for number, name in _STREAMS.items():
        wrong += _output(fleet, row, number, getattr(planned, name), whole and not dropped, allowed)
    if dropped and whole:
        missing = len(planned.stdout) + len(planned.stderr)
        missing -= row["stdout_bytes"] + row["stderr_bytes"]
        if dropped != missing:
            wrong.append(f"{dropped} bytes are counted as dropped, {missing} are missing")
    return wrong


def _status(row: Row, begun: int, ended: int, planned: Expected, allowed: Allowed) -> list[str]:
    status, reason = row["status"], row["reason"]
    told = f"{status} {reason} ({row['detail']}) exit_code={row['exit_code']} late={row['late']}"
    if status == "completed" or reason == "exit_code":
        code = 0 if status == "completed" else row["exit_code"]
        good = begun == ended == 1 and code == planned.code
    elif status == "canceled" and reason == "canceled":
        # A signal may reach a shell that has said that it ends, and even one that is in its exit.
        good = bool(row["canceled_at"]) and begun >= ended
        good &= not ended or row["exit_code"] in (None, planned.code)
    elif reason in _NEVER_RAN:
        good = not begun and (status == "skipped" or reason in allowed.reasons)
    else:
        good = reason in allowed.reasons
    if good:
        return []
    return [f"is {told}, and it began {begun} times, ended {ended} times, with {planned.code}"]


def _output(
    fleet: Fleet,
    row: Row,
    stream: int,
    planned: bytes,
    whole: bool,
    allowed: Allowed,
) -> list[str]:
    name = _STREAMS[stream]
    chunks = fleet.rows(
        'SELECT "offset", gap, data FROM output_chunks WHERE command_host_id = ? AND stream = ?'
        ' ORDER BY "offset"',
        row["id"],
        stream,
    )
    end = 0
    wrong = []
    for chunk in chunks:
        if chunk["offset"] != end:
            wrong.append(f"{name} goes on at {chunk['offset']} instead of {end}")
        if chunk["gap"] and not allowed.gaps:
            wrong.append(f"{name} has a gap of {chunk['gap']} bytes at {end}")
        data = chunk["data"]
        if data != planned[chunk["offset"] : chunk["offset"] + len(data)]:
            wrong.append(f"{name} has other bytes at {chunk['offset']}")
        end = chunk["offset"] + (chunk["gap"] or len(data))
    total = row[f"{name}_total"]
    if end != row[f"{name}_bytes"]:
        wrong.append(f"{name} ends at {end}, and the row says {row[f'{name}_bytes']}")
    if total is not None and end != total:
        wrong.append(f"{name} ends at {end}, and the result says {total}")
    if whole and end != len(planned):
        wrong.append(f"{name} has {end} bytes of {len(planned)}")
    if not whole and not chunks and row["reason"] not in _MAY_BE_CUT | _NEVER_RAN and planned:
        wrong.append(f"{name} is missing")
    return wrong


def _tasks(fleet: Fleet, rows: Sequence[Row]) -> list[str]:
    found = []
    for table, key in (("tasks", "task_id"), ("commands", "command_id")):
        for row in fleet.rows(f"SELECT * FROM {table}"):
            real = Counter(each["status"] for each in rows if each[key] == row["id"])
            told = {status: row[status] for status in _STATUSES}
            if told != {status: real[status] for status in _STATUSES}:
                found.append(f"{table} {row['id']} counts {told}, there are {dict(real)}")
            if table == "tasks" and row["started_at"]:
                found += _task(row)
    return found


def _task(row: Row) -> list[str]:
    if row["cancel_requested_at"]:
        right = "canceled"
    else:
        right = "completed" if row["completed"] == row["total"] else "failed"
    if row["pending"] or row["running"] or row["status"] != right:
        return [f"task {row['id']} is {row['status']} and should be {right}"]
    return []
