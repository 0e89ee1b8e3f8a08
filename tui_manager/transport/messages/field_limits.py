"""Brings values of an agent into their bounds: cuts long texts, clamps numbers and times."""

import math
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

DETAIL = 4000  # characters of a result's detail
NAME = 128  # characters of what an agent says of its system
_CUT = "…"
_LONGEST = timedelta(days=3652)  # ten years
_LONGEST_SECONDS = _LONGEST.total_seconds()
_NONE = timedelta(0)
_NUMBER = 1 << 60  # far below what an INTEGER of the database holds


def cut(text: str, length: int = NAME) -> str:
    """`text`, or its beginning with a mark, in at most `length` characters. NUL is replaced: C
    ends a text there."""
    text = text.replace("\0", "\ufffd")
    return text if len(text) <= length else text[: length - 1] + _CUT


def duration(message: Duration) -> timedelta:
    """Clamped from 0 to ten years."""
    seconds, nanos = message.seconds, message.nanos
    if seconds + nanos / 1e9 <= 0:
        return _NONE
    if seconds >= _LONGEST_SECONDS:
        return _LONGEST
    return timedelta(0, seconds, nanos // 1000)


def skew(clock: Timestamp, now: datetime) -> timedelta:
    """How far a clock is ahead of `now`; at most ten years ahead or behind."""
    seconds = clock.seconds - now.timestamp()
    if abs(seconds) >= _LONGEST.total_seconds():
        return _LONGEST if seconds > 0 else -_LONGEST
    base = datetime.fromtimestamp(clock.seconds, UTC)
    return base + timedelta(microseconds=clock.nanos // 1000) - now


def number(value: int) -> int:
    """A count or size that the database and every reader can hold."""
    return min(value, _NUMBER)


def finite(value: float, limit: float) -> float:
    """Clamped from 0 to `limit`; NaN and infinity become 0."""
    return min(max(value, 0.0), limit) if math.isfinite(value) else 0.0
