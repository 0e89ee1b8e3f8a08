"""The columns `copy_step`, `fetch_step` and `update_step` of `commands`, as JSON. What transfers
did is in `transfers`, the sets are in `file_sets`."""

import json
from dataclasses import asdict

from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet, UpdateSpec


def copy_text(copy: CopySpec | None) -> str | None:
    """The column of a copy."""
    return None if copy is None else json.dumps(asdict(copy))


def copy_of(text: str | None) -> CopySpec | None:
    """The copy of a column."""
    if text is None:
        return None
    values = json.loads(text)
    values |= {"files": FileSet(**values["files"]), "sources": tuple(values["sources"])}
    return CopySpec(**values)


def fetch_text(fetch: FetchSpec | None) -> str | None:
    """The column of a fetch."""
    return None if fetch is None else json.dumps(asdict(fetch))


def fetch_of(text: str | None) -> FetchSpec | None:
    """The fetch of a column."""
    if text is None:
        return None
    values = json.loads(text)
    return FetchSpec(**values | {"paths": tuple(values["paths"])})


def update_text(update: UpdateSpec | None) -> str | None:
    """The column of an update."""
    return None if update is None else json.dumps(asdict(update))


def update_of(text: str | None) -> UpdateSpec | None:
    """The update of a column."""
    if text is None:
        return None
    values = json.loads(text)
    return UpdateSpec(**values | {"files": FileSet(**values["files"])})
