"""Durations, sizes and counts as people read them, and sparklines. Pure.

A number that does not fit is shown in a larger unit. It is never cut, because a cut number looks
like another number.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

_WIDE = 99  # cells: more than a number takes


def number(value: int, width: int = _WIDE) -> str:
    """A number within `width` cells: `1600`, or rounded down in a larger unit: `1.6k`, `1k`."""
    text, factor = str(value), 1
    for unit in ("k", "M", "G"):
        if len(text) <= width or value < 1000 * factor:
            break
        factor *= 1000
        whole, tenth = divmod(value * 10 // factor, 10)
        tenths = f"{whole}.{tenth}{unit}"
        text = tenths if whole < 10 and len(tenths) <= width else f"{whole}{unit}"
    return text


def progress(done: int, total: int, width: int = _WIDE) -> str:
    """`7/14`, or in larger units if `width` is small: `1.9k/2k`. Numbers are rounded down: a task
    that is not done never looks done."""
    texts = [f"{done}/{total}"]
    for room in range(len(str(total)) - 1, 1, -1):
        texts.append(f"{number(done, room)}/{number(total, room)}")
    return next((text for text in texts if len(text) <= width), texts[-1])


def running_time(duration: timedelta, width: int = _WIDE) -> str:
    """A running time: `0:07`, `12:41`, `3:05:09`, `4d 02:11`. In larger units if these do not fit
    `width` cells: `13h05m`, `4d02h`, `13h`, `4d`."""
    seconds = max(0, int(duration.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        forms = (f"{days}d {hours:02}:{minutes:02}", f"{days}d{hours:02}h", f"{days}d")
    elif hours:
        forms = (f"{hours}:{minutes:02}:{seconds:02}", f"{hours}h{minutes:02}m", f"{hours}h")
    else:
        forms = (f"{minutes}:{seconds:02}", f"{minutes}m", f"{minutes}m")
    return next((form for form in forms if len(form) <= width), forms[-1])


def age(duration: timedelta) -> str:
    """How long ago, in the largest unit: `42s`, `7m`, `3h`, `2d`."""
    seconds = max(0, int(duration.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def since(moment: datetime | None, now: datetime) -> str:
    """The age of a moment; empty for None."""
    return age(now - moment) if moment else ""


def day_and_time(moment: datetime, now: datetime) -> str:
    """`23:00` of the same day, `26 Nov 23:00` of the same year, else `2025-11-26`."""
    local = moment.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == now.year else f"{local:%Y-%m-%d}"


MOMENT_AND_AGE = len("26 Nov 23:00   12d")


def moment(at: datetime, now: datetime, width: int) -> str:
    """Day and time, and the age too if `width` cells have room for both."""
    text = day_and_time(at, now)
    return f"{text} {since(at, now):>5}" if width >= MOMENT_AND_AGE else text


_RIGHT = timedelta(milliseconds=1)  # below which a clock is neither ahead nor behind


def short_duration(duration: timedelta | float) -> str:
    """A short time with its unit: `0.4ms`, `12ms`, `1.5s`."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if seconds < 0.01:
        return f"{seconds * 1000:.1f}ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s"


def clock_words(skew: timedelta) -> str:
    """How right a clock is: `12ms ahead`, `3.0s behind`, or `right` below a millisecond."""
    if abs(skew) < _RIGHT:
        return "right"
    return f"{short_duration(abs(skew))} {'ahead' if skew > timedelta() else 'behind'}"


def size(count: float) -> str:
    """Bytes: `0 B`, `12 kB`, `1.4 GB`, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 9.95 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("TB takes what is left")


def count_of(number: int, noun: str) -> str:
    """`1 host`, `14 hosts`, `10,000 hosts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def timeout_text(duration: timedelta) -> str:
    """A timeout as it is typed: `90s`, `5m`, `1h`."""
    seconds = int(duration.total_seconds())
    for unit, factor in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % factor == 0:
            return f"{seconds // factor}{unit}"
    return f"{seconds}s"


_SPARKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int, top: float = 100.0) -> str:
    """The last `width` values between 0 and `top`, padded on the left."""
    shown = values[-width:] if width > 0 else ()
    marks = (min(max(value / top, 0.0), 1.0) * (len(_SPARKS) - 1) for value in shown)
    return "".join(_SPARKS[round(mark)] for mark in marks).rjust(width)
