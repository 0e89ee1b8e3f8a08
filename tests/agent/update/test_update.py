"""Updates of an agent that runs from a bundle, with real processes."""

import asyncio
import hashlib
import os
import shutil
import signal
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.conftest import Gate
from tests.agent.fake_manager import FakeManager
from tests.agent.updated_host import (
    BREAKS,
    EXITS,
    HANGS,
    NEVER_DIALS,
    OLD,
    PRINTS,
    Bundle,
    UpdatedHost,
)
from tests.support.programs.bundles import new_key, public


@pytest.mark.usefixtures("new_processes")
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


@pytest.mark.parametrize(("then", "restarts"), [(EXITS, False), (PRINTS, False), (BREAKS, True)])
async def test_a_version_that_ends_is_replaced_by_the_old_one(
    host: UpdatedHost, manager: FakeManager, then: str, restarts: bool
) -> None:
    """By whoever restarts the agent; if nobody does, by the watcher."""
    host.restarts, host.patience = restarts, 300.0 if restarts else 0.0
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


@pytest.mark.parametrize(("then", "restarts"), [(HANGS, False), (NEVER_DIALS, True)])
async def test_a_version_that_is_not_back_in_time_is_replaced(
    host: UpdatedHost, manager: FakeManager, then: str, restarts: bool
) -> None:
    """One that hangs is killed by the watcher, another one ends by itself."""
    host.restarts, host.patience, host.within = restarts, 300.0 if restarts else 0.0, 2.0
    host.kill_after = 1.0 if then == HANGS else 300.0
    await host.start()
    bundle = Bundle.of(host.key, "0.3.0", then)
    result = await host.result(host.update(bundle))
    assert result.reason == wire.RESULT_REASON_UPDATE_FAILED
    assert result.detail == "The new version was not back within 2s; 0.2.0 goes on."
    await host.settled()
    assert host.current == OLD
    assert host.ended[0] == (-9 if then == HANGS else 1)
    assert len(host.agents()) == 1


@pytest.mark.parametrize("is_failed", [True, False])
async def test_a_service_manager_that_was_kept_from_it_starts_the_old_one(
    host: UpdatedHost, manager: FakeManager, is_failed: bool
) -> None:
    """By an exit status after which it does not, but not if it was asked to stop the agent."""
    host.restarts, host.patience, host.is_failed = False, 0.0, is_failed
    await host.start()
    execution_id = host.update(Bundle.of(host.key, "0.3.0", EXITS))
    await host.wait_until("the end of all", lambda: host.ended and not host.processes())
    assert host.ended == [2]
    unit = host.asked[0].rpartition(" ")[2]
    assert unit.endswith(".service")
    more = (f"--no-ask-password {verb} {unit}" for verb in ("reset-failed", "start"))
    assert host.asked == [f"is-failed --quiet {unit}", *(more if is_failed else ())]
    await host.start_once()
    assert (await host.result(execution_id)).reason == wire.RESULT_REASON_UPDATE_FAILED


async def test_the_loop_that_has_ended_is_started_again(
    host: UpdatedHost, manager: FakeManager
) -> None:
    host.restarts, host.patience, host.has_loop = False, 0.0, True
    await host.start()
    result = await host.result(host.update(Bundle.of(host.key, "0.3.0", EXITS)))
    assert result.reason == wire.RESULT_REASON_UPDATE_FAILED
    assert host.ended == [2]
    await host.settled()
    assert (
        len([words for words in host.processes().values() if "/run-agent.sh --clean" in words]) == 1
    )


async def test_a_manager_that_is_away_is_a_reason_too(
    host: UpdatedHost, manager: FakeManager
) -> None:
    """The old version comes back, and says so when the manager is back."""
    host.within, host.kill_after = 5.0, 300.0
    await host.start()
    manager.refusals["0.3.0"] = wire.Disconnect(reason=wire.DISCONNECT_REASON_SHUTTING_DOWN)
    bundle = Bundle.of(host.key, "0.3.0")
    result = await host.result(host.update(bundle))
    assert result.reason == wire.RESULT_REASON_UPDATE_FAILED
    assert result.detail in (
        "The new version was not back within 5s (The manager shuts down); 0.2.0 goes on.",
        "The new version was not back within 5s; 0.2.0 goes on.",  # on a very busy machine
    )
    await host.settled()
    assert host.current == OLD


