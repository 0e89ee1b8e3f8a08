"""Durations as people type and read them: in options, settings, forms and policies."""

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

DURATION_FORMS = "a number of seconds, or numbers with units: 90, 90s, 5m, 1h30m, 2d"

_SECONDS: Mapping[str, float] = MappingProxyType(
    {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
)
# The digits are limited because a timedelta holds no more.
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,6})?"
_PART = re.compile(rf"({_NUMBER}) ?(ms|s|m|h|d)")
_DURATION = re.compile(rf"(-?)(?:({_NUMBER})|((?:{_PART.pattern} ?)+))")


def parse_duration(text: str) -> timedelta:
    """Reads a duration. A number without a unit is seconds; each unit may occur once.

    A minus sign is accepted: the caller knows the bounds and names them in its error.

    Raises:
        ValueError: the text is not a duration; the error lists the forms that are allowed.
    """
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"expected {DURATION_FORMS}")
    sign, seconds, parts = match[1], match[2], _PART.findall(match[3] or "")
    units = [unit for _, unit in parts]
    if len(set(units)) < len(units):
        raise ValueError(f"expected {DURATION_FORMS}, each unit once")
    total = float(seconds or 0) + sum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        return timedelta(seconds=-total if sign else total)
    except OverflowError:
        raise ValueError("is too long") from None


def format_duration(duration: timedelta) -> str:
    """The exact duration in its largest unit, in milliseconds at the finest: 5m, 90s, 500ms.
    `parse_duration` reads it back."""
    milliseconds = round(duration / timedelta(milliseconds=1))
    for unit in ("d", "h", "m", "s"):
        size = round(_SECONDS[unit] * 1000)
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def rough_duration(duration: timedelta) -> str:
    """The rounded duration in the largest unit of which it has at least two: 40 d, 26 h, 90 s."""
    seconds = duration.total_seconds()
    for unit in ("d", "h", "m"):
        if seconds >= 2 * _SECONDS[unit]:
            return f"{seconds / _SECONDS[unit]:.0f} {unit if unit != 'm' else 'min'}"
    return f"{seconds:.0f} s"
