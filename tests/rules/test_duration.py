"""Durations: what is read, and that what is written is read back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui_manager_protos.rules.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1h", 3600), ("2d", 172800), ("250ms", 0.25),
     ("1.5h", 5400), (" 3 s", 3), ("-5", -5), ("0", 0), ("1h30m", 5400), ("1h 30m 5s", 5405),
     ("1s500ms", 1.5), ("-1h30m", -5400)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "5x",
        "1e3",
        "inf",
        "nan",
        "1h30",
        "30 1h",
        "1h;30",
        "--5",
        "1h1h",
        "1h-5m",
        "٣s",
        "9" * 400,
        "1_0",
    ],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number of seconds"):
        parse_duration(text)


def test_a_duration_that_cannot_be_counted() -> None:
    with pytest.raises(ValueError, match="is too long"):
        parse_duration("999999999999d")


@given(st.integers(0, 10**12))
def test_a_written_duration_is_read_back(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration
