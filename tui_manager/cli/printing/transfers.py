"""Copies, fetches and updates in words: what happened on a host, how far a task is, how it
ended."""

from collections.abc import Mapping, Sequence

from tui_manager.cli.printing.summary_text import FailureReasons, update_words
from tui_manager.cli.printing.write_text import one_line
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.task_spec.copy_and_fetch import FetchSpec, FileSet
from tui_manager.domain.task_spec.task_spec import CommandSpec, StepKind
from tui_manager.domain.tasks.task import CommandHost, Counts
from tui_manager.domain.text.number_format import size
from tui_manager.operator.local_files.write_fetched_files import Saved

SavedByRow = Mapping[str, Saved]  # by execution_id
_HOSTS_SHOWN = 20  # in the line that says how far a task is


def files_words(files: int, total: int) -> str:
    """`3 files, 12 kB`."""
    return f"{files:,} file{'s' * (files != 1)}, {size(total)}"


def end_words(row: CommandHost, step: CommandSpec, saved: Saved | None) -> str:
    """What a step that completed did on a host: `copied 3 files, 12 kB`, `updated: 0.1.0 to
    0.2.0`."""
    if step.update is not None:
        return update_words(row, step.update)
    transfer = row.transfer
    if transfer is None:
        return str(row.status)
    what = files_words(transfer.files, transfer.bytes)
    words = f"{_past(step)} {what}"
    if is_unchanged(row, saved):
        words = f"unchanged: {what}"
    else:
        if step.copy and transfer.bytes and not transfer.received_bytes:
            words = f"changed only mode or owner: {what}"
        same = saved.unchanged_files if saved else transfer.unchanged_files
        words += f", {same:,} of them unchanged" if same else ""
    if saved and saved.renamed:
        words += f", {saved.renamed:,} under other names"
    if saved and saved.failed:
        words += f", {saved.failed:,} not saved"
    detail = one_line(row.detail)
    return f"{words} ({detail})" if detail else words


def is_unchanged(row: CommandHost, saved: Saved | None) -> bool:
    """Whether all was there already: on the host, or of a fetch in the folder of this machine."""
    if saved is not None:
        return saved.unchanged
    return row.transfer is not None and row.transfer.unchanged


_PAST = {StepKind.COPY: "copied", StepKind.FETCH: "fetched", StepKind.UPDATE: "updated"}


def _past(step: CommandSpec) -> str:
    return _PAST[step.kind]


class TransferSummary:
    """How the hosts of a task ended that has this step only.

    Args:
        saved: what was saved of fetched files.
    """

    def __init__(self, step: CommandSpec, saved: SavedByRow) -> None:
        self._step = step
        self._saved = saved
        self._ended = self._unchanged = 0

    def add(self, row: CommandHost) -> None:
        """Adds a command host of any status."""
        if row.status is Status.COMPLETED:
            self._ended += 1
            self._unchanged += is_unchanged(row, self._saved.get(row.execution_id))

    def summarize(self, counts: Counts, reasons: FailureReasons) -> str:
        """`10 hosts: 8 copied, 2 unchanged`."""
        words = {_past(self._step): self._ended - self._unchanged, "unchanged": self._unchanged}
        done = [f"{number:,} {word}" for word, number in words.items() if number]
        others = [
            f"{number:,} {name}"
            for name, number in counts.as_dict().items()
            if number and name not in ("total", "completed")
        ]
        hosts = f"{counts.total:,} host{'s' * (counts.total != 1)}"
        text = f"{hosts}: {', '.join((*done, *others)) or 'nothing'}"
        return ": ".join(filter(None, (text, reasons.text)))


def progress_words(rows: Sequence[CommandHost], steps: Sequence[CommandSpec], speed: float) -> str:
    """`3 of 10 hosts ended; 1.2 GB of 5.0 GB, 80 MB/s; web01 45%, web02 30%`.

    Args:
        rows: of copies, fetches and updates.
        steps: of the task.
        speed: bytes a second; 0: it is not known.
    """
    ended = sum(row.status.ended for row in rows)
    totals = [_set_of(row, steps) for row in rows]
    known = sum(files.bytes for files in totals if files)
    of = f" of {size(known)}" if all(totals) else ""
    running = [row for row in rows if row.status is Status.RUNNING and row.transfer]
    shown = [_share(row, _set_of(row, steps)) for row in running[:_HOSTS_SHOWN]]
    parts = [
        f"{ended:,} of {len(rows):,} hosts ended",
        f"{size(bytes_done(rows))}{of}{f', {size(int(speed))}/s' if speed else ''}",
        ", ".join(shown),
    ]
    return "; ".join(part for part in parts if part)


def bytes_done(rows: Sequence[CommandHost]) -> int:
    """The bytes of all hosts together."""
    return sum(row.transfer.bytes for row in rows if row.transfer)


def _set_of(row: CommandHost, steps: Sequence[CommandSpec]) -> FileSet | None:
    """What the host gets or gives; None: nobody knows yet."""
    transfer = steps[row.command].transfer
    if transfer is None or isinstance(transfer, FetchSpec):
        return row.transfer.stored if row.transfer else None
    return transfer.files


def _share(row: CommandHost, files: FileSet | None) -> str:
    assert row.transfer is not None
    if files is None or not files.bytes:
        return f"{row.host} {size(row.transfer.bytes)}"
    return f"{row.host} {row.transfer.bytes * 100 // files.bytes}%"
