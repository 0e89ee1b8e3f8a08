"""A manager in memory, on SQLite only: what is counted does not depend on the engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, manager_parts


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with manager_parts(tmp_path) as made:
        yield made
