"""Paths, sizes, K=V pairs, durations and instants of options as people type them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from tui_manager_protos.rules.duration import parse_duration

from tui_manager.client.state_folder import file_path as file_path
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.text.parse_sizes_and_times import parse_moment

_Value = TypeVar("_Value")


def option_name(name: str) -> str:
    """The name of an option, without its dashes, from that in code: `max-failures`."""
    return name.replace("_", "-")


def read_value(option: str, text: str, read: Callable[[str], _Value]) -> _Value:
    """The value in an option.

    Args:
        read: raises ValueError, which says what is expected.

    Raises:
        InvalidInputError: naming the option.
    """
    try:
        return read(text)
    except ValueError as error:
        given = f"--{option} {text}".rstrip()
        raise InvalidInputError(option, f"{given}: {error}.") from error


def read_duration(option: str, text: str) -> timedelta:
    """The duration in an option.

    Raises:
        InvalidInputError: naming the option and the forms that are allowed.
    """
    return read_value(option, text, parse_duration)


def read_moment(option: str, text: str, now: datetime, *, ahead: bool) -> datetime:
    """The instant in an option; see `parse_moment`.

    Raises:
        InvalidInputError: naming the option and the forms that are allowed.
    """
    try:
        return parse_moment(text, now, ahead=ahead)
    except ValueError as error:
        raise InvalidInputError(option, f"--{option} {text}: {error}.") from error


def parse_pairs(option: str, pairs: Sequence[str]) -> dict[str, str]:
    """The K=V of a repeated option; if a name is given twice, the last value counts.

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
