"""Whether a field of several lines gives a text back as it was put in. Pure. A file of its own,
because several forms ask this.

Textual ends a line at more characters than "\\n", and joins all lines with one line end.
"""

from textual.widgets.text_area import Document

NOT_KEPT = "has a line end other than a line feed, which a field cannot keep"


def keeps_file(text: str) -> bool:
    """A field that begins with this text keeps it."""
    return Document(text).text == text


def keeps_command(text: str) -> bool:
    """The field of a command, whose lines end with a line feed, keeps it."""
    return "\r" not in text and keeps_file(text)
