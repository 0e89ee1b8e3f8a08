"""The migrations of an engine: numbered files. A file of its own, because both engines have such
files."""

import functools
import re
from importlib.resources import files

_NUMBERED = re.compile(r"(\d{4})_\w+\.sql")


@functools.cache
def numbered_files(engine: str) -> tuple[tuple[int, str], ...]:
    """All migrations in `sql/ENGINE/` as (number, SQL), in order, from 1 on without holes."""
    folder = files("tui_manager.storage") / "sql" / engine
    found = sorted(
        (int(match[1]), item.read_text(encoding="utf-8"))
        for item in folder.iterdir()
        if (match := _NUMBERED.fullmatch(item.name))
    )
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations in sql/{engine}/ are not numbered from 1 without holes")
    return tuple(found)
