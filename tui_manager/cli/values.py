"""Durations, sizes and K=V pairs as people type them, and back."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

from tui_manager.domain.errors import InvalidInputError

DURATION_FORMS = "a number of seconds, or one with a unit: 90, 90s, 5m, 1h, 2d"
SIZE_FORMS = "a number of bytes, or one with a unit: 65536, 64KiB, 16MiB, 1GiB"

_SECONDS: Mapping[str, float] = MappingProxyType(
    {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600, "d": 86400}
)
_BYTES: Mapping[str, int] = MappingProxyType(
    {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
)
# Digits are bounded: a timedelta and an int64 hold no more.
_DURATION = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{1,6})?) ?(ms|s|m|h|d|)")
_SIZE = re.compile(r"([0-9]{1,16}) ?(B|KiB|MiB|GiB|TiB|)")


def parse_duration(text: str) -> timedelta:
    """The duration that `text` spells; a bare number is seconds. A minus sign is read, so that
    whoever knows the bounds can say them.

    Raises:
        ValueError: with the forms that are allowed.
    """
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"expected {DURATION_FORMS}")
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        raise ValueError("longer than can be counted") from None


def format_duration(duration: timedelta) -> str:
    """The shortest exact spelling that `parse_duration` reads back: 5m, 90s, 500ms."""
    milliseconds = round(duration / timedelta(milliseconds=1))
    for unit in ("d", "h", "m", "s"):
        size = round(_SECONDS[unit] * 1000)
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def parse_size(text: str) -> int:
    """The number of bytes that `text` spells.

    Raises:
        ValueError: with the forms that are allowed.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"expected {SIZE_FORMS}")
    return int(match[1]) * _BYTES[match[2]]


def format_size(size: int) -> str:
    """The shortest exact spelling that `parse_size` reads back: 16MiB."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return str(size)


def parse_pairs(option: str, pairs: Sequence[str]) -> dict[str, str]:
    """The K=V of a repeated option; of a name given twice the last value counts.

    Raises:
        InvalidInputError: there is no `=`.
    """
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInputError(option, f"--{option} {pair}: expected NAME=VALUE.")
        values[name] = value
    return values
