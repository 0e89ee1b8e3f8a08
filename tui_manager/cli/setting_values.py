"""The values of settings: as they stand in the configuration file, the environment or the command
line, and as `tui-manager config` prints them. A file of its own, because most commands are given no
setting, and must start fast."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from tui_manager_protos.rules.duration import DURATION_FORMS, format_duration, parse_duration
from tui_manager_protos.rules.manager_address import check_manager_address

from tui_manager.cli.read_receivers import read_hooks, read_webhooks, show_receiver
from tui_manager.client.state_folder import (
    read_path,
)
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.manager.address import split_address
from tui_manager.domain.targets.target_notation import RESERVED_GROUPS
from tui_manager.domain.text.parse_sizes_and_times import SIZE_FORMS, format_size, parse_size
from tui_manager.own_addresses import is_server_name
from tui_manager.service.service_settings import BOUNDS, Bounds
from tui_manager.storage.engine.database_url import check_url, hide_password
from tui_manager.transport.change_feed.nats_address import check_nats_url, hide_nats_password

_RECEIVERS = ("hooks", "webhooks")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")
_GROUP = re.compile(r"[A-Za-z0-9._-]{1,64}")


def show_value(name: str, value: object) -> object:
    """The value of a setting as in the configuration file, without a password."""
    if name == "database" and isinstance(value, str):
        return hide_password(value)
    if name == "change_feed" and isinstance(value, str):
        return hide_nats_password(value)
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Path):
        return str(value)
    if name in _RECEIVERS and isinstance(value, Mapping):
        return {key: show_receiver(item) for key, item in value.items()}
    if isinstance(value, Mapping):
        return {key: show_value("", item) for key, item in value.items()}
    if isinstance(value, tuple):
        return list(value)
    if name in BOUNDS and BOUNDS[name].size and isinstance(value, int):
        return format_size(value)
    return value


def read_setting(name: str, value: object, source: str) -> object:
    """The value of a setting in its own type.

    Raises:
        InvalidInputError: naming source, setting, value and what is allowed. What may hold a
            password is not repeated.
    """
    try:
        if bounds := BOUNDS.get(name):
            return _limit(value, bounds)
        if read := _READERS.get(name):
            return read(value)
        if name in ("theme", "notify", "notify_after", "keys"):
            return _of_dashboard(name, value)
        return _address(value) if name.endswith("listen") else read_path(value)
    except ValueError as error:
        secret = name in ("database", "change_feed", *_RECEIVERS)
        given = "" if secret else f" = {value!r}"
        raise InvalidInputError(name, f"{source}: {name}{given}: {error}.") from error


def _limit(value: object, bounds: Bounds) -> object:
    if isinstance(bounds.low, timedelta):
        return _duration(value, bounds.low, bounds.high)
    read = _size if bounds.size else _number
    return read(value, bounds.low, bounds.high)


def _duration(value: object, low: timedelta, high: timedelta) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected {DURATION_FORMS}")
    duration = parse_duration(str(value))
    if not low <= duration <= high:
        raise ValueError(f"must be from {format_duration(low)} to {format_duration(high)}")
    return duration


def _size(value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"expected {SIZE_FORMS}")
    size = parse_size(str(value))
    if not low <= size <= high:
        raise ValueError(f"must be from {format_size(low)} to {format_size(high)}")
    return size


def _number(value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number from {low} to {high}")
    if not low <= value <= high:
        raise ValueError(f"must be from {low} to {high}")
    return value


def _groups(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError('expected a table of names and targets: [groups] web = "role=web"')
    for name, target in value.items():
        if not _GROUP.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a group's name: 1 to 64 of letters, digits, '.', '_', '-'"
            )
        if name in RESERVED_GROUPS:
            raise ValueError(
                f"a group cannot be called {name}, because @{name} has another meaning; "
                "take another name"
            )
        if not isinstance(target, str) or not target.strip():
            raise ValueError(f'group {name} needs a target, such as {name} = "role=web"')
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _address(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected HOST:PORT")
    try:
        split_address(value)
    except InvalidInputError:
        raise ValueError("expected HOST:PORT, the port from 0 to 65535") from None
    return value


def _metrics(value: object) -> str:
    """A port alone is one of this machine that no other machine can reach."""
    text = "" if isinstance(value, bool) else str(value).removeprefix(":")
    port_alone = text.isascii() and text.isdigit()
    try:
        return _address(f"127.0.0.1:{text}" if port_alone else value)
    except ValueError:
        raise ValueError("expected HOST:PORT or PORT, the port from 0 to 65535") from None


def _name(value: object) -> str:
    if value != "" and not (isinstance(value, str) and _NAME.fullmatch(value)):
        raise ValueError("expected at most 63 letters, digits, '.', '-' and '_'")
    return str(value)


def _advertised(value: object) -> str:
    check_manager_address(value if isinstance(value, str) else "")
    return str(value)


def _server_names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError('expected a list: ["manager.example.org", "192.0.2.7"]')
    for name in value:
        if not isinstance(name, str) or not is_server_name(name):
            raise ValueError(f"{name!r} is neither an address nor a DNS name, without a port")
    return tuple(value)


def _of_dashboard(name: str, value: object) -> object:
    """Imports the table of keys only for a file with such a setting: every command reads it."""
    from tui_manager.ui.preferences import NotifyMode, ThemeName, read_keys

    match name:
        case "theme":
            return _one_of(value, tuple(ThemeName))
        case "notify":
            return _one_of(value, tuple(NotifyMode))
        case "notify_after":
            return _duration(value, timedelta(0), timedelta(days=7))
        case _:
            return read_keys(value)


def _one_of(value: object, names: Sequence[str]) -> str:
    if value not in names:
        raise ValueError(f"must be one of {', '.join(names)}")
    return str(value)


def _or_empty(read: Callable[[object], object]) -> Callable[[object], object]:
    """The same for a setting that may be empty."""
    return lambda value: read(value) if value != "" else ""


_READERS: Mapping[str, Callable[[object], object]] = {
    "groups": _groups,
    "insecure": _boolean,
    "server_names": _server_names,
    "name": _name,
    "advertise": _advertised,
    "database": _or_empty(check_url),
    "change_feed": _or_empty(check_nats_url),
    "metrics": _or_empty(_metrics),
    "hooks": read_hooks,
    "webhooks": read_webhooks,
}
