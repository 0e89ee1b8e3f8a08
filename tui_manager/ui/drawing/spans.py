"""Text in pieces that have a meaning each. Widths are in terminal cells."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from rich.cells import cell_len, chop_cells, set_cell_size
from tui_manager_protos.lazy_dataclass import dataclass


class Role(StrEnum):
    """What a piece of text means. The theme decides how it looks."""

    PLAIN = "plain"
    STRONG = "strong"
    MUTED = "muted"
    GOOD = "good"
    ACTIVE = "active"
    CAUTION = "caution"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text with one role."""

    text: str
    role: Role = Role.PLAIN


Spans = tuple[Span, ...]
BLANK: Spans = ()


def spans(text: str, role: Role = Role.PLAIN) -> Spans:
    """One span; none for an empty text."""
    return (Span(text, role),) if text else BLANK


def plain(line: Iterable[Span]) -> str:
    """The text alone."""
    return "".join(span.text for span in line)


def width_of(line: Iterable[Span]) -> int:
    """In cells."""
    return sum(cell_len(span.text) for span in line)


def shorten(text: str, width: int) -> str:
    """`text`, cut with an ellipsis if it does not fit `width` cells."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""


def shorten_name(name: str, width: int) -> str:
    """The name of a host, cut if it does not fit `width` cells: its domain first, else its middle,
    because names often differ at their ends."""
    label = name.partition(".")[0]
    return shorten(name, width) if cell_len(label) < width else shorten_middle(label, width)


def shorten_middle(text: str, width: int) -> str:
    """`text`, cut in its middle if it does not fit `width` cells."""
    if cell_len(text) <= width:
        return text
    if width < 3:
        return shorten(text, width)
    begin = (width - 1) // 2
    end = next(at for at in range(len(text) + 1) if cell_len(text[at:]) <= width - 1 - begin)
    return set_cell_size(text, begin).rstrip() + "…" + text[end:]


def wrap(text: str, width: int) -> tuple[str, ...]:
    """`text` in lines of at most `width` cells, broken at spaces if possible."""
    lines, line = [], ""
    for word in text.split(" "):
        for piece in chop_cells(word, max(width, 2)) or [""]:
            joined = f"{line} {piece}" if line else piece
            if line and cell_len(joined) > width:
                lines.append(line)
                joined = piece
            line = joined
    return (*lines, line)


def flow(parts: Iterable[Spans], width: int, gap: str = "   ") -> tuple[Spans, ...]:
    """`parts` in as few lines as they need, `gap` between two. A part is never broken: it goes to
    the next line, and is cut there if it is too long."""
    lines: list[Spans] = []
    for part in parts:
        joined = (*lines[-1], Span(gap), *part) if lines else part
        if lines and width_of(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return tuple(line if width_of(line) <= width else fit(line, width) for line in lines)


def fit(line: Spans, width: int, *, right: bool = False) -> Spans:
    """Exactly `width` cells: cut with an ellipsis, or padded on one side."""
    left = width
    fitted: list[Span] = []
    for span in line:
        size = cell_len(span.text)
        if size > left:
            fitted.append(Span(shorten(span.text, left), span.role))
            left -= cell_len(fitted[-1].text)
            break
        fitted.append(span)
        left -= size
    padding = spans(" " * left)
    return (*padding, *fitted) if right else (*fitted, *padding)


def justify(left: Sequence[Span], right: Sequence[Span], width: int) -> Spans:
    """`left` and `right` at the two ends of a line. `right` is left out if there is no room."""
    room = width - width_of(left)
    if (size := width_of(right)) > room - 1:
        return fit(tuple(left), width)
    return (*left, Span(" " * (room - size)), *right)
