"""What must be true of rollouts that have ended, by the rows of the database.

A manager knows the true time of a begin and of an end, or a later one, but of an end none that is
later than the transaction that stored it. So what has to follow an end has a later time.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tui_manager.storage.engine.transaction import Row

Rows = Callable[..., Sequence[Row]]

_ROLLOUTS = """
SELECT r.*, t.status AS task_status, t.cancel_requested_at, t.paused_at
FROM rollouts AS r JOIN tasks AS t ON t.id = r.task_id
WHERE t.status IN ('completed', 'failed', 'canceled') AND r.batch_count > 0
"""
_COMMANDS = """
SELECT ch.*, h.name AS host_name FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.task_id = ? ORDER BY ch.id
"""
_AUDIT = """
SELECT at, action, detail FROM audit WHERE task_id = ?
AND action IN ('hold_task', 'pause_task', 'resume_task', 'skip_rest') ORDER BY id
"""
_SKIPPED = ("budget_spent", "hold_expired")
_NEVER = 1 << 62  # an instant
_FAULTS = ("failed", "timeout")


@dataclass(frozen=True, slots=True)
class _Rollout:
    """A rollout, its command hosts, and what was done to it.

    Attributes:
        row: of `rollouts`, with the status of the task.
        audit: what was done to it, in order.
        corrected: a late result has replaced a guess, or a lost host came back: an end that was
            acted on is not stored any more.
    """

    row: Row
    commands: Sequence[Row]
    audit: Sequence[Row]
    corrected: bool

    @property
    def hosts(self) -> Mapping[str, list[Row]]:
        """The commands of each host."""
        found: dict[str, list[Row]] = {}
        for command in self.commands:
            found.setdefault(command["host_name"], []).append(command)
        return found

    @property
    def failed(self) -> int:
        """Hosts that count as failed."""
        return sum(any(map(_is_fault, commands)) for commands in self.hosts.values())

    def with_reason(self, reason: str) -> int:
        """How many hosts have a command that ended with this reason."""
        return len({command["host"] for command in self.commands if command["reason"] == reason})

    def at(self, *actions: str) -> list[int]:
        """When these were done."""
        return [each["at"] for each in self.audit if each["action"] in actions]

    @property
    def acts(self) -> list[str]:
        """The actions, for a message."""
        return [f"{each['at']} {each['action']} {each['detail']}" for each in self.audit]


def _is_fault(command: Row) -> bool:
    return command["status"] in _FAULTS and command["reason"] != "undeliverable"


def rollout_violations(rows: Rows, *, corrected: bool = False) -> list[str]:
    """A sentence for each thing that is not as it must be.

    Args:
        rows: reads the database, as `Fleet.rows`.
        corrected: hosts may have been lost and come back.
    """
    found = []
    for row in rows(_ROLLOUTS):
        commands = rows(_COMMANDS, row["task_id"])
        audit = rows(_AUDIT, row["task_id"])
        late = corrected or any(command["late"] for command in commands)
        rollout = _Rollout(row, commands, audit, late)
        wrong = [*_end(rollout), *_skipped(rollout)]
        if not late:
            wrong += [*_sent(rollout), *_turns(rollout), *_concurrency(rollout)]
        found += [f"rollout of task {row['task_id']}: {sentence}" for sentence in wrong]
    return found


def _end(rollout: _Rollout) -> Iterable[str]:
    """Nothing waits any more, and the counters are right."""
    row = rollout.row
    states = ("waiting", "expected", "under_way", "away", "at_barrier", "failing")
    left = {name: row[name] for name in (f"hosts_{state}" for state in states) if row[name]}
    if left:
        yield f"it has ended, and counts {left}"
    if row["held_until"] is not None or row["paused_at"] is not None:
        yield "it has ended, and is held or paused"
    if row["hosts_failed"] != rollout.failed:
        yield f"{row['hosts_failed']} failed hosts are counted, there are {rollout.failed}"
    if row["strict"] and rollout.failed > row["failure_budget"] + 1:
        yield f"{rollout.failed} hosts failed of a strict budget of {row['failure_budget']}"


def _skipped(rollout: _Rollout) -> Iterable[str]:
    """Hosts are skipped for a reason that the task really has, all at one time, and wholly."""
    spent, expired = (rollout.with_reason(reason) for reason in _SKIPPED)
    if spent and expired:
        yield "hosts are skipped for two reasons"
    if spent and not (_is_spent(rollout) or rollout.corrected):
        yield f"{spent} are skipped, and the budget is not spent: {rollout.failed} have failed"
    if expired and not _has_expired(rollout):
        yield f"{expired} are skipped, and no hold has expired: {rollout.acts}"
    said = [json.loads(each["detail"]) for each in rollout.audit if each["action"] == "skip_rest"]
    hosts = sum(detail["hosts"] for detail in said)
    if hosts != spent + expired and not rollout.row["cancel_requested_at"]:
        yield f"{spent + expired} are skipped, and the audit has {rollout.acts}"
    for host, commands in rollout.hosts.items():
        reasons = {command["reason"] for command in commands}
        if reasons.intersection(_SKIPPED) and len(reasons) > 1:
            yield f"a part of the commands of {host} was skipped: {sorted(reasons)}"


def _is_spent(rollout: _Rollout) -> bool:
    if (budget := rollout.row["failure_budget"]) is not None:
        return rollout.failed > int(budget)
    last = [
        commands
        for commands in rollout.hosts.values()
        if commands[0]["batch"] == rollout.row["batch"]
    ]
    completed = any(all(c["status"] == "completed" for c in commands) for commands in last)
    failed = any(any(map(_is_fault, commands)) for commands in last)
    return bool(rollout.row["batches"]) and failed and not completed


def _has_expired(rollout: _Rollout) -> bool:
    """Nobody has ended the last hold, and it has lasted as long as it had to."""
    holds, skips = rollout.at("hold_task"), rollout.at("skip_rest")
    if not holds or len(skips) != 1:
        return False
    began, ended = holds[-1], skips[0]
    released = [at for at in rollout.at("resume_task") if began < at < ended]
    return not released and ended - began >= int(rollout.row["hold_timeout"])


def _sent(rollout: _Rollout) -> Iterable[str]:
    """Nothing is sent in a hold or a pause."""
    resumed = rollout.at("resume_task")
    for begin in rollout.at("hold_task", "pause_task"):
        end = next((at for at in resumed if at > begin), _NEVER)
        for command in rollout.commands:
            if begin < (command["sent_at"] or 0) < end:
                yield f"{command['execution_id']} was sent at {command['sent_at']}: {rollout.acts}"


def _intervals(commands: Iterable[Row]) -> list[tuple[int, int]]:
    ran = [command for command in commands if command["started_at"] is not None]
    return [(command["started_at"], command["finished_at"]) for command in ran]


def _turns(rollout: _Rollout) -> Iterable[str]:
    """No host of a batch begins before each host of the batches before it has ended, and the delay
    has passed."""
    ended: dict[int, int] = {}
    begun: dict[int, int] = {}
    for command in rollout.commands:
        batch, sent_at = command["batch"], command["sent_at"]
        ended[batch] = max(ended.get(batch, 0), command["finished_at"])
        if sent_at is not None:
            begun[batch] = min(begun.get(batch, sent_at), sent_at)
    for before, after in pairwise(sorted(ended)):
        if after in begun and begun[after] < ended[before] + rollout.row["delay"]:
            early = (ended[before] + rollout.row["delay"] - begun[after]) / 1e6
            yield f"batch {after} began {early:.3f} s before its turn"


def _concurrency(rollout: _Rollout) -> Iterable[str]:
    limit = rollout.row["concurrency_limit"]
    most = most_at_once(_intervals(rollout.commands))
    if limit and most > limit:
        yield f"{most} commands ran at one time, {limit} are allowed"


def most_at_once(intervals: Iterable[tuple[int, int]]) -> int:
    """How many of these intervals have a moment in common; their ends do not count."""
    steps = sorted(step for begin, end in intervals for step in ((begin, 1), (end, -1)))
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most
