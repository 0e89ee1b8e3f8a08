"""Bundles that an agent does not take, and what fails while it becomes another version."""

import errno
from pathlib import Path

import pytest
from tui_manager_agent.executions.orders.make_transfer_order import make_transfer_order
from tui_manager_agent.files.transfer_work import StoppedError, StopSignal
from tui_manager_agent.installation import Installation
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.update import update_work
from tui_manager_agent.update.update_work import run_briefly
from tui_manager_agent.update.versions import why_no_update
from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind, encode
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_files import FakeSet
from tests.agent.fake_manager import FakeManager
from tests.agent.policies import ONLY_ECHO
from tests.agent.updated_host import OLD, Bundle, UpdatedHost, program
from tests.support.programs.bundles import new_key, public

FAILED, REJECTED = wire.RESULT_REASON_UPDATE_FAILED, wire.RESULT_REASON_REJECTED


def changed(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


async def test_what_is_not_taken_changes_nothing(host: UpdatedHost, manager: FakeManager) -> None:
    good = Bundle.of(host.key, "0.3.0")
    other = new_key()
    of_other = Bundle.of(other, "0.3.0")
    name_at = good.data.index(b'"python"')
    packed_at = good.data.index(b"\x1f\x8b")  # the contents, gzipped
    cases: list[tuple[Bundle, wire.ResultReason.ValueType, str]] = [
        (
            Bundle.of(None, "0.3.0"),
            REJECTED,
            "The bundle is not signed. Sign it with a key that is in ",
        ),
        (
            of_other,
            REJECTED,
            f"The host does not trust the key {public(other)}, which signed the bundle. Sign it "
            f"with a key that is in {host.root}/update-keys on the host.",
        ),
        (
            Bundle(changed(good.data, name_at + 11), "0.3.0", good.build),
            FAILED,
            f"The signature by {public(host.key)} is wrong.",
        ),
        (Bundle.of(host.key, "0.3.0", arch="riscv64"), FAILED, "The bundle is for linux riscv64"),
        (Bundle.of(host.key, "0.3.0", libc="glibc 99.1"), FAILED, "The bundle needs glibc 99.1"),
        (Bundle(good.data, "0.4.0", good.build), FAILED, "0.4.0 (build "),
        (
            Bundle(changed(good.data, packed_at + 20), "0.3.0", good.build),
            FAILED,
            "agent.tar.gz has another SHA-256",
        ),
        (Bundle(b"garbage" * 10000, "0.3.0", "0" * 12), FAILED, "This is no bundle"),
        (Bundle(good.data[:-1100], "0.3.0", good.build), FAILED, "The bundle is "),
        (Bundle(b"x", "0.3.0", good.build), FAILED, "This is no bundle"),
        (
            Bundle.of(host.key, "0.3.0", keys=()),
            FAILED,
            "The bundle has no keys for updates in share/update-keys.",
        ),
        (
            Bundle.of(host.key, "0.3.0", program_=b"#!/bin/sh\nexit 7\n"),
            FAILED,
            "does not start on this host: its --version ended with status 7, and said ''.",
        ),
        (
            Bundle.of(host.key, "0.3.0", program_=program("0.3.1")),
            FAILED,
            "and said 'tui-manager-agent 0.3.1'.",
        ),
        (
            Bundle.of(host.key, "0.3.0", program_=b"#!/bin/sh\nexec yes\n"),
            FAILED,
            "its --version did not end, and said ''.",
        ),
        (
            Bundle.of(host.key, "0.3.0", program_=b"\x7fELF garbage"),
            FAILED,
            "bin/tui-manager-agent cannot be started: Exec format error.",
        ),
    ]
    await host.start()
    for bundle, reason, words in cases:
        result = await host.result(host.update(bundle))
        assert (result.status, result.reason) == (wire.RESULT_STATUS_FAILED, reason), result
        assert words in result.detail, (words, result.detail)
        assert host.versions == {OLD}
    assert {path.name for path in host.root.iterdir()} <= {
        *("versions", "current", "update-keys", ".update-lock"),
    }
    assert len(manager.hellos) == 1
    assert (await host.result(host.update(good))).status == wire.RESULT_STATUS_COMPLETED


@pytest.mark.parametrize(
    ("version", "build"),
    [
        ("/../../../outside", "0" * 12),
        ("..", "0" * 12),
        ("", "0" * 12),
        ("0.3.0", "../0.3.0"),
        ("0.3.0", ""),
        ("0.3.0\0", "0" * 12),
    ],
)
async def test_names_that_lead_elsewhere(version: str, build: str) -> None:
    """They would name folders that are removed."""
    files = FakeSet.of({"bundle": b"x"})
    update = wire.UpdateAgent(files=files.message, version=version, build=build)
    with pytest.raises(RefusedError, match="of a bundle"):
        make_transfer_order(wire.RunCommand(update=update))


async def test_a_set_that_is_not_one_bundle(host: UpdatedHost, manager: FakeManager) -> None:
    await host.start()
    huge = Entry(b"bundle", EntryKind.FILE, 0o644, 1 << 40, bytes(32))
    for files in (
        FakeSet.of({"a": b"a", "b": b"b"}),
        FakeSet.of({"folder/": b""}),
        FakeSet.of({}),
        FakeSet.of({"empty": b""}),
        FakeSet(encode(huge), b"", 1, 1 << 40),
        FakeSet(b"garbage", b"", 1, 1),
    ):
        update = wire.UpdateAgent(files=files.message, version="0.3.0", build="0" * 12)
        execution_id = manager.run("", update=update)
        manager.files.add(execution_id, files)
        result = await host.result(execution_id)
        assert result.reason == FAILED
        assert "The manager has sent what is no bundle" in result.detail
    assert manager.files.requested == 0


async def test_a_policy_decides_and_not_the_keys_of_the_installation(
    host: UpdatedHost, manager: FakeManager, policy_file: Path
) -> None:
    owner = new_key()
    policy_file.write_text(f'reason = "Ask ana."\n{ONLY_ECHO}')
    host.options = (f"--policy={policy_file}",)
    await host.start()
    bundle = Bundle.of(host.key, "0.3.0")
    refused = await host.result(host.update(bundle))
    assert refused.reason == REJECTED
    assert refused.detail.startswith("refused by this host's policy (update): no update")
    assert not manager.files.requests
    policy_file.write_text(f'reason = "Ask ana."\n[update]\nkeys = ["{public(owner)}"]\n')
    refused = await host.result(host.update(bundle))
    assert refused.reason == REJECTED
    assert refused.detail == (
        "refused by this host's policy (update): The host does not trust the key "
        f"{public(host.key)}, which signed the bundle. To allow it, add the key to [update]: "
        "Ask ana."
    )
    (host.root / "update-keys").unlink()
    taken = await host.result(host.update(Bundle.of(owner, "0.3.0")))
    assert taken.status == wire.RESULT_STATUS_COMPLETED


async def test_keys_that_others_can_write_are_not_used(
    host: UpdatedHost, manager: FakeManager
) -> None:
    (host.root / "update-keys").chmod(0o666)
    await host.start()
    for words in ("can be written by anybody", "No such file or directory"):
        refused = await host.result(host.update(Bundle.of(host.key, "0.3.0")))
        assert refused.reason == REJECTED
        assert f"{host.root}/update-keys cannot be used: " in refused.detail
        assert words in refused.detail
        (host.root / "update-keys").unlink(missing_ok=True)


async def test_an_agent_that_is_not_the_current_version(
    host: UpdatedHost, manager: FakeManager
) -> None:
    """Another agent from the same folder was updated, or its owner has moved the link."""
    host.put("0.2.5-0123456789ab", program("0.2.5"))
    await host.start()
    (host.root / "current").unlink()
    (host.root / "current").symlink_to("versions/0.2.5-0123456789ab")
    result = await host.result(host.update(Bundle.of(host.key, "0.3.0")))
    assert result.reason == FAILED
    assert result.detail == (
        f"{host.root}/current does not name the version that this agent runs, {OLD}. Restart the "
        "agent, then run it again."
    )


async def test_an_agent_that_is_from_no_bundle(manager: FakeManager, agent: AgentProcess) -> None:
    assert "update" not in manager.hellos[0].features
    execution_id = manager.run("", update=wire.UpdateAgent(version="0.3.0"))
    manager.executions[execution_id].results.clear() if execution_id in manager.executions else None
    refused = await manager.result(execution_id)
    assert refused.reason == REJECTED


def test_why_an_agent_cannot_update_itself(tmp_path: Path) -> None:
    assert why_no_update(Installation(installed_by="rpm")) == (
        "this agent comes from a rpm package: update it with the package manager"
    )
    assert "does not run from a bundle" in why_no_update(Installation())
    root = tmp_path / "root"
    assert why_no_update(Installation(installed_by="bundle", root=root, name=OLD)) == (
        f"this agent may not write {root}: update it as the user to whom that belongs"
    )
    (root / "versions" / OLD).mkdir(parents=True)
    assert why_no_update(Installation(installed_by="bundle", root=root, name=OLD)) == ""
    (root / "versions").chmod(0o777)
    words = why_no_update(Installation(installed_by="bundle", root=root, name=OLD))
    assert words.startswith("the folder of this agent cannot be trusted: ")


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("before.place_version", "cannot be written: No space left on device"),
        ("after.prepare_links", "cannot be written: No space left on device"),
        (
            "before.write_record",
            "The new version has ended: it could not be started: No space left on device; "
            "0.2.0 goes on.",
        ),
        (
            "before.execve",
            "The new version has ended: it could not be started: No space left on device; "
            "0.2.0 goes on.",
        ),
        ("before.accept_version", "current cannot be changed: No space left on device; 0.2.0"),
    ],
)
async def test_a_full_disk(host: UpdatedHost, manager: FakeManager, point: str, words: str) -> None:
    await host.start()
    host.arm(point, str(errno.ENOSPC))
    result = await host.result(host.update(Bundle.of(host.key, "0.3.0")))
    assert host.was_hit
    assert result.reason == FAILED
    assert words in result.detail, result.detail
    await host.settled()
    await host.wait_until("the removal", lambda: host.versions == {OLD})
    assert host.current == OLD
    again = await host.result(host.update(Bundle.of(host.key, "0.3.0")))
    assert again.status == wire.RESULT_STATUS_COMPLETED


