"""The services under test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.databases import repeated_units
from tests.support.databases.engines import engine, pytest_generate_tests
from tests.support.managers.manager_parts import Parts, manager_parts
from tests.support.managers.rollouts import Fleet, host_names

__all__ = ["engine", "pytest_generate_tests"]


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
