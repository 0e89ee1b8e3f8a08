"""How one command stands on one host: the state, the countdown to SIGKILL, and the proof. Pure."""

import math
from datetime import datetime, timedelta

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.output.last_line import LastLine
from tui_manager.domain.presentation.state_words import reason_words
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.text.number_format import day_and_time, running_time, timeout_text
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing import transfer_words
from tui_manager.ui.drawing.bars import percent_bar
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, spans
from tui_manager.ui.drawing.state_words_and_colours import STDERR, TRUNCATED
from tui_manager.ui.drawing.transfer_words import TransferSpec

STATE_WIDTH = 14  # cells; the words below fit
_SHORT = {
    Reason.UNDELIVERABLE: "not delivered",
    Reason.REJECTED: "refused",
    Reason.SPAWN_FAILED: "not started",
    Reason.AGENT_LOST: "agent lost",
    Reason.AGENT_STATE_LOST: "agent reset",
    Reason.INTERRUPTED: "interrupted",
    Reason.TRANSFER_FAILED: "files failed",
    Reason.UPDATE_FAILED: "update failed",
    Reason.CANCEL_UNCONFIRMED: "no proof",
}
_ROLES = {
    CommandHostStatus.FAILED: Role.FAULT,
    CommandHostStatus.TIMEOUT: Role.FAULT,
    CommandHostStatus.SKIPPED: Role.CAUTION,
    CommandHostStatus.CANCELED: Role.CAUTION,
    CommandHostStatus.PENDING: Role.MUTED,
    CommandHostStatus.COMPLETED: Role.MUTED,
    CommandHostStatus.RUNNING: Role.PLAIN,
}
_IN_SECONDS = 100  # below this, a countdown is in seconds


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What is known of a command besides its row.

    Attributes:
        timeout: from its start to SIGTERM; None: not known.
        grace: from SIGTERM to SIGKILL; None: not known.
        transfer: what it copies or fetches, if it does; it has no processes then.
        rate: bytes a second of that; None: not known.
    """

    timeout: timedelta | None = None
    grace: timedelta | None = None
    transfer: TransferSpec | None = None
    rate: float | None = None


def kill_left(row: CommandHost, now: datetime, facts: StepFacts) -> timedelta | None:
    """How long until SIGKILL, zero or less once it is due; None while nothing ends the command, or
    if it is not known."""
    term_at = _term_at(row, now, facts)
    if term_at is None or facts.grace is None or facts.transfer is not None:
        return None
    return term_at + facts.grace - now


def _term_at(row: CommandHost, now: datetime, facts: StepFacts) -> datetime | None:
    """When SIGTERM was due."""
    if row.status is not CommandHostStatus.RUNNING or row.started_at is None:
        return None
    if row.cancel_requested_at is not None:
        return max(row.cancel_requested_at, row.started_at)
    timeout_at = row.started_at + facts.timeout if facts.timeout is not None else None
    return timeout_at if timeout_at is not None and timeout_at <= now else None


def state_cell(
    row: CommandHost, last: LastLine | None, width: int, now: datetime, facts: StepFacts
) -> Spans:
    """The state in a word or two: `exit 3`, `SIGKILL in 7s`, or a bar for announced progress."""
    if (left := kill_left(row, now, facts)) is not None:
        return spans(f"SIGKILL {_in(left)}", Role.CAUTION)
    if row.canceling:
        return spans("canceling", Role.CAUTION)
    percent = last.percent if last is not None else None
    words = _state_words(row)
    if facts.transfer is not None:
        percent = transfer_words.percent_done(row, facts.transfer)
        words = transfer_words.state_words(row, facts.transfer) or words
    if row.status is CommandHostStatus.RUNNING and percent is not None:
        return percent_bar(percent, width)
    return spans(words, _ROLES[row.status])


def _in(left: timedelta) -> str:
    seconds = math.ceil(left.total_seconds())
    if seconds <= 0:
        return "due"
    return f"in {seconds}s" if seconds < _IN_SECONDS else f"in {running_time(left, 5)}"


def _state_words(row: CommandHost) -> str:
    match row.reason:
        case Reason.EXIT_CODE:
            return f"exit {row.exit_code}"
        case Reason.SIGNAL:
            return f"signal {row.signal}"
        case reason if reason in _SHORT:
            return _SHORT[reason]
    if row.status is CommandHostStatus.PENDING:
        return "sent" if row.sent_at and row.waits_until is None else "waiting"
    return str(row.status)


def line_cell(
    row: CommandHost, last: LastLine | None, now: datetime, facts: StepFacts, width: int
) -> Spans:
    """What its row says of a command last: why it ended, if the state does not say it, and the last
    line of its output, marked if that went to stderr. Of a copy or a fetch, what was transferred:
    as much as fits into the width, in cells, so that no number is cut.
    """
    note = _note(row, now, facts, width)
    mark = (TRUNCATED,) if row.truncated_bytes else BLANK
    if last is None:
        return (*mark, *note)
    stderr = (Span(STDERR.text, STDERR.role),) if last.stderr else BLANK
    gap = (Span("   "),) if note else BLANK
    role = Role.MUTED if note else Role.PLAIN
    return (*mark, *note, *gap, *stderr, Span(safe_line(last.text), role))


def _note(row: CommandHost, now: datetime, facts: StepFacts, width: int) -> Spans:
    if not row.status.ended:
        return _open_note(row, now, facts, width)
    words = _ended_words(row, facts)
    if row.late:
        words = f"{words}, corrected late" if words else "corrected late"
    role = Role.CAUTION if row.kill_incomplete else Role.PLAIN
    return spans(words, role)


def _open_note(row: CommandHost, now: datetime, facts: StepFacts, width: int) -> Spans:
    """Of a command that has not ended."""
    left = kill_left(row, now, facts)
    if left is not None:
        gone = "waits for proof that its processes are gone"
        does = gone if left <= timedelta(0) else "SIGTERM was sent"
        timeout = None if row.canceling else facts.timeout
        why = f"timeout of {timeout_text(timeout)}: " if timeout is not None else ""
        return spans(f"{why}{does}", Role.CAUTION)
    if row.canceling:
        return spans("waits for the answer of its host", Role.CAUTION)
    if row.waits_until is not None:
        until = day_and_time(row.waits_until, now)
        return spans(f"for its connection, until {until}", Role.CAUTION)
    if row.status is CommandHostStatus.PENDING:
        batch = f"in batch {row.batch}" if row.batch else "to be sent"
        return spans("to be started" if row.sent_at else batch, Role.MUTED)
    if facts.transfer is not None:
        return spans(transfer_words.progress_words(row, facts.transfer, facts.rate, width))
    return BLANK


def _ended_words(row: CommandHost, facts: StepFacts) -> str:
    """What the word for the state leaves open."""
    detail = safe_line(row.detail)
    has_own = row.reason in (Reason.NONE, Reason.TRANSFER_FAILED, Reason.UPDATE_FAILED)
    if facts.transfer is not None and has_own:
        return transfer_words.row_words(row, facts.transfer, None)
    if row.kill_incomplete and facts.transfer is None:
        return f"processes survive: {detail}" if detail else "some of its processes survive"
    if row.reason in (Reason.NONE, Reason.EXIT_CODE, Reason.SIGNAL):
        return detail
    if row.reason is Reason.CANCELED and row.started_at is None:
        return f"before it started{_in_brackets(detail)}"
    if facts.transfer is not None and row.reason in (Reason.CANCELED, Reason.TIMEOUT):
        return detail
    if row.reason in (Reason.CANCELED, Reason.TIMEOUT):
        return f"all processes gone{_in_brackets(detail)}"
    return reason_words(row.reason) + _in_brackets(detail)


def _in_brackets(detail: str) -> str:
    return f" ({detail})" if detail else ""