@pytest.mark.parametrize("point", ["before.finish_links", "before.forget_trial"])
async def test_a_full_disk_after_the_acceptance(
    host: UpdatedHost, manager: FakeManager, point: str
) -> None:
    await host.start()
    host.arm(point, str(errno.ENOSPC))
    result = await host.result(host.update(Bundle.of(host.key, "0.3.0")))
    assert result.status == wire.RESULT_STATUS_COMPLETED


def test_a_program_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_work, "TRY_WITHIN", 0.0)
    assert run_briefly(("/bin/sleep", "1000"), StopSignal()) == ("", None)
    monkeypatch.undo()
    stop = StopSignal()
    stop.set()
    with pytest.raises(StoppedError):
        run_briefly(("/bin/sleep", "1000"), stop)


async def test_a_copy_never_replaces_the_agent(host: UpdatedHost, manager: FakeManager) -> None:
    """It would go around the keys for updates."""
    await host.start()
    for to in (
        host.root / "update-keys",
        host.root / "current/bin/tui-manager-agent",
        host.root / "versions/new/",
    ):
        result = await host.result(manager.copy(FakeSet.of({"a": b"evil"}), f"{to}"))
        assert result.reason == wire.RESULT_REASON_TRANSFER_FAILED
        assert "belongs to the agent itself" in result.detail, result.detail
    assert host.versions == {OLD}
    fetched = await host.result(manager.fetch(str(host.root / "update-keys")))
    assert fetched.status == wire.RESULT_STATUS_COMPLETED
