"""A manager with TLS for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.managers.secure_manager import SecureManager, secure_manager


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[SecureManager]:
    """Runs until the test ends."""
    async with secure_manager(tmp_path) as running:
        yield running
