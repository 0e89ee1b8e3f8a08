"""Updates of an agent that runs from a bundle, with real processes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.fake_manager import FakeManager
from tests.agent.updated_host import (
    BREAKS,
    EXITS,
    HANGS,
    NEVER_DIALS,
    PRINTS,
    Bundle,
    UpdatedHost,
)


@pytest.fixture
async def host(tmp_path: Path, manager: FakeManager) -> AsyncIterator[UpdatedHost]:
    """Version 0.2.0 is installed, nothing runs."""
    host = UpdatedHost(tmp_path, manager)
    host.install()
    yield host
    await host.close()


OLD = f"0.2.0-{'0' * 12}"


async def test_the_agent_becomes_the_new_version(host: UpdatedHost, manager: FakeManager) -> None:
    await host.start()
    hello = manager.hellos[0]
    assert (hello.agent_version, hello.build, hello.installed_by) == ("0.2.0", "0" * 12, "bundle")
    assert "update" in hello.features
    bundle = Bundle.of(host.key, "0.3.0")
    execution_id = host.update(bundle)
    result = await host.result(execution_id)
    assert result.status == wire.RESULT_STATUS_COMPLETED, result
    assert result.detail == "0.2.0 to 0.3.0"
    await host.settled()
    hello = manager.hellos[-1]
    assert (hello.agent_version, hello.build) == ("0.3.0", bundle.build)
    assert [held.execution_id for held in hello.executions] == [execution_id]
    assert hello.executions[0].state == wire.EXECUTION_STATE_RUNNING
    assert host.current == bundle.name
    assert host.versions == {OLD, bundle.name}
    assert host.starts == 1  # the same process
    assert host.agents() == [host.pid]


# ------------------------------------------------------------------- versions that are not accepted


@pytest.mark.parametrize("then", [EXITS, PRINTS, BREAKS])
@pytest.mark.parametrize("restarts", [True, False])
async def test_a_version_that_ends_is_replaced_by_the_old_one(
    host: UpdatedHost, manager: FakeManager, then: str, restarts: bool
) -> None:
    """By whoever restarts the agent; if nobody does, by the watcher."""
    host.restarts, host.patience = restarts, 60.0 if restarts else 0.0
    await host.start()
    bundle = Bundle.of(host.key, "0.3.0", then)
    result = await host.result(host.update(bundle))
    assert result.status == wire.RESULT_STATUS_FAILED
    assert result.reason == wire.RESULT_REASON_UPDATE_FAILED
    assert result.detail.startswith("The new version ")
    assert result.detail.endswith("; 0.2.0 goes on.")
    await host.settled()
    assert host.current == OLD
    await host.wait_until("the removal", lambda: host.versions == {OLD})
    assert manager.hellos[-1].agent_version == "0.2.0"
    assert len(host.agents()) == 1
    assert host.ended[0] not in (2, 3) or then == EXITS
    assert host.starts == (2 if restarts else 1)


@pytest.mark.parametrize("then", [HANGS, NEVER_DIALS])
@pytest.mark.parametrize("restarts", [True, False])
async def test_a_version_that_is_not_back_in_time_is_replaced(
    host: UpdatedHost, manager: FakeManager, then: str, restarts: bool
) -> None:
    """One that hangs is killed by the watcher, another one ends by itself."""
    host.restarts, host.patience, host.within = restarts, 60.0 if restarts else 0.0, 2.0
    await host.start()
    bundle = Bundle.of(host.key, "0.3.0", then)
    result = await host.result(host.update(bundle))
    assert result.reason == wire.RESULT_REASON_UPDATE_FAILED
    assert result.detail == "The new version was not back within 2s; 0.2.0 goes on."
    await host.settled()
    assert host.current == OLD
    assert host.ended[0] == (-9 if then == HANGS else 1)
    assert len(host.agents()) == 1


async def test_a_manager_that_is_away_is_a_reason_too(
    host: UpdatedHost, manager: FakeManager
) -> None:
    """The old version comes back, and says so when the manager is back."""
    host.within, host.patience = 2.0, 60.0
    await host.start()
    manager.refusals["0.3.0"] = wire.Disconnect(reason=wire.DISCONNECT_REASON_SHUTTING_DOWN)
    bundle = Bundle.of(host.key, "0.3.0")
    result = await host.result(host.update(bundle))
    assert result.reason == wire.RESULT_REASON_UPDATE_FAILED
    assert result.detail == (
        "The new version was not back within 2s (The manager shuts down); 0.2.0 goes on."
    )
    assert len([hello for hello in manager.hellos if hello.agent_version == "0.3.0"]) >= 1
    await host.settled()
    assert host.current == OLD


# ----------------------------------------------------------------------------- kills at any moment

BEFORE_RECORD = [
    *("after.pull_manifest", "before.check_bundle", "after.check_bundle", "after.pull_bundle"),
    *("before.try_version", "before.place_version", "after.place_version", "after.prepare_links"),
    *("before.start_watcher", "after.start_watcher", "before.write_record"),
]
ON_TRIAL = [
    *("after.write_record", "before.find_trial", "after.find_trial"),
    *("before.check_welcome", "after.check_welcome", "before.accept_version"),
]
ACCEPTED = [
    *("after.accept_version", "before.finish_links", "after.finish_links"),
    *("before.end_update", "after.end_update", "before.forget_trial", "after.forget_trial"),
    *("before.clean_up", "after.clean_up"),
]


@pytest.mark.parametrize("point", [*BEFORE_RECORD, *ON_TRIAL, *ACCEPTED])
async def test_a_kill_at_any_moment_leaves_one_version_and_one_result(
    host: UpdatedHost, manager: FakeManager, point: str
) -> None:
    await host.start()
    bundle = Bundle.of(host.key, "0.3.0")
    host.arm(point)
    execution_id = host.update(bundle)
    result = await host.result(execution_id)
    assert host.was_hit
    await host.settled()
    await host.wait_until("the other start", lambda: host.starts == 2 and host.agents())
    if point in ON_TRIAL:
        assert result.reason == wire.RESULT_REASON_UPDATE_FAILED
        assert result.detail == (
            "The new version ended before the manager had welcomed it; 0.2.0 goes on."
        )
        assert host.current == OLD
    else:
        assert result.status == wire.RESULT_STATUS_COMPLETED, result
        assert result.detail == "0.2.0 to 0.3.0"
        assert host.current == bundle.name
    await manager.wait_for(lambda: manager.hellos[-1].agent_version == host.current[:5])
    results = manager.stored(execution_id).results
    assert {(one.status, one.detail) for one in results} == {(result.status, result.detail)}
    assert host.agents() == [host.pid]
    assert {path.name for path in host.root.iterdir()} <= {
        *("versions", "current", "previous", "update-keys", ".update-lock"),
    }
    kept = {OLD} if point in ON_TRIAL else {OLD, bundle.name}
    await host.wait_until("the removal", lambda: host.versions == kept)
