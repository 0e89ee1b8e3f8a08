"""SummaryPrinter: prints the last lines of `run` on stderr. `summary_text.py` and `transfers.py`
make them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_manager.cli.printing.summary_text import FailureReasons, summarize
from tui_manager.cli.printing.write_text import note
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import CommandHost, Progress

if TYPE_CHECKING:  # copies and fetches are imported when they are needed
    from tui_manager.cli.printing.transfers import SavedByRow, TransferSummary
    from tui_manager.domain.task_spec.task_spec import CommandSpec

NOTHING_SAVED: "SavedByRow" = {}


class SummaryPrinter:
    """What is printed on stderr at the end: what was not kept, and the summary. The number of a
    task that did not complete is in it, because it is needed to look further.

    Args:
        ended: the progress of the ended task.
        steps: of the task.
        saved: what was saved of fetched files.
    """

    def __init__(
        self, ended: Progress, steps: "Sequence[CommandSpec]", saved: "SavedByRow"
    ) -> None:
        self._ended = ended
        self._failure_reasons = FailureReasons()
        self._truncated: list[tuple[str, int]] = []
        self._transfers = _transfer_summary(steps, saved)

    def add(self, row: CommandHost) -> None:
        """Takes a command host of the task."""
        self._failure_reasons.add(row)
        if row.truncated_bytes:
            self._truncated.append((row.host, row.truncated_bytes))
        if self._transfers is not None:
            self._transfers.add(row)

    def print(self) -> None:
        """Called after the last one."""
        for host, size in self._truncated:
            note_past_limit(host, size)
        counts = self._ended.counts
        if self._transfers is not None:
            text = self._transfers.summarize(counts, self._failure_reasons)
        else:
            text = summarize(counts, self._failure_reasons)
        completed = self._ended.status is TaskStatus.COMPLETED
        note(text if completed else f"task {self._ended.task_id}: {text}")


def _transfer_summary(
    steps: "Sequence[CommandSpec]", saved: "SavedByRow"
) -> "TransferSummary | None":
    """Counts how the hosts of a task ended that is one copy, fetch or update; None: it is not."""
    if len(steps) != 1 or not steps[0].transfer:
        return None
    from tui_manager.cli.printing.transfers import TransferSummary

    return TransferSummary(steps[0], saved)


def note_past_limit(host: str, size: int) -> None:
    """Prints that so many bytes of a host were not kept."""
    note(f"{host}: {size} bytes past the output limit were not kept")
