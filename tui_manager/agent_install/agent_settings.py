"""The settings of an agent that an install looks at: lines `NAME=VALUE`, as systemd reads them. The
host edits its file itself. Other lines of the file are not sent here."""

from collections.abc import Mapping, Sequence

_PREFIX = "TUI_MANAGER_AGENT_"


def value_of(lines: Sequence[str], setting: str) -> str:
    """The value that the lines give to a setting, such as `manager`; empty: none."""
    name = _PREFIX + setting.upper()
    values = [value for found, value in map(_read, lines) if found == name]
    return values[-1] if values else ""


def changed_lines(lines: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The lines of the settings that are to have other values."""
    return tuple(
        f"{_PREFIX}{setting.upper()}={value}"
        for setting, value in values.items()
        if value != value_of(lines, setting)
    )


def labels_of(lines: Sequence[str]) -> dict[str, str]:
    """The labels that the lines give."""
    pairs = (label.partition("=") for label in value_of(lines, "labels").split(",") if label)
    return {key: value for key, _, value in pairs}


def names_of(changed: Sequence[str]) -> list[str]:
    """Which settings have lines among these, such as `labels`."""
    return [_read(line)[0].removeprefix(_PREFIX).lower() for line in changed]


def labels_text(labels: Mapping[str, str]) -> str:
    """The value of the setting `labels`."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _read(line: str) -> tuple[str, str]:
    name, _, value = line.strip().partition("=")
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return name, value
