"""A manager of the tests' own, and the real agent as a process."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_manager import FakeManager

MISBEHAVE = f"{sys.executable} {Path(__file__).with_name('misbehave.py')}"


class Gate:
    """A FIFO that holds up `cat` until it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> None:
        """Lets the one who waits go on."""
        os.close(os.open(self.path, os.O_WRONLY))


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


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
