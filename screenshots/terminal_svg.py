"""Draws the cells of a terminal as SVG: one picture in the colours of two themes, and frames that
follow each other.

Each run of letters says how wide it is, so that the columns are aligned in any font. Nothing is
fetched from a network.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

CELL, LINE, FONT, MARGIN = 8.43, 17.0, 14, 12  # pixels
_FONTS = (
    "Cascadia Mono, SF Mono, Menlo, DejaVu Sans Mono, Consolas, Noto Sans Mono CJK SC, monospace"
)


@dataclass(frozen=True, slots=True)
class Look:
    """How a cell looks: colours as `#rrggbb`."""

    colour: str
    background: str
    bold: bool = False
    underline: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A letter with the cells that it needs, in a dark and in a light theme."""

    text: str
    width: int
    dark: Look
    light: Look


Frame = Sequence[Sequence[Cell]]


def cells_of(dark: Sequence[Strip], light: Sequence[Strip]) -> Frame:
    """The cells of a screen that was drawn in two themes."""
    rows = []
    for one, other in zip(dark, light, strict=True):
        looks = list(_letters(other))
        row = []
        for number, (text, look) in enumerate(_letters(one)):
            twin = looks[number][1] if number < len(looks) else look
            row.append(Cell(text, cell_len(text), look, twin))
        rows.append(row)
    return rows


def _letters(strip: Strip) -> Iterable[tuple[str, Look]]:
    for segment in strip:
        look = _look(segment.style or Style())
        for letter in segment.text:
            yield letter, look


def _look(style: Style) -> Look:
    colour, background = (
        part.get_truecolor().hex if part is not None and not part.is_default else default
        for part, default in ((style.color, "#d5dbe3"), (style.bgcolor, "#10151c"))
    )
    if style.reverse:
        colour, background = background, colour
    return Look(colour, background, bool(style.bold), bool(style.underline))


class Drawing:
    """The elements of a picture, and the styles that they use."""

    def __init__(self, background: tuple[str, str]) -> None:
        self._background = background
        self._styles: dict[tuple[str, str, bool, bool], str] = {}

    def row(self, cells: Sequence[Cell], number: int) -> str:
        """The elements of a line: backgrounds, then letters."""
        top = MARGIN + number * LINE
        rects, texts = [], []
        at = 0
        for run in _runs(cells):
            width = sum(cell.width for cell in run)
            first = run[0]
            if (first.dark.background, first.light.background) != self._background:
                style = self._style(first.dark.background, first.light.background)
                rects.append(
                    f'<rect class="{style}" x="{MARGIN + at * CELL:.1f}" y="{top:.1f}" '
                    f'width="{width * CELL + 0.2:.1f}" height="{LINE + 0.2:.1f}"/>'
                )
            texts += self._texts(run, at, top)
            at += width
        return "".join((*rects, *texts))

    def _texts(self, run: Sequence[Cell], at: int, top: float) -> Iterable[str]:
        """The words of a run. Two blanks or more are left out."""
        look = run[0]
        style = self._style(
            look.dark.colour, look.light.colour, bold=look.dark.bold, line=look.dark.underline
        )
        column = at
        for words in _words(run):
            width = sum(cell.width for cell in words)
            text = "".join(cell.text for cell in words)
            if text.strip():
                yield (
                    f'<text class="{style}" x="{MARGIN + column * CELL:.1f}" '
                    f'y="{top + LINE * 0.77:.1f}" textLength="{width * CELL:.1f}">'
                    f"{escape(text)}</text>"
                )
            column += width

    def _style(self, dark: str, light: str, *, bold: bool = False, line: bool = False) -> str:
        return self._styles.setdefault((dark, light, bold, line), f"c{len(self._styles)}")

    def rules(self) -> str:
        """The styles as CSS; the light ones for whoever prefers them."""
        dark, light = [], []
        for (colour, twin, bold, line), name in self._styles.items():
            more = ";font-weight:bold" if bold else ""
            more += ";text-decoration:underline" if line else ""
            dark.append(f".{name}{{fill:{colour}{more}}}")
            if twin != colour:
                light.append(f".{name}{{fill:{twin}}}")
        light.append(f".ground{{fill:{self._background[1]}}}")
        return (
            f".ground{{fill:{self._background[0]}}}{''.join(dark)}"
            f"@media (prefers-color-scheme: light){{{''.join(light)}}}"
        )


def _runs(cells: Sequence[Cell]) -> Iterable[Sequence[Cell]]:
    """Cells in a row that look alike."""
    run: list[Cell] = []
    for cell in cells:
        if run and (cell.dark, cell.light) != (run[0].dark, run[0].light):
            yield run
            run = []
        run.append(cell)
    if run:
        yield run


def _words(run: Sequence[Cell]) -> Iterable[Sequence[Cell]]:
    """A run in pieces: those of two blanks or more, and those between."""
    piece: list[Cell] = []
    for number, cell in enumerate(run):
        blank = cell.text == " "
        neighbour = run[number - 1 : number] + run[number + 1 : number + 2]
        wide = blank and any(other.text == " " for other in neighbour)
        if piece and wide != (piece[-1].text == " " and piece[0].text == " "):
            yield piece
            piece = []
        piece.append(cell)
    if piece:
        yield piece


def still(frame: Frame, background: tuple[str, str]) -> str:
    """One picture."""
    return animation([frame], [0.0], background)


def animation(
    frames: Sequence[Frame], seconds: Sequence[float], background: tuple[str, str]
) -> str:
    """Frames that follow each other without end. A line that several frames have is drawn once.

    Args:
        seconds: how long each frame is seen.
        background: of most cells, in the dark and in the light theme.
    """
    drawing = Drawing(background)
    lines: dict[str, list[int]] = {}  # the elements of a line, and the frames that have them
    for number, frame in enumerate(frames):
        for at, row in enumerate(frame):
            if elements := drawing.row(row, at):
                lines.setdefault(elements, []).append(number)
    names: dict[tuple[int, ...], str] = {}
    body = []
    for elements, seen in lines.items():
        if len(seen) == len(frames):
            body.append(elements)
        else:
            name = names.setdefault(tuple(seen), f"f{len(names)}")
            body.append(f'<g class="{name}">{elements}</g>')
    columns = max(sum(cell.width for cell in row) for row in frames[0])
    width, height = columns * CELL + 2 * MARGIN, len(frames[0]) * LINE + 2 * MARGIN
    rules = "".join(_seen_rule(name, seen, seconds) for seen, name in names.items())
    font = f"text{{font:{FONT}px {_FONTS};white-space:pre}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}">\n'
        f"<style>{font}{drawing.rules()}{rules}</style>\n"
        f'<rect class="ground" width="100%" height="100%" rx="8"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _seen_rule(name: str, seen: Sequence[int], seconds: Sequence[float]) -> str:
    """A rule that shows a group while one of its frames is seen."""
    whole, at, steps = sum(seconds), 0.0, []
    for number, duration in enumerate(seconds):
        state = "visible" if number in seen else "hidden"
        steps.append(f"{100 * at / whole:.2f}%{{visibility:{state}}}")
        at += duration
    last = "visible" if len(seconds) - 1 in seen else "hidden"
    return (
        f"@keyframes {name}{{{''.join(steps)}100%{{visibility:{last}}}}}"
        f".{name}{{animation:{name} {whole:.1f}s step-end infinite}}"
    )
