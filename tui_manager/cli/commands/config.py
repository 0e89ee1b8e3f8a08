"""`tui-manager config`: every setting, its value and where it came from. Each command has a file of
its own, which is imported only when the command is called."""

import json

from tui_manager.cli.load_settings import NAMES, Configuration
from tui_manager.cli.printing.text_table import table
from tui_manager.cli.printing.write_text import write, write_json
from tui_manager.cli.setting_values import show_value


def run_config(config: Configuration, *, as_json: bool) -> int:
    """Prints the settings, and returns the exit status."""
    values = {name: show_value(name, getattr(config.settings, name)) for name in NAMES}
    if as_json:
        write_json(
            {name: {"value": value, "source": config.sources[name]}
             for name, value in values.items()}
        )  # fmt: skip
    else:
        rows = [
            (row, _text(item), config.sources[name])
            for name, value in values.items()
            for row, item in _rows(name, value)
        ]
        write(table(("SETTING", "VALUE", "FROM"), rows, stretch=(1,)))
    return 0


def _rows(name: str, value: object) -> list[tuple[str, object]]:
    """A table of tables, such as the hooks, has a row for each of them."""
    if isinstance(value, dict) and any(isinstance(item, dict) for item in value.values()):
        return [(f"{name}.{key}", item) for key, item in value.items()]
    return [(name, value)]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} = {item!r}" for name, item in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(value) or "-"
    if value is None or value == "":
        return "-"
    return value if isinstance(value, str) else json.dumps(value)
