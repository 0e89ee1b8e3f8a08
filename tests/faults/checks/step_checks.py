"""What must be true of the steps of tasks that have ended, by their rows and the hosts' own traces.

The rules are those of the manual, written down once more: `tests/support/managers/step_ends.py`
says what follows each end. All hosts are on one machine, so the times of their traces can be
compared.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto

from tests.faults.fleet.command import Trace
from tests.support.managers.step_ends import COMPLETED, KNOWN_FAILURES, LAST
from tui_manager.domain.status import UNKNOWN_ENDS
from tui_manager.storage.engine.transaction import Row

_ENDS = frozenset((str(status), str(reason)) for status, reason in LAST)
_FAILURES = frozenset((str(status), str(reason)) for status, reason in KNOWN_FAILURES)
_SUCCESSES = frozenset((str(status), str(reason)) for status, reason in COMPLETED)
_SKIPPED = ("skipped", "earlier_failed")
# When an operator asked for the end of its task, or of the step on its host.
_CANCELED_AT = "coalesce(t.cancel_requested_at, ch.cancel_requested_at) AS canceled_at"
STEP_COLUMNS = f"c.on_failure, c.always, c.barrier, {_CANCELED_AT}"


class _Left(Enum):
    """Which of the later steps may still run on the host."""

    ALL = auto()
    ALWAYS = auto()
    NONE = auto()


def step_violations(rows: Iterable[Row], trace: Trace, *, corrected: bool = False) -> list[str]:
    """A sentence for each thing that is not as it must be.

    Args:
        rows: of `command_hosts`, of tasks that have ended, with STEP_COLUMNS and `host_name`.
        corrected: hosts may have been lost and come back: an end that was acted on may not be
            stored any more. A late result says the same of its task.
    """
    found = []
    for task_id, of_task in itertools.groupby(_in_order(rows, "task_id"), _column("task_id")):
        steps = list(of_task)
        wrong = [*_after_cancel(steps)]
        if not corrected and not any(step["late"] for step in steps):
            by_host = itertools.groupby(_in_order(steps, "host"), _column("host"))
            wrong += [each for _, of_host in by_host for each in _on_host(list(of_host), trace)]
            by_batch = itertools.groupby(_in_order(steps, "batch"), _column("batch"))
            wrong += [each for _, batch in by_batch for each in _barriers(list(batch), trace)]
        found += [f"steps of task {task_id}: {sentence}" for sentence in wrong]
    return found


def _column(name: str) -> Callable[[Row], int]:
    return lambda row: int(row[name])


def _in_order(rows: Iterable[Row], column: str) -> list[Row]:
    return sorted(rows, key=lambda row: (row[column], row["position"]))


def _end(step: Row) -> tuple[str, str]:
    return step["status"], step["reason"]


def _name(step: Row) -> str:
    return f"step {step['position']} on {step['host_name']} ({step['execution_id']})"


def _after_cancel(steps: Sequence[Row]) -> Iterable[str]:
    """Nothing is sent once it is being canceled."""
    for step in steps:
        canceled = step["canceled_at"]
        if canceled and (step["sent_at"] or 0) > canceled:
            yield f"{_name(step)} was sent after the cancel"


def _on_host(steps: Sequence[Row], trace: Trace) -> Iterable[str]:
    """Each step has the turn and the end that the ends of the earlier ones leave to it."""
    left, ended = _Left.ALL, 0.0
    for step in steps:
        begun = trace.begun_at.get(step["execution_id"])
        may_run = left is _Left.ALL or (left is _Left.ALWAYS and step["always"])
        if begun is not None and begun < ended:
            yield f"{_name(step)} began {ended - begun:.2f} s before an earlier one had ended"
        if may_run and _end(step) == _SKIPPED:
            yield f"{_name(step)} was skipped, and {left.name} were left to run"
        if not may_run and (begun is not None or step["status"] not in ("skipped", "canceled")):
            yield f"{_name(step)} is {_end(step)}, began at {begun}; {left.name} were left to run"
        if may_run:
            left = _left_after(step, left)
        ended = max(ended, trace.ended_at.get(step["execution_id"], 0), begun or 0)


def _left_after(step: Row, left: _Left) -> _Left:
    if _end(step) in _SUCCESSES:
        return left
    if _end(step) in _FAILURES:
        return left if step["on_failure"] == "continue" else _Left.ALWAYS
    assert _end(step) in _ENDS or step["status"] == "skipped", f"{_name(step)} is {_end(step)}"
    return _Left.NONE


def _barriers(steps: Sequence[Row], trace: Trace) -> Iterable[str]:
    """No host of a batch begins a step with a barrier, or a later one, before the others have ended
    what they ran before it. What has an unknown end may still run; its host has left the run."""
    known = [step for step in steps if step["reason"] not in UNKNOWN_ENDS]
    for barrier in sorted({step["position"] for step in steps if step["barrier"]} - {0}):
        behind = [step for step in steps if step["position"] >= barrier]
        began = [(trace.begun_at.get(step["execution_id"]), step) for step in behind]
        first = min(((at, _name(step)) for at, step in began if at is not None), default=None)
        for step in known:
            id_ = step["execution_id"]
            last = max(trace.begun_at.get(id_, 0), trace.ended_at.get(id_, 0))
            if first and step["position"] < barrier and last > first[0]:
                early = last - first[0]
                yield f"{first[1]} began {early:.2f} s before {_name(step)} had ended"
