"""`tui-manager config`: every setting, its value and where it came from. Each command has a file of
its own, which is imported only when the command is called."""

import json

from tui_manager.cli.load_settings import NAMES, Configuration
from tui_manager.cli.printing.text import table, write, write_json
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
        rows = [(name, _text(value), config.sources[name]) for name, value in values.items()]
        write(table(("SETTING", "VALUE", "FROM"), rows, stretch=(1,)))
    return 0


def _text(value: object) -> str:
    if isinstance(value, dict):
        if any(isinstance(item, dict) for item in value.values()):
            return "; ".join(f"{name}: {_text(item)}" for name, item in value.items())
        return ", ".join(f"{name} = {target!r}" for name, target in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(value) or "-"
    if value is None or value == "":
        return "-"
    return value if isinstance(value, str) else json.dumps(value)
