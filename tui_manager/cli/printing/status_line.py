"""One line on the terminal that says how far something is. It is drawn again and again, and removed
before any other line is printed. Nothing is shown if stderr is no terminal."""

import sys
import time
from collections.abc import Callable

_INTERVAL = 0.2  # seconds between two drawings
_CLEAR = "\r\x1b[K"

_shown = False
_drawn_at = 0.0


def show_status(text: Callable[[], str], *, at_once: bool = False) -> None:
    """Draws the line, unless it was drawn just now.

    Args:
        at_once: draws it in any case, as it stands for a while.
    """
    global _shown, _drawn_at
    now = time.monotonic()
    if (now - _drawn_at < _INTERVAL and not at_once) or not sys.stderr.isatty():
        return
    from rich.cells import cell_len, set_cell_size

    from tui_manager.domain.text.safe_text import safe_line

    width = terminal_width() - 1
    line = safe_line(text())
    if cell_len(line) > width:
        line = set_cell_size(line, width - 1) + "…"
    sys.stderr.write(f"{_CLEAR}{line}")
    sys.stderr.flush()
    _shown, _drawn_at = True, now


def terminal_width() -> int:
    """The columns of the terminal."""
    from shutil import get_terminal_size  # here, because it takes long to import

    return get_terminal_size().columns


def clear_status() -> None:
    """Takes the line away before something else is printed."""
    global _shown
    if _shown:
        sys.stderr.write(_CLEAR)
        sys.stderr.flush()
        _shown = False
