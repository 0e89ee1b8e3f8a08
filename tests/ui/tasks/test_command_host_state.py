"""What a row of the screen of a task says of a command: its state, its end, its last line."""

from datetime import datetime, timedelta

import pytest

from tests.support.fake_operator.fake_operator import START
from tui_manager.domain.output.last_line import LastLine
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.ui.drawing.bars import percent_bar
from tui_manager.ui.drawing.spans import plain, width_of
from tui_manager.ui.tasks.one_task.command_host_state import (
    STATE_WIDTH,
    StepFacts,
    line_cell,
    state_cell,
)

RULES = StepFacts(timeout=timedelta(minutes=5), grace=timedelta(seconds=10))


def row(status: Status, reason: Reason = Reason.NONE, **more: object) -> CommandHost:
    values: dict[str, object] = {
        "execution_id": "e", "task_id": 1, "command": 0, "host_id": "h", "host": "web01",
        "status": status, "reason": reason, "detail": "", "exit_code": None, "signal": None,
        "stdout_bytes": 0, "stderr_bytes": 0, "truncated_bytes": 0, "sent_at": START,
        "started_at": None if status is Status.PENDING else START, "finished_at": None,
        "cancel_requested_at": None, "late": False, "kill_incomplete": False, **more,
    }  # fmt: skip
    return CommandHost(**values)  # type: ignore[arg-type]


def cells(what: CommandHost, now: datetime = START, last: LastLine | None = None) -> list[str]:
    state = state_cell(what, last, STATE_WIDTH, now, RULES)
    return [plain(state), plain(line_cell(what, last, now, RULES, 80))]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (row(Status.COMPLETED), ["completed", ""]),
        (row(Status.FAILED, Reason.EXIT_CODE, exit_code=3), ["exit 3", ""]),
        (row(Status.FAILED, Reason.SIGNAL, signal=9, detail="out of\x1b[2J memory"),
            ["signal 9", "out of memory"]),
        (row(Status.FAILED, Reason.UNDELIVERABLE), ["not delivered", "could not be delivered"]),
        (row(Status.FAILED, Reason.REJECTED, detail="rule 3"), ["refused", "rejected (rule 3)"]),
        (row(Status.CANCELED, Reason.CANCELED), ["canceled", "all processes gone"]),
        (row(Status.CANCELED, Reason.CANCELED, started_at=None),
            ["canceled", "before it started"]),
        (row(Status.CANCELED, Reason.CANCELED, kill_incomplete=True, detail="sh[7], ed[8]"),
            ["canceled", "processes survive: sh[7], ed[8]"]),
        (row(Status.TIMEOUT, Reason.TIMEOUT, late=True),
            ["timeout", "all processes gone, corrected late"]),
        (row(Status.SKIPPED, Reason.BUDGET_SPENT), ["skipped", "too many hosts have failed"]),
        (row(Status.PENDING, sent_at=None, batch=2), ["waiting", "in batch 2"]),
        (row(Status.PENDING), ["sent", "to be started"]),
        (row(Status.PENDING, waits_until=START + timedelta(hours=4, minutes=37)),
            ["waiting", "for its connection, until 18:40"]),
        (row(Status.PENDING, sent_at=None, waits_until=START + timedelta(days=1)),
            ["waiting", "for its connection, until 3 Mar 14:03"]),
        (row(Status.PENDING, cancel_requested_at=START),
            ["canceling", "waits for the answer of its host"]),
    ],
)  # fmt: skip
def test_a_row_says_how_its_command_stands(what: CommandHost, said: list[str]) -> None:
    assert cells(what) == said


def test_every_state_fits_its_column() -> None:
    for status in Status:
        for reason in Reason:
            what = row(status, reason, exit_code=255, signal=64)
            assert width_of(state_cell(what, None, STATE_WIDTH, START, RULES)) <= STATE_WIDTH


def test_a_row_counts_down_to_sigkill_and_then_waits_for_the_proof() -> None:
    canceling = row(Status.RUNNING, cancel_requested_at=at(20))
    assert cells(canceling, at(20)) == ["SIGKILL in 10s", "SIGTERM was sent"]
    assert cells(canceling, at(29.5)) == ["SIGKILL in 1s", "SIGTERM was sent"]
    gone = "waits for proof that its processes are gone"
    assert cells(canceling, at(30)) == ["SIGKILL due", gone]
    runs = row(Status.RUNNING)
    assert cells(runs, at(299)) == ["running", ""]
    assert cells(runs, at(303)) == ["SIGKILL in 7s", "timeout of 5m: SIGTERM was sent"]
    assert cells(runs, at(311)) == ["SIGKILL due", f"timeout of 5m: {gone}"]


def test_a_long_countdown_fits_its_column() -> None:
    rules = StepFacts(grace=timedelta(hours=1))
    canceling = row(Status.RUNNING, cancel_requested_at=START)
    for seconds in range(0, 3700, 13):
        cell = state_cell(canceling, None, STATE_WIDTH, at(seconds), rules)
        assert width_of(cell) <= STATE_WIDTH + 2


def test_progress_is_a_bar_only_while_the_command_runs() -> None:
    half = LastLine("Unpacking 61%", False, 61)
    assert cells(row(Status.RUNNING), last=half) == ["▇▇▇▇▇▁▁▁▁  61%", "Unpacking 61%"]
    assert cells(row(Status.COMPLETED), last=half) == ["completed", "Unpacking 61%"]
    canceling = row(Status.RUNNING, cancel_requested_at=START)
    assert cells(canceling, last=half)[0] == "SIGKILL in 10s"
    for percent in range(101):
        for width in range(3, 20):
            assert width_of(percent_bar(percent, width)) <= max(width, 4)


def test_the_last_line_is_text_and_says_if_it_is_stderr() -> None:
    last = LastLine("[red]no[/]", True, None)
    failed = row(Status.FAILED, Reason.EXIT_CODE, exit_code=1)
    assert cells(failed, last=last)[1] == "┃[red]no[/]"
    killed = row(Status.TIMEOUT, Reason.TIMEOUT)
    assert cells(killed, last=last)[1] == "all processes gone   ┃[red]no[/]"
