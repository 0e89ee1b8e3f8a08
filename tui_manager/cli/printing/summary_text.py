"""How a task ended, in one line."""

import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_manager.cli.printing.write_text import note, one_line
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason
from tui_manager.domain.tasks.task import CommandHost, Counts

if TYPE_CHECKING:
    from tui_manager.domain.task_spec.copy_and_fetch import UpdateSpec

_GROUPS_SHOWN = 5


def count_words(counts: Counts) -> str:
    """`4 completed, 1 failed`."""
    parts = [
        f"{number} {name}"
        for name, number in counts.as_dict().items()
        if number and name != "total"
    ]
    return ", ".join(parts) or "no hosts"


def outcome(row: CommandHost) -> str:
    """Why a command host ended: `exit code 3`; empty if it completed."""
    match row.reason:
        case Reason.EXIT_CODE:
            words = f"exit code {row.exit_code}"
        case Reason.SIGNAL:
            words = f"signal {_signal_name(row.signal)}"
        case _:
            words = row.reason.replace("_", " ")
    detail = one_line(row.detail)
    return f"{words} ({detail})" if detail else words


def update_words(row: CommandHost, update: "UpdateSpec") -> str:
    """What an update that completed did: `updated: 0.1.0 to 0.2.0`."""
    detail = one_line(row.detail)
    if row.transfer is not None and row.transfer.unchanged:
        return f"unchanged: {detail or update.named}"
    return f"updated: {detail or f'to {update.named}'}"


class FailureReasons:
    """Why hosts of a task did not complete."""

    def __init__(self) -> None:
        self._hosts: dict[str, list[str]] = {}  # by the reason

    def add(self, row: CommandHost) -> None:
        """Adds a command host of any status."""
        if row.status in (Status.FAILED, Status.TIMEOUT, Status.SKIPPED) or row.kill_incomplete:
            self._hosts.setdefault(outcome(row), []).append(row.host)

    @property
    def text(self) -> str:
        """`web03 exit code 3`; empty if there are none."""
        reasons = [f"{_folded(names)} {why}" for why, names in self._hosts.items()]
        if len(reasons) > _GROUPS_SHOWN:
            reasons[_GROUPS_SHOWN:] = [f"and {len(reasons) - _GROUPS_SHOWN} other reasons"]
        return "; ".join(reasons)


def summarize(counts: Counts, reasons: FailureReasons) -> str:
    """`4 completed, 1 failed: web03 exit code 3`."""
    return ": ".join(filter(None, (count_words(counts), reasons.text)))


def note_left_out(names: Sequence[str]) -> None:
    """Prints on stderr which hosts of the target a task leaves out."""
    if names:
        note(f"left out, in maintenance or not in the fleet any more: {_folded(names)}")


def _folded(names: Sequence[str]) -> str:
    from tui_manager.domain.text.host_name_ranges import fold_names  # here: most tasks complete

    return fold_names(names)


def _signal_name(number: int | None) -> str:
    try:
        return f"{number} ({signal.Signals(number or 0).name})"
    except ValueError:
        return str(number)
