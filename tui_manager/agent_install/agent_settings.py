"""The file with the settings of an agent: lines `NAME=VALUE`, as systemd reads them."""

from collections.abc import Mapping, Sequence

_PREFIX = "TUI_MANAGER_AGENT_"
_SETS = {"manager": "MANAGER", "name": "NAME", "labels": "LABELS"}
_HEAD = (
    "# The settings of the agent of tui-manager; `tui-manager-agent run --help` has all of them."
)


def value_of(lines: Sequence[str], setting: str) -> str:
    """The value that the lines give to a setting; empty: none."""
    name = _PREFIX + _SETS[setting]
    values = [value for found, value in map(_read, lines) if found == name]
    return values[-1] if values else ""


def with_values(lines: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The lines with other values of some settings; all other lines stay as they are."""
    names = {_PREFIX + _SETS[setting]: value for setting, value in values.items()}
    kept = [line for line in lines if _read(line)[0] not in names]
    added = [f"{name}={value}" for name, value in names.items()]
    return (*(kept or [_HEAD]), *added) if lines else (_HEAD, *added)


def labels_text(labels: Mapping[str, str]) -> str:
    """The value of the setting `labels`."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _read(line: str) -> tuple[str, str]:
    name, equals, value = line.strip().partition("=")
    if not equals or name.startswith(("#", ";")):
        return "", ""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return name.strip(), value
