"""The command line: what it refuses, and how it says so."""

from pathlib import Path

import pytest
from tui_manager_agent.main import main
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_manager import FakeManager


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--manager HOST:PORT"),
        (["--manager", "127.0.0.1:7443"], "--insecure"),
        (["--manager", "manager.example:7443", "--insecure"], "on this machine"),
        (["--manager", "127.example.com:7443", "--insecure"], "on this machine"),
        (["--manager", "127.0.0.1", "--insecure"], "not HOST:PORT"),
        (["--manager", "127.0.0.1:99999", "--insecure"], "not HOST:PORT"),
        (["--manager", "localhost:1", "--insecure", "--label", "env"], "not K=V"),
        (["--manager", "localhost:1", "--insecure", "--capacity", "0"], "1 to 1000"),
        (["--manager", "localhost:1", "--insecure", "--spool-limit", "0"], "MiB from 1"),
    ],
)
def test_wrong_usage(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--state-dir", str(tmp_path / "state"), *options])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_the_environment_sets_defaults(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUI_MANAGER_AGENT_MANAGER", "far.example:1")
    with pytest.raises(SystemExit):
        main(["run", "--insecure"])
    assert "on this machine" in capsys.readouterr().err


async def test_the_state_folder_is_one_agents(
    manager: FakeManager, agent: AgentProcess, tmp_path: Path
) -> None:
    second = AgentProcess(agent.state_dir)
    await second.start(manager)
    status, errors = await second.ended()
    assert status == 2
    assert "Another agent is running" in errors
    assert len(manager.hellos) == 1


async def test_a_state_folder_that_cannot_be_made(manager: FakeManager, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    agent = AgentProcess(tmp_path / "file" / "state")
    await agent.start(manager)
    status, errors = await agent.ended()
    assert status == 2
    assert "cannot be used" in errors


async def test_a_refusal_for_good_ends_the_agent(manager: FakeManager, tmp_path: Path) -> None:
    reason = wire.DISCONNECT_REASON_NAME_TAKEN
    manager.refusal = wire.Disconnect(reason=reason, detail="web01 is known since Monday")
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, "--name=web01", "--label=env=prod", "--label=a=b=c")
    status, errors = await agent.ended()
    assert status == 3
    assert "web01 is known since Monday" in errors
    assert "Traceback" not in errors
    assert manager.hellos[0].name == "web01"
    assert dict(manager.hellos[0].labels) == {"env": "prod", "a": "b=c"}


async def test_another_manager_is_told_nothing(
    manager: FakeManager, agent: AgentProcess, tmp_path: Path
) -> None:
    await agent.terminate()
    stranger = FakeManager()
    await stranger.start()
    await agent.start(stranger)
    status, errors = await agent.ended()
    await stranger.stop()
    assert status == 3
    assert manager.manager_id in errors
    assert stranger.reports == []
