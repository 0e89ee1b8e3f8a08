"""The database under test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.databases.engines import database_in, engine, pytest_generate_tests
from tui_manager.storage.engine.database import Database, open_database

__all__ = ["engine", "pytest_generate_tests"]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(database_in(tmp_path)) as made:
        yield made
