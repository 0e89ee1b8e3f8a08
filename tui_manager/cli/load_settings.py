"""Reads the settings from the configuration file, the environment and the command line; a later one
of these wins. Keeps the source of each setting for `tui-manager config`."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import format_duration

from tui_manager.client.state_folder import (
    SETTING,
    VARIABLE,
    read_config,
    read_state_dir,
    typed_path,
)
from tui_manager.domain.errors import InvalidInputError
from tui_manager.service.service_settings import ServiceSettings
from tui_manager.settings import Settings

ENVIRONMENT: Mapping[str, str] = {
    VARIABLE: SETTING,
    "TUI_MANAGER_DATABASE": "database",
    "TUI_MANAGER_CHANGE_FEED": "change_feed",
    "TUI_MANAGER_LISTEN": "listen",
    "TUI_MANAGER_ENROLL_LISTEN": "enroll_listen",
    "TUI_MANAGER_METRICS": "metrics",
}
_SERVICE_SETTINGS = {item.name for item in fields(ServiceSettings)}
NAMES = tuple(sorted((item.name for item in fields(Settings)), key=_SERVICE_SETTINGS.__contains__))


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings, and the source of each in words."""

    settings: Settings
    sources: Mapping[str, str]


def load(given: Mapping[str, object], environment: Mapping[str, str], path: Path) -> Configuration:
    """Settings from all sources.

    Args:
        given: settings of the command line, by name.
        environment: of the process.
        path: the configuration file; it need not exist.

    Raises:
        InvalidInputError: a value is out of bounds, or the file cannot be used.
    """
    values: dict[str, Any] = {}
    sources = dict.fromkeys(NAMES, "default")

    def take(source: str, found: Mapping[str, object]) -> None:
        for name, value in found.items():
            values[name] = _read(name, value, source)
            sources[name] = source

    take(f"file {path}", _read_file(path))
    for variable, name in ENVIRONMENT.items():
        if environment.get(variable):
            take(f"environment {variable}", {name: _typed(name, environment[variable])})
    take("command line", {name: _typed(name, value) for name, value in given.items()})
    settings = Settings(**values)
    if settings.heartbeat >= settings.lost_after:
        raise InvalidInputError(
            "heartbeat",
            f"heartbeat ({format_duration(settings.heartbeat)}, {sources['heartbeat']}) must be "
            f"shorter than lost_after ({format_duration(settings.lost_after)}, "
            f"{sources['lost_after']}).",
        )
    _check_pairs(settings, sources)
    if both := settings.hooks.keys() & settings.webhooks.keys():
        raise InvalidInputError(
            "hooks",
            f"There are a hook and a webhook called {min(both)} ({sources['hooks']}). Give one of "
            "them another name.",
        )
    if settings.change_feed and not settings.database:
        raise InvalidInputError(
            "change_feed",
            f"change_feed ({sources['change_feed']}) needs a database of PostgreSQL, which several "
            "managers share. Set database too, or leave change_feed out.",
        )
    return Configuration(settings, sources)


def _check_pairs(settings: Settings, sources: Mapping[str, str]) -> None:
    """Raises InvalidInputError for a certificate without its key, and for a key alone."""
    for what in ("authority", "server"):
        names = (f"{what}_certificate", f"{what}_key")
        given = [name for name in names if getattr(settings, name)]
        if len(given) == 1:
            (missing,) = set(names) - set(given)
            raise InvalidInputError(
                missing,
                f"{given[0]} ({sources[given[0]]}) needs {missing} as well: give both, or neither.",
            )


def _read_file(path: Path) -> Mapping[str, object]:
    found = read_config(path)
    for name in found:
        if name not in NAMES:
            raise InvalidInputError(
                name, f"{path}: there is no setting {name!r}; there are {', '.join(NAMES)}."
            )
    return found


def _typed(name: str, value: object) -> object:
    """A value that was typed: a state folder counts from the current folder."""
    return typed_path(value) if name == SETTING and isinstance(value, str) else value


def _read(name: str, value: object, source: str) -> object:
    """The value of a setting in its own type."""
    if name == SETTING:
        return read_state_dir(value, source)
    # Most commands are given no other setting, and the readers of all take long to import.
    from tui_manager.cli.setting_values import read_setting

    return read_setting(name, value, source)
