"""Which engine the database of a test is on: SQLite in the test's folder, or PostgreSQL.

Tests of `tests/service` and `tests/storage` run on both. A test opens its database at
`database_in(folder)` and knows nothing else about the engine. `pytest -m postgresql` runs those on
PostgreSQL, `-m "not postgresql"` all others.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.postgresql import postgresql_database
from tui_manager.state_dir import DATABASE

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# The modules that run on both. All do with the variable ALL_ON_POSTGRESQL.
ON_BOTH = frozenset[str]()


@dataclass
class _Databases:
    """Those of PostgreSQL that the running test uses, each by the folder of its manager."""

    engine: str = SQLITE
    used: dict[Path, tuple[str, contextlib.ExitStack]] = field(default_factory=dict)


_running = _Databases()


def database_in(folder: Path) -> Path | str:
    """What `open_database` opens for a manager with its state in `folder`: in one test, the same
    folder means the same database."""
    if _running.engine == SQLITE:
        return folder / DATABASE
    if folder not in _running.used:
        stack = contextlib.ExitStack()
        _running.used[folder] = stack.enter_context(postgresql_database()), stack
    return _running.used[folder][0]


def remove_database(folder: Path) -> None:
    """Gives a database of PostgreSQL back before the test ends, for tests that use many."""
    if folder in _running.used:
        _, stack = _running.used.pop(folder)
        stack.close()


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine of the test."""
    _running.engine = getattr(request, "param", SQLITE)
    try:
        yield _running.engine
    finally:
        for folder in list(_running.used):
            remove_database(folder)
        _running.engine = SQLITE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test on both engines, without those that are about SQLite."""
    module = Path(metafunc.module.__file__ or "")
    name = f"{module.parent.name}/{module.stem.removeprefix('test_')}"
    chosen = name in ON_BOTH or "ALL_ON_POSTGRESQL" in os.environ
    if chosen and not metafunc.definition.get_closest_marker("sqlite"):
        engines = (SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.postgresql))
        metafunc.parametrize("engine", engines, indirect=True)
