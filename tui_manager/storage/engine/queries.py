"""Loads the named queries of `sql/`: each begins with `-- name: NAME`, then a line on its use."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(file: str) -> dict[str, str]:
    """The queries of `sql/FILE` by name.

    Raises:
        ValueError: when a name is given twice.
    """
    text = (files("tui_manager.storage") / "sql" / file).read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"a query is named twice in {file}")
    return {name: body.strip() for name, body in zip(names, bodies, strict=True)}