@pytest.mark.parametrize("what", ["other host", "not admitted", "revoked"])
async def test_only_a_welcome_that_admits_this_host_accepts(
    host: UpdatedHost, manager: FakeManager, what: str
) -> None:
    await host.start()

    def change() -> None:
        if what == "other host":
            manager.host_id = "another"
        elif what == "not admitted":
            manager.settings.admission = wire.ADMISSION_PENDING
        else:
            manager.refusals["0.3.0"] = wire.Disconnect(reason=wire.DISCONNECT_REASON_REVOKED)

    execution_id = host.update(Bundle.of(host.key, "0.3.0"))
    await manager.wait_for(lambda: manager.files.requests)
    change()
    await manager.wait_for(lambda: manager.hellos[-1].agent_version == "0.3.0")
    result = await host.result(execution_id)
    assert result.reason == wire.RESULT_REASON_UPDATE_FAILED
    assert result.detail.startswith("The new version has ended: ")
    words = {
        "other host": "The manager calls this host another, and not as before",
        "not admitted": "The manager does not admit this host",
        "revoked": "The operator revoked this host",
    }
    assert words[what] in result.detail
    assert host.ended[0] == 1  # not 3, for which nobody would start the old one
    await host.settled()
    assert host.current == OLD


# ------------------------------------------------------------------- what an update leaves alone


async def test_commands_that_run_and_their_output_survive(
    host: UpdatedHost, manager: FakeManager, gate: Gate
) -> None:
    await host.start()
    running = manager.run(f"echo before; cat {gate}; echo after")
    await manager.wait_for(lambda: manager.stored(running).stdout)
    await host.result(host.update(Bundle.of(host.key, "0.3.0")))
    assert not manager.stored(running).results
    gate.open()
    result = await host.result(running)
    assert result.status == wire.RESULT_STATUS_COMPLETED
    assert manager.stored(running).stdout == b"before\nafter\n"
    later = manager.run("echo new")
    await host.result(later)
    assert manager.stored(later).stdout == b"new\n"


async def test_a_command_that_waits_starts_only_after_the_acceptance(
    host: UpdatedHost, manager: FakeManager, gate: Gate
) -> None:
    """If the new version is not accepted, the old one starts it."""
    host.within, host.options = 2.0, ("--capacity=2",)
    await host.start()
    running = manager.run(f"cat {gate}")
    await manager.wait_for(lambda: manager.stored(running).starts)
    update = host.update(Bundle.of(host.key, "0.3.0", NEVER_DIALS))
    await manager.wait_for(lambda: manager.stored(update).starts)
    waiting = manager.run("echo started")
    result = await host.result(update)
    assert result.reason == wire.RESULT_REASON_UPDATE_FAILED
    await host.result(waiting)
    assert manager.stored(waiting).stdout == b"started\n"
    gate.open()
    await host.result(running)


async def test_a_version_on_trial_changes_nothing_in_the_state_folder(
    host: UpdatedHost, manager: FakeManager, gate: Gate
) -> None:
    """The old one may have to go on with it."""

    def tree() -> dict[str, bytes]:
        return {
            str(path.relative_to(host.state)): path.read_bytes()
            for path in host.state.rglob("*")
            if path.is_file() and path.name not in ("update.trial", "stdout")
        }

    host.options = ("--capacity=2",)
    await host.start()
    await host.result(manager.run("echo ended"))
    running = manager.run(f"cat {gate}")
    await manager.wait_for(lambda: manager.stored(running).starts)
    manager.refusals["0.3.0"] = wire.Disconnect(reason=wire.DISCONNECT_REASON_OVERLOADED)
    update = host.update(Bundle.of(host.key, "0.3.0"))
    await manager.wait_for(lambda: manager.stored(update).starts)
    waiting = manager.run("echo started")
    await host.wait_until("the trial", host.trial.exists)
    before = tree()
    assert any(path.endswith("/accepted") for path in before)
    await manager.wait_for(lambda: len(manager.hellos) >= 3)  # it dials again and again
    assert tree() == before
    manager.refusals.clear()
    await host.result(waiting)
    gate.open()
    await host.result(running)
    assert (await host.result(update)).status == wire.RESULT_STATUS_COMPLETED


