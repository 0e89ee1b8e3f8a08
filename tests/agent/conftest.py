"""A manager of the tests' own, and the real agent as a process."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_manager import FakeManager

MISBEHAVE = f"{sys.executable} {Path(__file__).with_name('misbehave.py')}"


@pytest.fixture
async def manager() -> AsyncIterator[FakeManager]:
    manager = FakeManager()
    await manager.start()
    yield manager
    await manager.stop()
    assert manager.complaints == []


@pytest.fixture
async def agent(tmp_path: Path, manager: FakeManager) -> AsyncIterator[AgentProcess]:
    """Connected and idle."""
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager)
    await manager.wait_for(lambda: manager.reports)
    yield agent
    await agent.close()
