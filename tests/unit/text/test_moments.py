"""Instants as people type them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tui_manager.domain.text.parse_sizes_and_times import parse_moment

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T14:00:00Z", NOW + timedelta(hours=2)),
        ("2026-03-02t14:00z", NOW + timedelta(hours=2)),
        ("2026-03-02 14:00:00.250+01:00", NOW + timedelta(hours=1, milliseconds=250)),
        ("2026-03-02", datetime(2026, 3, 2).astimezone()),
        (" 1h30m ", NOW + timedelta(minutes=90)),
        ("0", NOW),
    ],
)
def test_an_instant_a_day_or_a_length(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW, ahead=True) == moment


def test_a_length_is_before_now_or_after_it() -> None:
    assert parse_moment("2h", NOW, ahead=False) == NOW - timedelta(hours=2)
    assert parse_moment("2h", NOW, ahead=True) == NOW + timedelta(hours=2)


def test_an_instant_keeps_its_zone() -> None:
    moment = parse_moment("2026-03-02T14:00:00+05:30", NOW, ahead=True)
    assert moment.tzinfo == timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "-2h", "2026-3-2", "2026-02-30", "2026-03-02T14:00:00", "2026-03-02T25:00:00Z",
        "2026-W10-1", "999999999999999d", "\uff19h", "2026-03-02T14:00:00Z extra",
        "0000-01-01", "9999-12-31T23:59:59-23:59x",
    ],
)  # fmt: skip
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected 2026-03-02T14:00:00Z"):
        parse_moment(text, NOW, ahead=True)