async def test_arguments_and_environment_are_kept_without_the_token(
    host: UpdatedHost, manager: FakeManager
) -> None:
    host.options = ("--label=a=b", "--name=web-01")
    await host.start()
    await host.result(host.update(Bundle.of(host.key, "0.3.0")))
    first, last = manager.hellos[0], manager.hellos[-1]
    assert dict(last.labels) == dict(first.labels) == {"a": "b"}
    assert last.name == first.name == "web-01"
    environment = Path(f"/proc/{host.pid}/environ").read_bytes().split(b"\0")
    assert f"UPDATE_WITHIN={host.within}".encode() in environment
    command = manager.run("env")
    await host.result(command)
    assert b"TUI_MANAGER_AGENT_TRIAL" not in manager.stored(command).stdout


async def test_the_new_process_has_no_descriptor_of_the_old_one(
    host: UpdatedHost, manager: FakeManager
) -> None:
    def descriptors() -> list[str]:
        folder = Path(f"/proc/{host.pid}/fd")
        return sorted(os.readlink(entry).partition(":")[0] for entry in folder.iterdir())

    await host.start()
    await manager.wait_for(lambda: manager.reports)
    await host.result(manager.run("true"))  # the fork server is there
    before = len(descriptors())
    await host.result(host.update(Bundle.of(host.key, "0.3.0")))
    await host.settled()
    await host.result(manager.run("true"))
    await host.wait_until("as many", lambda: len(descriptors()) <= before)


# ------------------------------------------------------------------------- versions that are kept


async def test_the_version_before_is_kept_and_older_ones_go(
    host: UpdatedHost, manager: FakeManager
) -> None:
    """Also back to the one before, whose folder is there already."""
    second, third = Bundle.of(host.key, "0.3.0"), Bundle.of(host.key, "0.3.1")
    host.put("notes", b"")  # no version: left alone
    used = host.root / "versions/0.1.0-0123456789ab"
    used.mkdir()
    shutil.copy("/bin/sleep", used / "sleep")
    sleeping = await asyncio.create_subprocess_exec(used / "sleep", "1000")
    await host.start()
    for bundle, kept in (
        (second, {OLD, second.name, used.name}),
        (third, {second.name, third.name, used.name}),
        (second, {second.name, third.name}),
    ):
        result = await host.result(host.update(bundle))
        assert result.status == wire.RESULT_STATUS_COMPLETED, result
        await host.settled()
        await host.wait_until("the removal", lambda kept=kept: host.versions == {*kept, "notes"})  # type: ignore[misc]
        if bundle is third:
            sleeping.kill()
            await sleeping.wait()
    assert host.current == second.name
    assert os.readlink(host.root / "previous") == f"versions/{third.name}"


async def test_the_version_that_runs_is_unchanged(host: UpdatedHost, manager: FakeManager) -> None:
    await host.start()
    bundle = Bundle.of(host.key, "0.3.0")
    result = await host.result(host.update(bundle))
    received = result.transfer.received_bytes
    assert received == result.transfer.bytes == len(bundle.data)
    assert (result.transfer.files, result.transfer.unchanged_files) == (1, 0)
    assert result.transfer.sha256 == hashlib.sha256(bundle.data).digest()
    again = await host.result(host.update(bundle))
    assert again.status == wire.RESULT_STATUS_COMPLETED
    assert (again.transfer.unchanged_files, again.transfer.received_bytes) == (1, 0)
    assert again.detail == f"0.3.0 (build {bundle.build}) runs already"
    assert len({hello.instance_id for hello in manager.hellos}) == 2


async def test_keys_are_changed_by_an_update(host: UpdatedHost, manager: FakeManager) -> None:
    """But not by one that is not accepted."""
    other = new_key()
    await host.start()
    failed = Bundle.of(host.key, "0.3.0", EXITS, keys=(other,))
    await host.result(host.update(failed))
    await host.settled()
    assert (host.root / "update-keys").read_text() == f"{public(host.key)}\n"
    await host.result(host.update(Bundle.of(host.key, "0.3.0", keys=(other,))))
    await host.settled()
    assert (host.root / "update-keys").read_text() == f"{public(other)}\n"
    refused = await host.result(host.update(Bundle.of(host.key, "0.3.1")))
    assert refused.reason == wire.RESULT_REASON_REJECTED
    taken = await host.result(host.update(Bundle.of(other, "0.3.1")))
    assert taken.status == wire.RESULT_STATUS_COMPLETED


# --------------------------------------------------------------------------------- asked to end


