"""The last line that a command has printed, and the progress that it announces. Pure."""

import re
from typing import NamedTuple

from tui_manager.domain.status import Stream
from tui_manager.domain.text.safe_text import SafeTextDecoder

TAIL_BYTES = 8192  # of each stream that are looked at
TEXT_MAX = 400  # characters of a line
IDS_MAX = 200  # executions of one call
# ESC ] 9 ; 4 ; state ; percent: state 0 takes the progress away, 3 has no percentage.
_ANNOUNCED = re.compile(rb"\x1b\]9;4;([0-4])(?:;([0-9]{1,3}))?;?(?:\x07|\x1b\\|\xc2\x9c)")
_PERCENTAGE = re.compile(r"(?<![0-9.,+-])([0-9]{1,3})(?:[.,][0-9]{1,6})?[ ]?%")
_WITH_PERCENT = (b"1", b"2", b"4")


class LastLine(NamedTuple):
    """What a command has printed last.

    Attributes:
        text: safe for a terminal, at most `TEXT_MAX` characters; also of a line without an end.
        stderr: it was written to stderr.
        percent: 0 to 100, as the command announces it (OSC 9;4), or as its last line says; None:
            it does neither.
    """

    text: str
    stderr: bool
    percent: int | None


def last_line(stdout: bytes, stderr: bytes, newest: Stream) -> LastLine | None:
    """The last line that is not blank; None: there is none.

    Args:
        stdout, stderr: the ends of what was printed, `TAIL_BYTES` of each are enough.
        newest: which of them was printed last.
    """
    tails = {Stream.STDOUT: stdout, Stream.STDERR: stderr}
    for stream in sorted(Stream, key=lambda stream: stream is not newest):
        if text := _last_text(tails[stream]):
            announced = [_announced(tails[other]) for other in (stream, _other(stream))]
            percents = [*announced, _percentage(text)]
            percent = next((found for found in percents if found is not None), None)
            return LastLine(text, stream is Stream.STDERR, percent)
    return None


def _other(stream: Stream) -> Stream:
    return Stream.STDERR if stream is Stream.STDOUT else Stream.STDOUT


def _last_text(tail: bytes) -> str:
    """The last line that is not blank. Of a line that was written several times, it is the newest
    form."""
    decoder = SafeTextDecoder(colours=False, rewrites=True)
    text = "".join(decoder.feed(tail[-TAIL_BYTES:]) + decoder.close())
    lines = (line.strip() for line in re.split("[\r\n]", text)[::-1])
    return next((line[:TEXT_MAX] for line in lines if line), "").replace("\t", " ")


def _announced(tail: bytes) -> int | None:
    """What the newest OSC 9;4 in it says."""
    found = _ANNOUNCED.findall(tail[-TAIL_BYTES:])
    if not found or found[-1][0] not in _WITH_PERCENT or not found[-1][1]:
        return None
    return min(int(found[-1][1]), 100)


def _percentage(line: str) -> int | None:
    """The last percentage in a line."""
    found = [int(percent) for percent in _PERCENTAGE.findall(line)]
    return found[-1] if found and found[-1] <= 100 else None
