"""Instants as people type them: RFC 3339, a day, or a time from now such as 2h. A file of its own,
because options and forms of several subjects read them."""

import re
from datetime import datetime, timedelta

from tui_manager_protos.rules.duration import parse_duration

MOMENT_FORMS = "2026-03-02T14:00:00Z (RFC 3339), 2026-03-02 (the begin of that day here), or 2h"

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def parse_moment(text: str, now: datetime, *, ahead: bool) -> datetime:
    """The instant in `text`, with a zone.

    Args:
        ahead: a length of time, such as 2h, means from now on; otherwise before now.

    Raises:
        ValueError: the text is no instant; the error lists the forms that are allowed.
    """
    text = text.strip()
    try:
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).astimezone()
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text.upper())
        length = parse_duration(text)
        if length >= timedelta(0):
            return now + length if ahead else now - length
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"expected {MOMENT_FORMS}")