async def test_sigterm_ends_the_version_on_trial_and_the_watcher(
    host: UpdatedHost, manager: FakeManager
) -> None:
    """Nobody starts the old one then; once it is started, it says what happened."""
    host.restarts, host.patience = False, 0.0
    await host.start()
    manager.refusals["0.3.0"] = wire.Disconnect(reason=wire.DISCONNECT_REASON_OVERLOADED)
    execution_id = host.update(Bundle.of(host.key, "0.3.0"))
    await manager.wait_for(lambda: manager.hellos[-1].agent_version == "0.3.0")
    os.kill(host.pid, signal.SIGTERM)
    await host.wait_until("the end", lambda: host.ended and not host.processes())
    assert host.ended == [0]
    await host.start_once()
    result = await host.result(execution_id)
    assert result.detail == (
        "The agent was stopped before the manager had welcomed the new version; 0.2.0 goes on."
    )


async def test_an_end_waits_for_no_other_update(host: UpdatedHost, manager: FakeManager) -> None:
    """The version that has failed would be removed after that one. It stays."""
    host.restarts = False
    await host.start()
    execution_id = host.update(Bundle.of(host.key, "0.3.0", EXITS))
    await host.wait_until("the end", lambda: host.ended)
    (watcher,) = host.watchers()
    os.kill(watcher, signal.SIGSTOP)  # it holds the lock, as another update does
    try:
        await host.start_once()
        await host.result(execution_id)
        os.kill(host.pid, signal.SIGTERM)
        await host.wait_until("the end", lambda: not host.agents())
    finally:
        os.kill(watcher, signal.SIGCONT)
    assert "nothing is removed" not in host.log
    await host.settled()


async def test_a_cancel_before_the_switch_stops_it(host: UpdatedHost, manager: FakeManager) -> None:
    manager.files.limit = 1000
    await host.start()
    execution_id = host.update(Bundle.of(host.key, "0.3.0"))
    await manager.wait_for(lambda: manager.stored(execution_id).starts)
    manager.cancel(execution_id)
    result = await host.result(execution_id)
    assert result.status == wire.RESULT_STATUS_CANCELED
    assert host.versions == {OLD}


async def test_a_cancel_after_the_switch_is_too_late(
    host: UpdatedHost, manager: FakeManager
) -> None:
    await host.start()
    manager.refusals["0.3.0"] = wire.Disconnect(reason=wire.DISCONNECT_REASON_OVERLOADED)
    execution_id = host.update(Bundle.of(host.key, "0.3.0"))
    await manager.wait_for(lambda: manager.hellos[-1].agent_version == "0.3.0")
    manager.verdicts[execution_id] = wire.RESUME_ACTION_CANCEL
    manager.refusals.clear()
    result = await host.result(execution_id)
    assert (result.status, result.detail) == (wire.RESULT_STATUS_COMPLETED, "0.2.0 to 0.3.0")


async def test_the_timeout_of_the_step_holds_until_the_switch(
    host: UpdatedHost, manager: FakeManager
) -> None:
    manager.files.limit = 1000
    await host.start()
    bundle = Bundle.of(host.key, "0.3.0")
    result = await host.result(host.update(bundle, timeout=Duration(seconds=1)))
    assert result.status == wire.RESULT_STATUS_TIMEOUT
    assert host.versions == {OLD}


async def test_a_second_update_at_once_is_rejected_and_a_repeat_is_answered(
    host: UpdatedHost, manager: FakeManager
) -> None:
    manager.files.limit = 1000
    await host.start()
    first = host.update(Bundle.of(host.key, "0.3.0"))
    await manager.wait_for(lambda: manager.stored(first).starts)
    second = await host.result(host.update(Bundle.of(host.key, "0.3.1")))
    assert second.reason == wire.RESULT_REASON_REJECTED
    assert second.detail == f"another update of this agent is not over: {first}"
    manager.cancel(first)
    await host.result(first)
    bundle = Bundle.of(host.key, "0.3.0")
    host.update(bundle, execution_id=first)
    await manager.wait_for(lambda: len(manager.stored(first).results) == 2)
    assert manager.stored(first).results[1].status == wire.RESULT_STATUS_CANCELED
    manager.files.limit = 1 << 40
    third = await host.result(host.update(bundle))
    assert third.status == wire.RESULT_STATUS_COMPLETED
