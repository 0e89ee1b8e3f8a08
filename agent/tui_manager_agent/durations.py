"""Durations as people write them: `90`, `90s`, `5m`, `1h30m`, `2d`."""

import re

from tui_manager_agent.supervisor import clock

FORMS = "seconds, or such as 90s, 5m, 1h30m, 2d"
_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # seconds
_PART = re.compile(r"([0-9]{1,9})([smhd])")
_WHOLE = re.compile(r"(?:[0-9]{1,9}[smhd]){1,4}")


def parse(text: str) -> int:
    """Nanoseconds, more than none. Raises ValueError."""
    spelled = text + "s" if text.isdigit() else text
    if not _WHOLE.fullmatch(spelled):
        raise ValueError(f"{text!r} is no duration: {FORMS}")
    seconds = sum(int(number) * _UNIT[unit] for number, unit in _PART.findall(spelled))
    if not seconds:
        raise ValueError(f"{text!r} is no time at all: {FORMS}")
    return seconds * clock.SECOND


def spell(nanoseconds: int) -> str:
    """The shortest spelling that `parse` reads back; parts of a second are left out."""
    rest = nanoseconds // clock.SECOND
    words = []
    for unit in ("d", "h", "m", "s"):
        number, rest = divmod(rest, _UNIT[unit])
        if number:
            words.append(f"{number}{unit}")
    return "".join(words) or "0s"
