"""Sizes, counts, percentages, permission bits and instants as people type them: in options,
settings, forms and task files."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from tui_manager_protos.rules.duration import parse_duration

MOMENT_FORMS = "2026-03-02T14:00:00Z (RFC 3339), 2026-03-02 (the begin of that day here), or 2h"
SIZE_FORMS = "a number of bytes, or one with a unit: 65536, 64KiB, 16MiB, 1GiB (or 64K, 16M, 1G)"

_BYTES: Mapping[str, int] = MappingProxyType(
    {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
)
# The digits are limited because an int64 holds no more.
_COUNT = r"[0-9]{1,9}"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_MODE = r"0?[0-7]{3,4}"
_SIZE = r"([0-9]{1,16}) ?(B|KiB|MiB|GiB|TiB|[KMGT]|)"


def parse_size(text: str) -> int:
    """The number of bytes in `text`.

    Raises:
        ValueError: with the forms that are allowed.
    """
    match = re.fullmatch(_SIZE, text.strip())
    if not match:
        raise ValueError(f"expected {SIZE_FORMS}")
    unit = f"{match[2]}iB" if match[2] in set("KMGT") else match[2]
    return int(match[1]) * _BYTES[unit]


def format_size(size: int) -> str:
    """The exact size in the largest unit, which `parse_size` reads back: 16MiB."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return str(size)


def parse_size_limit(text: str) -> int:
    """A limit in bytes. Raises ValueError, also for 0, which would mean no limit."""
    return _not_zero(parse_size(text))


def parse_count_limit(text: str) -> int:
    """A limit that is a whole number. Raises ValueError, also for 0."""
    if not re.fullmatch(_COUNT, text):
        raise ValueError("expected a whole number, such as 100")
    return _not_zero(int(text))


def parse_percent_limit(text: str) -> int:
    """A limit in percent. Raises ValueError, also for 0."""
    if not text.endswith("%") or not re.fullmatch(_COUNT, text[:-1]):
        raise ValueError("expected a percentage, such as 50%")
    return _not_zero(int(text[:-1]))


def parse_mode(text: str) -> int:
    """The permission bits in `text`, which are octal. Raises ValueError."""
    if not re.fullmatch(_MODE, text):
        raise ValueError("expected permission bits in octal, such as 0644 or 755")
    return int(text, 8)


def format_mode(mode: int) -> str:
    """Permission bits as people write them: 0644."""
    return f"{mode:04o}"


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


def _not_zero(value: int) -> int:
    if not value:
        raise ValueError("it must be more than 0; leave it out for no limit")
    return value
