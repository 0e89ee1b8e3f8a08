"""Reads the tables `hooks` and `webhooks` of the settings: who receives notifications."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tui_manager_protos.rules.duration import DURATION_FORMS, format_duration, parse_duration

from tui_manager.domain.manager.notification import (
    AFTER_FAILURES_MAX,
    TIME_LIMIT,
    TIME_LIMIT_MAX,
    TIME_LIMIT_MIN,
    Event,
    Hook,
    Receiver,
    Webhook,
    hide_path,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_COMMON = ("events", "after_failures", "time_limit")
_OF_HOOK = ("program", *_COMMON)
_OF_WEBHOOK = ("url", "key_file", "ca_file", *_COMMON)


def read_hooks(value: object) -> dict[str, Hook]:
    """The hooks by name. Raises ValueError."""
    return {name: _hook(name, table) for name, table in _tables(value, "hooks", _OF_HOOK)}


def read_webhooks(value: object) -> dict[str, Webhook]:
    """The webhooks by name. Raises ValueError; it never says what is in a URL."""
    return {name: _webhook(name, table) for name, table in _tables(value, "webhooks", _OF_WEBHOOK)}


def show_receiver(receiver: Receiver) -> dict[str, object]:
    """A receiver as in the configuration file, without what may be secret: of a URL the server, of
    a program its path."""
    shown: dict[str, object] = {"events": [str(event) for event in receiver.events]}
    if isinstance(receiver, Hook):
        more = [f"… {len(receiver.program) - 1} more"] if receiver.program[1:] else []
        shown = {"program": [receiver.program[0], *more], **shown}
    else:
        shown = {"url": hide_path(receiver.url), **shown}
        files = {"key_file": receiver.key_file, "ca_file": receiver.ca_file}
        shown |= {name: str(path) for name, path in files.items() if path}
    if receiver.after_failures != 1:
        shown["after_failures"] = receiver.after_failures
    return {**shown, "time_limit": format_duration(receiver.time_limit)}


def _tables(
    value: object, what: str, names: tuple[str, ...]
) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
        raise ValueError(f"expected tables: [{what}.NAME]")
    for name, table in value.items():
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a name: 1 to 63 letters, digits, '.', '-' and '_', first a "
                "letter or a digit"
            )
        for key in table:
            if key not in names:
                raise ValueError(f"{name}: there is no {key!r}; there are {', '.join(names)}")
        if names[0] not in table:
            raise ValueError(f"{name}: {names[0]} is missing")
    return list(value.items())


def _hook(name: str, table: Mapping[str, Any]) -> Hook:
    program = table["program"]
    parts = [program] if isinstance(program, str) else program
    if not isinstance(parts, list) or not parts or not all(map(_is_argument, parts)):
        raise ValueError(f"{name}: program must be a path, or a list of a path and arguments")
    if not Path(parts[0]).is_absolute():
        raise ValueError(f"{name}: program must begin with an absolute path, without arguments")
    return Hook(name, tuple(parts), **_common(name, table))


def _is_argument(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _webhook(name: str, table: Mapping[str, Any]) -> Webhook:
    url = table["url"]
    if not isinstance(url, str) or not _is_url(url):
        raise ValueError(
            f"{name}: url must be a URL such as https://chat.example.org/hook, in ASCII"
        )
    return Webhook(
        name,
        url,
        key_file=_file(name, "key_file", table),
        ca_file=_file(name, "ca_file", table),
        **_common(name, table),
    )


def _is_url(text: str) -> bool:
    if not text.isascii() or not text.isprintable() or " " in text or "#" in text:
        return False
    try:
        parts = urlsplit(text)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_fits


def _file(name: str, key: str, table: Mapping[str, Any]) -> Path | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value or not Path(value).is_absolute():
        raise ValueError(f"{name}: {key} must be an absolute path")
    return Path(value)


def _common(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "events": _events(name, table.get("events")),
        "after_failures": _after_failures(name, table.get("after_failures", 1)),
        "time_limit": _time_limit(name, table.get("time_limit")),
    }


def _events(name: str, value: object) -> tuple[Event, ...]:
    known = ", ".join(Event)
    if not isinstance(value, list) or not value:
        raise ValueError(f"{name}: events must be a list of some of {known}")
    for event in value:
        if event not in tuple(Event):
            raise ValueError(f"{name}: there is no event {event!r}; there are {known}")
    return tuple(map(Event, dict.fromkeys(value)))


def _after_failures(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= AFTER_FAILURES_MAX:
        return value
    raise ValueError(f"{name}: after_failures must be from 1 to {AFTER_FAILURES_MAX}")


def _time_limit(name: str, value: object) -> timedelta:
    if value is None:
        return TIME_LIMIT
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{name}: time_limit: expected {DURATION_FORMS}")
    limit = parse_duration(str(value))
    if not TIME_LIMIT_MIN <= limit <= TIME_LIMIT_MAX:
        bounds = f"{format_duration(TIME_LIMIT_MIN)} to {format_duration(TIME_LIMIT_MAX)}"
        raise ValueError(f"{name}: time_limit must be from {bounds}")
    return limit
