"""Which texts a field of several lines can hold without a change. Pure. A file of its own, because
several forms ask this.

Textual ends a line at more characters than "\\n", and joins all lines with one line end.
"""

from textual.widgets.text_area import Document

CANNOT_HOLD = "has a line end other than a line feed, which a field cannot keep"


def can_hold_file(text: str) -> bool:
    """Whether a field that begins with this text holds it without a change."""
    return Document(text).text == text


def can_hold_command(text: str) -> bool:
    """Whether the field of a command, whose lines end with a line feed, does."""
    return "\r" not in text and can_hold_file(text)
