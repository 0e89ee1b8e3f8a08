"""What agents are told of their heartbeat, over real sockets."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import dial
from tui_manager.run_manager import RunningManager, run_manager
from tui_manager.service.core import heartbeat
from tui_manager.settings import Settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningManager]:
    """One that can bear a beat a minute."""
    monkeypatch.setattr(heartbeat, "BEATS_A_SECOND", 1 / 60)
    monkeypatch.setattr(heartbeat, "_LONGEST", 10 * MINUTE)
    settings = Settings(
        state_dir=tmp_path / "state",
        listen="127.0.0.1:0",
        insecure=True,
        heartbeat=MINUTE,
        lost_after=timedelta(hours=1),
    )
    async with run_manager(settings) as running:
        yield running


async def test_with_many_agents_each_is_told_to_beat_less_often(manager: RunningManager) -> None:
    async with dial(manager.address) as first, dial(manager.address) as second:
        for agent, name in ((first, "web01"), (second, "web02")):
            welcome = (await agent.hello(name)).welcome
            assert welcome.settings.heartbeat.ToTimedelta() == MINUTE
        await first.report(vitals=pb.Vitals(cpu_percent=1))
        settings = (await first.read()).settings
        assert settings.heartbeat.ToTimedelta() == 2 * MINUTE
        assert settings.admission == pb.ADMISSION_ADMITTED
        await first.report(vitals=pb.Vitals(cpu_percent=2))
        await first.call.done_writing()
        assert not isinstance(await first.call.read(), pb.ManagerMessage)  # it knows
