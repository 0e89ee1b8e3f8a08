"""The services under test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.databases import repeated_units
from tests.support.databases.engines import engine, pytest_generate_tests
from tests.support.managers.manager_parts import Parts, manager_parts
from tests.support.managers.rollouts import Fleet, host_names
from tests.support.memory_folder import tmp_path
from tests.support.run_length import left_out

__all__ = ["engine", "pytest_generate_tests", "tmp_path"]
_FOLDER = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what only repeats on PostgreSQL, unless the run is long."""
    found = left_out(item for item in items if item.path.is_relative_to(_FOLDER))
    if found:
        config.hook.pytest_deselected(items=found)
        without = set(found)
        items[:] = [item for item in items if item not in without]


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with manager_parts(tmp_path) as made:
        yield made


@pytest.fixture
def units_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that count how often something happens in a unit of work."""
    monkeypatch.setattr(repeated_units, "RUNS", 1)


@pytest.fixture
async def fleet(parts: Parts) -> Fleet:
    """Ten hosts that are connected."""
    made = Fleet(parts)
    await made.connect(host_names(10))
    return made
