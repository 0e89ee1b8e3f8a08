"""Sizes and pairs: what is read, and that what is written is read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.cli.options.values import parse_pairs
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.text.parse_sizes_and_times import format_size, parse_size


@given(st.integers(0, 2**50 - 1))
def test_a_written_size_is_read_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512M", 512 << 20),
        ("2G", 2 << 30),
        ("64K", 64 << 10),
        ("1T", 1 << 40),
        ("512MiB", 512 << 20),
    ],
)
def test_a_unit_can_be_one_letter(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "1m", "-1", "1MB", "1.5MiB", "x", "9" * 30])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="16MiB"):
        parse_size(text)


def test_pairs() -> None:
    assert parse_pairs("env", ["A=1", "B=x=y", "C=", "A=2"]) == {"A": "2", "B": "x=y", "C": ""}
    with pytest.raises(InvalidInputError, match="--env A: expected NAME=VALUE"):
        parse_pairs("env", ["A"])
