"""The agent with a policy that says which files may be written and read."""

from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_files import FakeSet
from tests.agent.fake_manager import FakeManager
from tests.agent.policies import ONLY_ECHO

WITHIN = Duration(seconds=60)


async def start(manager: FakeManager, policy_file: Path, state: Path) -> AgentProcess:
    agent = AgentProcess(state)
    await agent.start(manager, f"--policy={policy_file}")
    await manager.wait_for(lambda: manager.reports)
    return agent


async def test_a_policy_without_files_refuses_all(
    manager: FakeManager, policy_file: Path, tmp_path: Path
) -> None:
    policy_file.write_text(ONLY_ECHO)
    (tmp_path / "log").write_bytes(b"secret")
    agent = await start(manager, policy_file, tmp_path / "state")
    fetched = await manager.result(manager.fetch(str(tmp_path / "log")))
    copied = await manager.result(manager.copy(FakeSet.of({"a": b"a"}), f"{tmp_path}/"))
    await agent.close()
    for result, done, access in ((fetched, "read", "read"), (copied, "written", "write")):
        assert result.status == wire.RESULT_STATUS_FAILED
        assert result.reason == wire.RESULT_REASON_REJECTED
        assert result.detail == (
            f"refused by this host's policy (files): no file may be {done}. "
            f'To allow some: [files] {access} = ["/PATH"]'
        )
    assert not (tmp_path / "a").exists()
    assert not manager.files.requests


async def test_a_fetch_is_judged_by_where_links_lead(
    manager: FakeManager, policy_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "log").write_bytes(b"a line")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(folder)
    policy_file.write_text(f'max_timeout = "5m"\n[files]\nread = ["{folder}/*"]\n')
    agent = await start(manager, policy_file, tmp_path / "state")
    allowed = manager.fetch(str(tmp_path / "link"), recursive=True, timeout=WITHIN)
    result = await manager.result(allowed)
    assert result.status == wire.RESULT_STATUS_COMPLETED, result
    contents = manager.files.received[allowed].as_set.contents()
    assert contents == {f"{tmp_path}/link/log"[1:]: b"a line"}
    (folder / "link").symlink_to(tmp_path / "secret")
    for limit, path, timeout in (
        ("files", folder, WITHIN),
        ("files", tmp_path / "secret", WITHIN),
        ("files", tmp_path / "absent", WITHIN),
        ("max_timeout", folder, Duration(seconds=301)),
    ):
        refused = manager.fetch(str(path), recursive=True, timeout=timeout)
        result = await manager.result(refused)
        assert result.reason == wire.RESULT_REASON_REJECTED
        assert f"refused by this host's policy ({limit})" in result.detail
        assert refused not in manager.files.received
    await agent.close()


async def test_the_state_folder_is_never_fetched(
    manager: FakeManager, policy_file: Path, tmp_path: Path
) -> None:
    """Nor by an owner who allows everything."""
    policy_file.write_text('[files]\nread = ["/"]\n')
    (tmp_path / "x").write_bytes(b"x")
    state = tmp_path / "state"
    agent = await start(manager, policy_file, state)
    execution_id = manager.fetch(str(tmp_path), recursive=True)
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_COMPLETED, result
    assert result.detail == "left out: the state folder of the agent"
    paths = manager.files.received[execution_id].as_set.contents()
    assert f"{tmp_path}/x"[1:] in paths
    assert not [path for path in paths if f"/{path}".startswith(f"{state}/")]
    result = await manager.result(manager.fetch(str(state), recursive=True))
    assert result.reason == wire.RESULT_REASON_TRANSFER_FAILED
    assert "the state folder of the agent, which is never read" in result.detail
    await agent.close()
