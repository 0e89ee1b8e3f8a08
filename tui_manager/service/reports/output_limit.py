"""Holds an agent to the output limit that a command was sent with."""

from dataclasses import replace

from tui_manager.domain.report import Output, Result, StreamTotal
from tui_manager.storage.tables.command_hosts import Known


def cut(known: Known, piece: Output) -> tuple[Output | None, int]:
    """What the limit leaves of a piece that begins where its stream ends, and the bytes past it."""
    size = piece.end - piece.offset
    if known.output_limit is None:
        return piece, 0
    room = max(0, known.output_limit - sum(known.stored.values()))
    if size <= room:
        return piece, 0
    if not room:
        return None, size
    gap = room if piece.gap else 0
    return replace(piece, data=piece.data[:room], gap=gap), size - room


def believable(known: Known, result: Result) -> tuple[Result, bool]:
    """The result with totals that the limit allows, and whether its own were beyond it.

    Totals that cannot be reached would keep the agent sending for ever: what is stored is all
    that there will be.
    """
    limit, totals = known.output_limit, result.totals
    if limit is None or sum(total.stored for total in totals.values()) <= limit:
        return result, False
    kept = {stream: min(total.stored, known.stored[stream]) for stream, total in totals.items()}
    cut_totals = {
        stream: StreamTotal(kept[stream], total.dropped + total.stored - kept[stream])
        for stream, total in totals.items()
    }
    return replace(result, totals=cut_totals), True
