"""Instants and durations as the database keeps them: whole microseconds."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def from_datetime(instant: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (instant - _EPOCH) // _MICROSECOND


def to_datetime(microseconds: int | None) -> datetime | None:
    """The instant, in UTC; None stays None."""
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def from_timedelta(duration: timedelta) -> int:
    """Microseconds."""
    return duration // _MICROSECOND
