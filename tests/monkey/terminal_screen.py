"""What stands on a terminal, from what a program has written to it.

It knows what full-screen programs of this project write: places, text, and the clearing of lines
and screens. Colours, modes and titles change no text and are left out.
"""

import re

from rich.cells import get_character_cell_size

_TOKEN = re.compile(
    r"\x1b\[(?P<arguments>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links, the clipboard
    r"|\x1bP[^\x1b]*\x1b\\"
    r"|\x1b[ -/]+[0-~]|\x1b[0-Z\\^-~]"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
)
_STEPS = {"A": (0, -1), "B": (0, 1), "C": (1, 0), "D": (-1, 0)}
_LONGEST = 1 << 17  # characters of a sequence that may still come to its end


class TerminalScreen:
    """A grid of cells; the second cell of a wide character is empty."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._cells = [[" "] * columns for _ in range(rows)]
        self._x = self._y = 0
        self._rest = ""

    @property
    def lines(self) -> list[str]:
        """The text of each line, without what is empty at its end."""
        return ["".join(line).rstrip() for line in self._cells]

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)

    def resize(self, columns: int, rows: int) -> None:
        """Cuts what no longer fits; a program draws all anew then."""
        cells = [[*line[:columns], *[" "] * (columns - len(line))] for line in self._cells[:rows]]
        cells += [[" "] * columns for _ in range(rows - len(cells))]
        self.columns, self.rows, self._cells = columns, rows, cells
        self._go_to(self._x, self._y)

    def feed(self, text: str) -> None:
        """Takes what was written, also when it ends in the middle of a sequence."""
        text, at = self._rest + text, 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                if len(text) - at < _LONGEST:
                    break
                at += 1
                continue
            at = token.end()
            if token["text"]:
                self._write(token["text"])
            elif token["control"]:
                self._control(token["control"])
            elif token["final"]:
                self._sequence(token["arguments"], token["final"])
        self._rest = text[at:]

    def _go_to(self, x: int, y: int) -> None:
        self._x, self._y = max(0, min(x, self.columns)), max(0, min(y, self.rows - 1))

    def _control(self, character: str) -> None:
        if character == "\r":
            self._x = 0
        elif character == "\n":
            self._go_to(0, self._y + 1)
        elif character == "\b":
            self._go_to(self._x - 1, self._y)

    def _sequence(self, arguments: str, final: str) -> None:
        if arguments[:1] in ("?", ">", "<", "="):
            if (arguments, final) in (("?1049", "h"), ("?1049", "l")):
                self._cells = [[" "] * self.columns for _ in range(self.rows)]
            return
        numbers = [int(number or 0) for number in arguments.split(";")] if arguments else [0]
        if final in "Hf":
            row, column = [*numbers, 0][:2]
            self._go_to(max(column, 1) - 1, max(row, 1) - 1)
        elif final in _STEPS:
            x, y = _STEPS[final]
            steps = max(numbers[0], 1)
            self._go_to(self._x + x * steps, self._y + y * steps)
        elif final == "J":
            for row in range(self._y + 1 if numbers[0] == 0 else 0, self.rows):
                self._cells[row] = [" "] * self.columns
        if final in "JK":
            start = self._x if numbers[0] == 0 else 0
            self._cells[self._y][start:] = [" "] * (self.columns - start)

    def _write(self, text: str) -> None:
        line = self._cells[self._y]
        for character in text:
            width = get_character_cell_size(character)
            if width == 0:
                if self._x:
                    line[self._x - 1] += character
                continue
            if self._x + width > self.columns:  # lines are not wrapped
                break
            line[self._x] = character
            if width == 2:
                line[self._x + 1] = ""
            self._x += width
