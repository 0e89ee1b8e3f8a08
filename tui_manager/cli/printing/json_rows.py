"""JSON with a long list, whose rows are written as they come. The bytes are those of `write_json`.
A file of its own, because most commands print no JSON and must start fast."""

import sys
from collections.abc import Mapping

from tui_manager.cli.printing.indented_json import indented_json
from tui_manager.cli.printing.status_line import clear_status
from tui_manager.cli.printing.write_text import speaks_utf8

_LAST = "null\n}"  # the end of an object whose last value is null


class JsonRows:
    """Writes to stdout.

    Args:
        around: an object that gets the list as its last value; None: the list is all.
        name: of the list in this object.
    """

    def __init__(self, around: Mapping[str, object] | None = None, name: str = "") -> None:
        self._ascii_only = not speaks_utf8(sys.stdout)
        self._before, self._line, self._end = "[", "\n", "]\n"
        if around is not None:
            text = indented_json({**around, name: None}, ascii_only=self._ascii_only)
            self._before = f"{text.removesuffix(_LAST)}["
            self._line, self._end = "\n  ", "]\n}\n"
        self._empty = True

    def add(self, row: object) -> None:
        """Writes a row."""
        clear_status()
        inner = f"{self._line}  "
        text = indented_json(row, inner, ascii_only=self._ascii_only)
        sys.stdout.write(f"{self._before if self._empty else ','}{inner}{text}")
        self._empty = False

    def end(self) -> None:
        """Writes what comes after the rows."""
        clear_status()
        sys.stdout.write(f"{self._before if self._empty else self._line}{self._end}")
        sys.stdout.flush()
