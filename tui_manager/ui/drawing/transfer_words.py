"""What a copy, a fetch or an update does and has done on a host, in words. Pure."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tui_manager.domain.presentation.state_words import command_host_text
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, Transfer, UpdateSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.text.number_format import count_of, size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing import update_words
from tui_manager.ui.drawing.spans import Role, Span, Spans

TransferSpec = CopySpec | FetchSpec | UpdateSpec
FILES_ONLY: Spans = (Span("Files have no output; each host says how far it is.", Role.MUTED),)
_GAP = "   "
_SOURCES_SHOWN = 10
_NOUNS: Mapping[type, str] = {CopySpec: "copy", FetchSpec: "fetch", UpdateSpec: "update"}


def option_texts(spec: TransferSpec) -> tuple[str, ...]:
    """How it is done: `3 files, 1.2 MB`, `mode 0640`, `owner app`, `old files are kept`."""
    if isinstance(spec, FetchSpec):
        return (
            *(("with folders",) if spec.recursive else ()),
            *((f"to {spec.to}",) if spec.to else ()),
        )
    if isinstance(spec, UpdateSpec):
        return update_words.option_texts(spec)
    return (
        *((amount(spec.files.files, spec.files.bytes),) if spec.files.files else ()),
        *((f"mode {spec.mode:04o}",) if spec.mode is not None else ()),
        *((f"owner {spec.owner}",) if spec.owner else ()),
        *(("old files are kept",) if spec.backup else ()),
    )


def amount(files: int, total: int) -> str:
    """`3 files, 1.2 MB`."""
    return f"{count_of(files, 'file')}, {size(total)}"


def bytes_in_all(row: CommandHost, spec: TransferSpec) -> int | None:
    """The bytes of all its files; None: a fetch has not found them yet."""
    if not isinstance(spec, FetchSpec):
        return spec.files.bytes
    stored = row.transfer.stored if row.transfer else None
    return stored.bytes if stored else None


def percent_done(row: CommandHost, spec: TransferSpec) -> int | None:
    """How many percent of its bytes are done while it runs; None: it does not run, or the total is
    not known."""
    total = bytes_in_all(row, spec)
    if row.status is not CommandHostStatus.RUNNING or not total or row.transfer is None:
        return None
    return min(100, row.transfer.bytes * 100 // total)


def state_words(row: CommandHost, spec: TransferSpec) -> str:
    """The state in a word or two, if the step has a word of its own; else empty."""
    if row.reason in (Reason.TRANSFER_FAILED, Reason.UPDATE_FAILED):
        return f"{_NOUNS[type(spec)]} failed"
    if row.transfer is not None and row.transfer.unchanged:
        return "unchanged"
    return ""


def progress_words(
    row: CommandHost, spec: TransferSpec, rate: float | None, width: int | None = None
) -> str:
    """How far it is: `41 MB of 68 MB   3.2 MB/s   12 of 240 files`. Empty before it begins. In a
    width, in cells, only the first of these that fit."""
    done = row.transfer
    if isinstance(spec, UpdateSpec) and (words := update_words.waiting_words(done, spec)):
        return words
    if done is None:
        return "looks for the files" if isinstance(spec, FetchSpec) else ""
    total, files = bytes_in_all(row, spec), done.files
    parts = [f"{size(done.bytes)} of {size(total)}" if total is not None else size(done.bytes)]
    if rate is not None:
        parts.append(f"{size(rate)}/s")
    of = done.stored if isinstance(spec, FetchSpec) else spec.files
    if of is not None and of.files > 1:
        parts.append(f"{files:,} of {count_of(of.files, 'file')}")
    while len(parts) > 1 and width is not None and len(_GAP.join(parts)) > width:
        parts.pop()
    return _GAP.join(parts)


def result_words(done: Transfer) -> str:
    """What a completed one has done: `240 files, 68 MB   228 unchanged   14 MB sent`."""
    parts = [amount(done.files, done.bytes)]
    if done.stored is None and not done.unchanged:
        if done.unchanged_files:
            parts.append(f"{done.unchanged_files:,} unchanged")
        if done.received_bytes != done.bytes:
            parts.append(f"{size(done.received_bytes)} sent")
    return "   ".join(parts)


def row_words(row: CommandHost, spec: TransferSpec, rate: float | None) -> str:
    """What its row says beside the state; the reason if it failed."""
    detail = safe_line(row.detail)
    if row.status is CommandHostStatus.RUNNING:
        return progress_words(row, spec, rate)
    if isinstance(spec, UpdateSpec):
        return detail
    if row.status is CommandHostStatus.COMPLETED and row.transfer is not None:
        return f"{result_words(row.transfer)}   {detail}" if detail else result_words(row.transfer)
    return detail


def pane_lines(
    row: CommandHost, spec: TransferSpec, rate: float | None, width: int, save_key: str
) -> tuple[Spans, ...]:
    """What stands in place of the output of such a step.

    Args:
        width: of a line, in cells.
        save_key: that saves what a fetch has brought.
    """
    texts = [*_head(row, spec, rate), *_what(spec, row.transfer)]
    lines: list[Spans] = [
        (Span(piece, role),) if piece else ()
        for text, role in texts
        for piece in textwrap.wrap(safe_line(text), max(20, width)) or [""]
    ]
    if (
        isinstance(spec, FetchSpec)
        and row.transfer
        and row.transfer.stored
        and row.status is CommandHostStatus.COMPLETED
    ):
        lines += [(), (Span(save_key, Role.STRONG), Span(" saves the files in a folder here."))]
    return tuple(lines)


def run_lines(row: CommandHost) -> tuple[Spans, ...]:
    """The same in short where only the row is known; nothing if it has copied and fetched
    nothing."""
    if row.transfer is None:
        return ()
    texts = (command_host_text(row), result_words(row.transfer))
    return tuple((Span(text[:1].upper() + text[1:], Role.MUTED),) for text in texts)


def _head(row: CommandHost, spec: TransferSpec, rate: float | None) -> Sequence[tuple[str, Role]]:
    if isinstance(spec, UpdateSpec):
        return update_words.head(row, progress_words(row, spec, rate))
    copies, detail = isinstance(spec, CopySpec), row.detail.strip()
    row = replace(row, kill_incomplete=False)  # it had no processes; the detail says what hangs
    match row.status:
        case CommandHostStatus.RUNNING:
            text = progress_words(row, spec, rate)
            return (
                (
                    f"{'Copying' if copies else 'Fetching'}: {text}" if text else "Begins.",
                    Role.PLAIN,
                ),
            )
        case CommandHostStatus.COMPLETED if row.transfer is not None:
            verb = "Copied" if copies else "Fetched"
            first = "All files were there already." if row.transfer.unchanged else f"{verb}."
            words = ((result_words(row.transfer), Role.PLAIN),)
            more = ((detail[:1].upper() + detail[1:], Role.CAUTION),) if detail else ()
            return ((first, Role.STRONG), *words, *more)
        case CommandHostStatus.FAILED if row.reason is Reason.TRANSFER_FAILED:
            first = "The copy failed." if copies else "The fetch failed."
            return ((first, Role.FAULT), *(((detail, Role.PLAIN),) if detail else ()))
        case CommandHostStatus.CANCELED | CommandHostStatus.TIMEOUT if copies and row.started_at:
            text = command_host_text(row)
            text = f"{text[:1].upper()}{text[1:]}. Files that were complete by then stay."
            return ((text, Role.PLAIN),)
        case _:
            return ((command_host_text(row), Role.PLAIN),)


def _what(spec: TransferSpec, done: Transfer | None) -> Sequence[tuple[str, Role]]:
    """What is copied or fetched, and its hash."""
    if isinstance(spec, UpdateSpec):
        return update_words.what(spec)
    names = spec.sources if isinstance(spec, CopySpec) else spec.paths
    more = f" and {len(names) - _SOURCES_SHOWN:,} more" if len(names) > _SOURCES_SHOWN else ""
    listed = ", ".join(names[:_SOURCES_SHOWN]) + more
    lines = [("", Role.PLAIN)]
    if isinstance(spec, CopySpec):
        lines.append((f"{listed or 'files'} → {spec.to}", Role.MUTED))
    else:
        lines.append((f"from {listed}", Role.MUTED))
    said = done is not None and bool(done.sha256)  # how many files, and how large
    options = [text for text in option_texts(spec) if not (said and text == _amount_of(spec))]
    lines.append((", ".join(options), Role.MUTED))
    if done is not None and done.sha256:
        of = "" if done.files == 1 else " of the list of files"
        lines.append((f"SHA-256{of} {done.sha256}", Role.MUTED))
    return [line for line in lines if line != ("", Role.MUTED)]


def _amount_of(spec: TransferSpec) -> str:
    return amount(spec.files.files, spec.files.bytes) if isinstance(spec, CopySpec) else ""
