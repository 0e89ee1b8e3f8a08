"""What the record of a trial means to the agent that finds it."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tui_manager_agent.installation import Installation
from tui_manager_agent.journal.transfer_records import Transferred
from tui_manager_agent.supervisor import clock
from tui_manager_agent.update import trial, trial_record
from tui_manager_agent.update.trial import TrialOverError
from tui_manager_agent.update.trial_record import TrialRecord

OLD, NEW, THIRD = "0.2.0-000000000000", "0.3.0-111111111111", "0.4.0-222222222222"
DONE = Transferred(
    sha256=bytes(32),
    manifest_sha256=bytes(32),
    bytes=10,
    files=1,
    unchanged_files=0,
    received_bytes=7,
)


@dataclass
class FakeIdentity:
    state_dir: Path
    boot_id: str = "boot"


@pytest.fixture
def found(tmp_path: Path) -> TrialRecord:
    """Written a moment ago by the old version."""
    root = tmp_path / "root"
    for name in (OLD, NEW, THIRD):
        (root / "versions" / name).mkdir(parents=True)
    (root / "current").symlink_to(f"versions/{OLD}")
    return TrialRecord(
        execution_id="11111111-1111-1111-1111-111111111111",
        manager_id="manager",
        host_id="host",
        root=root,
        old=OLD,
        new=NEW,
        boot_id="boot",
        started=clock.now(),
        within=120 * clock.SECOND,
        done=DONE,
    )


def running(found: TrialRecord, name: str) -> Installation:
    version, _, build = name.rpartition("-")
    return Installation(
        installed_by="bundle", root=found.root, name=name, version=version, build=build
    )


def point_to(found: TrialRecord, name: str) -> None:
    (found.root / "current").unlink()
    (found.root / "current").symlink_to(f"versions/{name}")


def late(found: TrialRecord) -> TrialRecord:
    return replace(found, started=clock.now() - found.within)


def test_there_is_none(tmp_path: Path, found: TrialRecord) -> None:
    assert trial.find(FakeIdentity(tmp_path), running(found, OLD)) is None  # type: ignore[arg-type]


def test_the_record_is_read_as_it_was_written(tmp_path: Path, found: TrialRecord) -> None:
    found = replace(found, problem="It broke.", host_id="")
    trial_record.reserve(tmp_path)
    found.write(tmp_path)
    assert trial_record.read(tmp_path) == found
    trial_record.note_last(tmp_path, "It is\0away")
    trial_record.note_stopped(tmp_path)
    assert trial_record.read(tmp_path) == replace(found, last="It isaway", stopped=True)
    trial_record.remove(tmp_path)
    trial_record.note_stopped(tmp_path)  # nothing is made anew
    assert trial_record.read(tmp_path) is None


def test_the_new_version_is_on_trial(tmp_path: Path, found: TrialRecord) -> None:
    found.write(tmp_path)
    now = trial.find(FakeIdentity(tmp_path), running(found, NEW))  # type: ignore[arg-type]
    assert now is not None
    assert now.is_open
    assert 100 < now.left <= 120


@pytest.mark.parametrize("name", [OLD, NEW, THIRD])
@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("boot_id", ["boot", "next"])
def test_the_link_decides_whoever_runs(
    tmp_path: Path, found: TrialRecord, name: str, is_late: bool, boot_id: str
) -> None:
    """As after a kill, a crash of the host, or by the hand of its owner."""
    point_to(found, NEW)
    (late(found) if is_late else found).write(tmp_path)
    now = trial.find(FakeIdentity(tmp_path, boot_id), running(found, name))  # type: ignore[arg-type]
    assert now is not None
    assert not now.is_open
    result = now.result(boot_id)
    assert (result.status, result.detail) == ("completed", "0.2.0 to 0.3.0")
    assert result.transfer == DONE


@pytest.mark.parametrize("name", [OLD, THIRD])
@pytest.mark.parametrize(
    ("changed", "boot_id", "problem"),
    [
        ({}, "boot", "The new version ended before the manager had welcomed it"),
        ({}, "next", "The host was restarted before the manager had welcomed the new version"),
        ({"started": 0}, "boot", "The new version was not back within 2m"),
        (
            {"started": 0, "last": "The manager shuts down"},
            "boot",
            "The new version was not back within 2m (The manager shuts down)",
        ),
        ({"problem": "It broke."}, "boot", "The new version has ended: It broke"),
        (
            {"stopped": True},
            "boot",
            "The agent was stopped before the manager had welcomed the new version",
        ),
    ],
)
def test_another_version_ends_it_as_failed(
    tmp_path: Path,
    found: TrialRecord,
    name: str,
    changed: dict[str, object],
    boot_id: str,
    problem: str,
) -> None:
    found = replace(found, **changed)  # type: ignore[arg-type]
    if changed.get("started") == 0:
        found = late(found)
    found.write(tmp_path)
    if found.stopped:
        trial_record.note_stopped(tmp_path)
    if found.last:
        trial_record.note_last(tmp_path, found.last)
    now = trial.find(FakeIdentity(tmp_path, boot_id), running(found, name))  # type: ignore[arg-type]
    assert now is not None
    assert not now.is_open
    result = now.result(boot_id)
    assert (result.status, result.reason) == ("failed", "update_failed")
    assert result.detail == f"{problem}; {name[:5]} goes on."


def test_the_new_version_is_not_accepted_after_its_time(tmp_path: Path, found: TrialRecord) -> None:
    """Nor after a restart of the host. Its owner may have started it by hand."""
    for record, boot_id in ((late(found), "boot"), (found, "next")):
        record.write(tmp_path)
        with pytest.raises(TrialOverError, match="is not accepted any more"):
            trial.find(FakeIdentity(tmp_path, boot_id), running(found, NEW))  # type: ignore[arg-type]
        assert trial_record.read(tmp_path) == record


def test_an_agent_from_another_folder_is_not_on_trial(tmp_path: Path, found: TrialRecord) -> None:
    found.write(tmp_path)
    now = trial.find(FakeIdentity(tmp_path), Installation())  # type: ignore[arg-type]
    assert now is not None
    assert not now.is_open
    assert now.result("boot").status == "failed"


def test_a_damaged_record_is_none(tmp_path: Path, found: TrialRecord) -> None:
    """The execution is in the journal: the update is done again."""
    for data in (b"", b"garbage", b"execution_id=1\0"):
        (tmp_path / trial_record.FILE).write_bytes(data)
        assert trial.find(FakeIdentity(tmp_path), running(found, OLD)) is None  # type: ignore[arg-type]


def test_builds_tell_equal_versions_apart(tmp_path: Path, found: TrialRecord) -> None:
    new = "0.2.0-333333333333"
    point_to(found, new)
    replace(found, new=new).write(tmp_path)
    now = trial.find(FakeIdentity(tmp_path), running(found, new))  # type: ignore[arg-type]
    assert now is not None
    assert now.result("boot").detail == ("0.2.0 (build 000000000000) to 0.2.0 (build 333333333333)")
