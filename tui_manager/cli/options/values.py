"""Paths, sizes, K=V pairs, durations and instants of options as people type them."""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from tui_manager_protos.rules.duration import parse_duration

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.moments import parse_moment

SIZE_FORMS = "a number of bytes, or one with a unit: 65536, 64KiB, 16MiB, 1GiB (or 64K, 16M, 1G)"

_BYTES: Mapping[str, int] = MappingProxyType(
    {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
)
# The digits are limited because an int64 holds no more.
_COUNT = re.compile(r"[0-9]{1,9}")
_SIZE = re.compile(r"([0-9]{1,16}) ?(B|KiB|MiB|GiB|TiB|[KMGT]|)")


def parse_size(text: str) -> int:
    """The number of bytes in `text`.

    Raises:
        ValueError: with the forms that are allowed.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"expected {SIZE_FORMS}")
    unit = f"{match[2]}iB" if match[2] in set("KMGT") else match[2]
    return int(match[1]) * _BYTES[unit]


def format_size(size: int) -> str:
    """The exact size in the largest unit, which `parse_size` reads back: 16MiB."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return str(size)


def read_size(option: str, text: str) -> int:
    """The size in an option, in bytes.

    Raises:
        InvalidInputError: naming the option and the forms that are allowed.
    """
    try:
        size = parse_size(text)
    except ValueError as error:
        raise InvalidInputError(option, f"--{option} {text}: {error}.") from error
    return _not_zero(option, text, size)


def read_count(option: str, text: str) -> int:
    """The whole number in an option. Raises InvalidInputError."""
    if not _COUNT.fullmatch(text):
        raise InvalidInputError(option, f"--{option} {text}: expected a whole number, such as 100.")
    return _not_zero(option, text, int(text))


def read_percent(option: str, text: str) -> int:
    """The percentage in an option. Raises InvalidInputError."""
    if not text.endswith("%") or not _COUNT.fullmatch(text[:-1]):
        raise InvalidInputError(option, f"--{option} {text}: expected a percentage, such as 50%.")
    return _not_zero(option, text, int(text[:-1]))


def _not_zero(option: str, text: str, value: int) -> int:
    """Raises InvalidInputError for 0, which would mean no limit."""
    if not value:
        raise InvalidInputError(
            option, f"--{option} {text}: it must be more than 0; leave it out for no limit."
        )
    return value


def file_path(text: str) -> Path:
    """The path that `text` names, which is UTF-8 also if the locale, such as C, is not."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        text = os.fsdecode(text.encode(errors="surrogateescape"))
    return Path(text)


def read_duration(option: str, text: str) -> timedelta:
    """The duration in an option.

    Raises:
        InvalidInputError: naming the option and the forms that are allowed.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInputError(option, f"--{option} {text}: {error}.") from error


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
