"""The checks of steps find what is wrong in rows and traces, and nothing where all is right."""

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pytest

from tests.faults.checks.step_checks import step_violations
from tests.faults.fleet.command import Trace

_COLUMNS = (
    "execution_id task_id host host_name batch position status reason late sent_at on_failure "
    "always barrier canceled_at begun ended"
)
_CANCELED = 500
_FAILED, _SKIPPED = ("failed", "exit_code"), ("skipped", "earlier_failed")


@dataclass
class Step:
    """A step on a host, and when it began and ended there."""

    host: str
    position: int
    end: tuple[str, str] = ("completed", "")
    begun: float | None = None
    ended: float | None = None
    on_failure: str = "stop"
    always: bool = False
    barrier: bool = False
    late: bool = False
    canceled_at: int | None = None
    sent_at: int | None = None


def _violations(steps: Iterable[Step]) -> list[str]:
    steps = list(steps)
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute(f"CREATE TABLE steps ({_COLUMNS.replace(' ', ', ')})")
        for step in steps:
            values = [
                *(f"{step.host}-{step.position}", 1, int(step.host[1:]), step.host, 1),
                *(step.position, *step.end, step.late, step.sent_at, step.on_failure),
                *(step.always, step.barrier, step.canceled_at, step.begun, step.ended),
            ]
            connection.execute(f"INSERT INTO steps VALUES ({', '.join('?' * len(values))})", values)
        rows = connection.execute("SELECT * FROM steps").fetchall()
    begun = {row["execution_id"]: row["begun"] for row in rows if row["begun"] is not None}
    ended = {row["execution_id"]: row["ended"] for row in rows if row["ended"] is not None}
    trace = Trace(dict.fromkeys(begun, 1), dict.fromkeys(ended, 1), begun, ended)
    return step_violations(rows, trace)


_CLEAN_UP = Step("h1", 2, always=True, begun=3, ended=4)
_LOST = ("failed", "interrupted")
_AWAY = ("failed", "agent_lost")
RIGHT: Mapping[str, list[Step]] = {
    "one after another": [Step("h1", 0, begun=1, ended=2), Step("h1", 1, begun=2, ended=3)],
    "clean-up": [Step("h1", 0, _FAILED, 1, 2), Step("h1", 1, _SKIPPED), _CLEAN_UP],
    "continues": [Step("h1", 0, _FAILED, 1, 2, on_failure="continue"), Step("h1", 1, begun=3)],
    "unknown": [Step("h1", 0, _LOST, 1), Step("h1", 1, _SKIPPED, always=True)],
    "not reached": [Step("h1", 0, ("failed", "undeliverable")), Step("h1", 1, _SKIPPED)],
    "skipped whole": [Step("h1", place, ("skipped", "budget_spent")) for place in (0, 1)],
    "canceled": [
        Step("h1", 0, begun=1, ended=2, canceled_at=_CANCELED, sent_at=_CANCELED - 1),
        Step("h1", 1, ("canceled", "canceled"), always=True, canceled_at=_CANCELED),
    ],
    "barrier": [
        *(Step(host, 0, begun=1, ended=2) for host in ("h1", "h2")),
        *(Step(host, 1, begun=2, ended=3, barrier=True) for host in ("h1", "h2")),
    ],
    "a lost host keeps no barrier closed": [
        *(Step("h1", 0, begun=1, ended=2), Step("h1", 1, begun=3, ended=4, barrier=True)),
        *(Step("h2", 0, _LOST, 1, 9), Step("h2", 1, _SKIPPED, barrier=True)),
    ],
    "late": [Step("h1", 0, begun=1, ended=2, late=True), Step("h1", 1, _SKIPPED)],
}
WRONG: Mapping[str, list[Step]] = {
    "began 0.50 s before an earlier": [Step("h1", 0, begun=1, ended=2), Step("h1", 1, begun=1.5)],
    "was skipped, and ALL": [Step("h1", 0, begun=1, ended=2), Step("h1", 1, _SKIPPED)],
    "was skipped, and ALWAYS": [Step("h1", 0, _FAILED, 1, 2), Step("h1", 1, _SKIPPED, always=True)],
    "began at 3; ALWAYS": [Step("h1", 0, _FAILED, 1, 2), Step("h1", 1, begun=3)],
    "began at 3; NONE": [Step("h1", 0, _LOST, 1), Step("h1", 2, always=True, begun=3)],
    "began at None; NONE": [Step("h1", 0, _AWAY, 1), Step("h1", 1, _FAILED, on_failure="continue")],
    "step 1 on h1 (h1-1) is ('canceled', 'canceled'), began at 5; NONE": [
        Step("h1", 0, ("canceled", "canceled"), 1, canceled_at=_CANCELED),
        Step("h1", 1, ("canceled", "canceled"), 5, canceled_at=_CANCELED),
    ],
    "was sent after the cancel": [
        Step("h1", 0, begun=1, ended=2, canceled_at=_CANCELED, sent_at=_CANCELED + 1)
    ],
    "step 1 on h1 (h1-1) began 2.00 s before step 0 on h2 (h2-0) had ended": [
        *(Step("h1", 0, begun=1, ended=2), Step("h1", 1, begun=3, ended=4, barrier=True)),
        *(Step("h2", 0, begun=1, ended=5), Step("h2", 1, begun=6, ended=7, barrier=True)),
    ],
    "step 2 on h1 (h1-2) began 1.00 s before step 0 on h2 (h2-0) had ended": [
        *(Step("h1", 0, _FAILED, 1, 2), Step("h1", 1, _SKIPPED, barrier=True)),
        *(_CLEAN_UP, Step("h2", 0, _FAILED, begun=4)),
        *(Step("h2", 1, _SKIPPED, barrier=True), Step("h2", 2, begun=5, ended=6, always=True)),
    ],
}


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_is_found(name: str) -> None:
    assert _violations(RIGHT[name]) == []


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_found(words: str) -> None:
    (sentence,) = _violations(WRONG[words])
    assert words in sentence
