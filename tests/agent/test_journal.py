"""The journal on disk: what it holds, what it remembers, what it forgets."""

import errno
import os
import time
import uuid
from pathlib import Path

import pytest
from tui_manager_agent import journal
from tui_manager_agent.journal import KEEP, Journal
from tui_manager_agent.spool import UNKNOWN
from tui_manager_agent.supervisor import record

RESULT = {"status": "failed", "reason": "exit_code", "detail": "a line\nand = another"}
DAY = 24 * 3600


def new_id() -> str:
    return str(uuid.uuid4())


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_what_was_acknowledged_is_known_after_a_restart(tmp_path: Path) -> None:
    first, second = new_id(), new_id()
    before = Journal(tmp_path)
    for execution_id in (first, second):
        before.spool(execution_id).accept({"command": "true"})
        before.acknowledge(execution_id, RESULT)
    before.close()
    after = Journal(tmp_path)
    assert after.acknowledged(first) == RESULT
    assert after.acknowledged(second) == RESULT
    assert after.acknowledged(new_id()) is None
    assert after.held() == []


def test_a_folder_that_an_acknowledgement_left_behind_is_cleared(tmp_path: Path) -> None:
    execution_id = new_id()
    before = Journal(tmp_path)
    before.acknowledge(execution_id, RESULT)
    before.spool(execution_id).end(dict(RESULT))
    before.close()
    after = Journal(tmp_path)
    assert after.held() == []
    assert not after.spool(execution_id).folder.exists()


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    whole, torn, later = new_id(), new_id(), new_id()
    before = Journal(tmp_path)
    before.acknowledge(whole, RESULT)
    before.acknowledge(torn, RESULT)
    before.close()
    log = tmp_path / "acknowledged"
    log.write_bytes(log.read_bytes()[:-3])
    after = Journal(tmp_path)
    after.acknowledge(later, RESULT)
    assert after.acknowledged(whole) == RESULT
    assert after.acknowledged(later) == RESULT
    assert after.acknowledged(torn) is None


def test_a_known_execution_whose_line_is_unreadable_is_still_known(tmp_path: Path) -> None:
    execution_id = new_id()
    kept = Journal(tmp_path)
    kept.acknowledge(execution_id, RESULT)
    (tmp_path / "acknowledged").write_bytes(b"\xff\n")
    with pytest.raises(UnicodeDecodeError):
        kept.acknowledged(execution_id)


def test_ids_are_kept_30_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, young = new_id(), new_id()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - KEEP - DAY)
    before = Journal(tmp_path)
    before.acknowledge(old, RESULT)
    monkeypatch.setattr(time, "time", lambda: now - KEEP + DAY)
    before.acknowledge(young, RESULT)
    before.close()
    monkeypatch.undo()
    after = Journal(tmp_path)
    assert after.acknowledged(old) is None
    assert after.acknowledged(young) == RESULT


def test_ids_are_bounded_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "KEEP_AT_MOST", 3)
    kept = Journal(tmp_path)
    ids = [new_id() for _ in range(10)]
    for execution_id in ids:
        kept.acknowledge(execution_id, RESULT)
    known = [execution_id for execution_id in ids if kept.acknowledged(execution_id)]
    assert known == ids[-len(known) :]
    assert 3 <= len(known) <= 6


def test_a_full_disk_gives_up_output_rather_than_the_memory_of_an_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution_id = new_id()
    kept = Journal(tmp_path)
    spool = kept.spool(execution_id)
    spool.end(dict(RESULT))
    output = spool.folder / record.STDOUT
    output.write_bytes(b"much")
    write_all = record.write_all

    def full(descriptor: int, data: bytes) -> None:
        if output.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        write_all(descriptor, data)

    monkeypatch.setattr(record, "write_all", full)
    kept.acknowledge(execution_id, RESULT)
    assert kept.acknowledged(execution_id) == RESULT
    assert not spool.folder.exists()


def test_a_folder_without_an_order_was_never_journalled(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    execution_id = new_id()
    folder = kept.spool(execution_id).folder
    folder.mkdir()
    (folder / f"{record.ACCEPTED}.draft").write_bytes(b"half an or")
    assert kept.held() == []
    assert not folder.exists()


def test_what_the_manager_does_not_know_is_kept_until_its_age_limit(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    old, young, running = new_id(), new_id(), new_id()
    for execution_id in (old, young):
        kept.spool(execution_id).end(dict(RESULT))
    kept.spool(running).accept({"command": "sleep"})
    for execution_id in (old, young, running):
        kept.spool(execution_id).note(UNKNOWN)
    age(kept.spool(old).folder / UNKNOWN, KEEP + DAY)
    age(kept.spool(running).folder / UNKNOWN, KEEP + DAY)
    assert set(kept.held()) == {young, running}


def test_being_told_again_that_it_is_unknown_makes_nothing_younger(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    spool = kept.spool(new_id())
    spool.end(dict(RESULT))
    spool.note(UNKNOWN)
    age(spool.folder / UNKNOWN, KEEP + DAY)
    spool.note(UNKNOWN)
    assert kept.held() == []


def test_an_order_that_finds_no_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Journal(tmp_path)
    spool = kept.spool(new_id())

    def full(descriptor: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record, "write_all", full)
    with pytest.raises(OSError, match="No space left"):
        spool.accept({"command": "true"})
    assert not spool.folder.exists()


def test_a_record_that_was_cut_short_keeps_its_whole_entries() -> None:
    data = record.encode({"one": 1, "text": "a=b\nc", "last": "cut"})
    assert record.decode(data) == {"one": "1", "text": "a=b\nc", "last": "cut"}
    assert record.decode(data[:-2]) == {"one": "1", "text": "a=b\nc"}
    assert record.decode(b"") == {}
