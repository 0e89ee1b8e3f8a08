"""An agent that is killed at any moment of an update of itself."""

import os
import signal

import pytest
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.fake_manager import FakeManager
from tests.agent.updated_host import HANGS, OLD, REAL, Bundle, UpdatedHost

BEFORE_RECORD = [
    *("after.check_bundle", "before.try_version", "after.place_version", "after.prepare_links"),
    *("before.start_watcher", "before.write_record"),
]
ON_TRIAL = [
    *("after.write_record", "before.find_trial", "before.check_welcome", "before.accept_version"),
]
ACCEPTED = ["after.accept_version", "after.finish_links", "after.end_update", "after.forget_trial"]


@pytest.mark.parametrize("point", [*BEFORE_RECORD, *ON_TRIAL, *ACCEPTED])
async def test_a_kill_at_any_moment_leaves_one_version_and_one_result(
    host: UpdatedHost, manager: FakeManager, point: str
) -> None:
    await host.start()
    bundle = Bundle.of(host.key, "0.3.0")
    host.arm(point)
    execution_id = host.update(bundle)
    result = await host.result(execution_id)
    await host.wait_until("the kill", lambda: host.was_hit)
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


@pytest.mark.parametrize("then", [REAL, HANGS])
async def test_sigterm_that_comes_with_the_switch_ends_the_new_version(
    host: UpdatedHost, manager: FakeManager, then: str
) -> None:
    """It is blocked then. One that hangs does not hear it, and is killed."""
    host.restarts, host.patience = False, 0.0
    await host.start()
    bundle = Bundle.of(host.key, "0.3.0", "os.kill(os.getpid(), 15)\n" + then)
    execution_id = host.update(bundle)
    await host.wait_until("the end", lambda: host.ended and not host.processes())
    assert host.ended == [0 if then == REAL else -9]
    assert host.current == OLD
    await host.start_once()
    result = await host.result(execution_id)
    assert result.reason == wire.RESULT_REASON_UPDATE_FAILED


async def test_sigterm_just_before_the_switch_ends_the_old_version(
    host: UpdatedHost, manager: FakeManager
) -> None:
    """Its record is gone, and nobody watches. The next agent goes on with the update."""
    host.restarts = False
    await host.start()
    host.arm("after.write_record", "stop")
    execution_id = host.update(Bundle.of(host.key, "0.3.0"))
    await host.wait_until("the stop", lambda: host.was_hit)
    assert host.trial.exists()
    os.kill(host.pid, signal.SIGTERM)
    os.kill(host.pid, signal.SIGCONT)
    await host.wait_until("the end", lambda: host.ended and not host.processes())
    assert host.ended == [0]
    assert not host.trial.exists()
    assert host.current == OLD
    await host.start_once()
    result = await host.result(execution_id)
    assert (result.status, result.detail) == (wire.RESULT_STATUS_COMPLETED, "0.2.0 to 0.3.0")
