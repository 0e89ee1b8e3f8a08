"""The journal on disk: what it holds, what it remembers, what it forgets."""

import errno
import os
import shutil
import time
import uuid
from pathlib import Path

import pytest
from tui_manager_agent.journal import acknowledged
from tui_manager_agent.journal.acknowledged import KEEP, Acknowledged
from tui_manager_agent.journal.execution_folder import UNKNOWN
from tui_manager_agent.journal.journal import Journal
from tui_manager_agent.journal.order_and_result import Result
from tui_manager_agent.supervisor import claim, record

from tests.agent.faults import broken, full, too_many_files
from tests.agent.orders import order

RESULT = Result(status="failed", reason="exit_code", detail="a line\nand = another")
ENTRIES = record.decode(RESULT.encode())
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
        before.spool(execution_id).accept(order())
        before.compact({execution_id: RESULT})
    before.close()
    after = Journal(tmp_path)
    assert after.acknowledged(first) == RESULT
    assert after.acknowledged(second) == RESULT
    assert after.acknowledged(new_id()) is None
    assert after.held_ids() == []


def test_a_folder_that_an_acknowledgement_left_behind_is_cleared(tmp_path: Path) -> None:
    execution_id = new_id()
    before = Journal(tmp_path)
    before.compact({execution_id: RESULT})
    before.spool(execution_id).write_result(RESULT)
    before.close()
    after = Journal(tmp_path)
    assert after.held_ids() == []
    assert not after.spool(execution_id).folder.exists()


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    whole, torn, later = new_id(), new_id(), new_id()
    before = Journal(tmp_path)
    before.compact({whole: RESULT})
    before.compact({torn: RESULT})
    before.close()
    log = tmp_path / "acknowledged"
    log.write_bytes(log.read_bytes()[:-3])
    after = Journal(tmp_path)
    after.compact({later: RESULT})
    assert after.acknowledged(whole) == RESULT
    assert after.acknowledged(later) == RESULT
    assert after.acknowledged(torn) is None


def test_a_known_execution_whose_line_is_unreadable_is_still_known(tmp_path: Path) -> None:
    execution_id = new_id()
    kept = Journal(tmp_path)
    kept.compact({execution_id: RESULT})
    (tmp_path / "acknowledged").write_bytes(b"\xff\n")
    with pytest.raises(UnicodeDecodeError):
        kept.acknowledged(execution_id)


def test_what_was_acknowledged_is_known_where_no_file_can_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution_id = new_id()
    kept = Journal(tmp_path)
    kept.compact({execution_id: RESULT})
    monkeypatch.setattr(Path, "open", too_many_files)
    monkeypatch.setattr(os, "open", too_many_files)
    assert kept.acknowledged(execution_id) == RESULT


def test_a_line_that_the_disk_keeps_holds_up_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Journal(tmp_path)
    known, new = new_id(), new_id()
    kept.compact({known: RESULT})
    with monkeypatch.context() as disk:
        disk.setattr(Acknowledged, "_line_at", broken)
        kept.compact({known: RESULT, new: RESULT})
    assert kept.acknowledged(new) == RESULT


def test_ids_are_kept_30_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, young = new_id(), new_id()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - KEEP - DAY)
    before = Journal(tmp_path)
    before.compact({old: RESULT})
    monkeypatch.setattr(time, "time", lambda: now - KEEP + DAY)
    before.compact({young: RESULT})
    before.close()
    monkeypatch.undo()
    after = Journal(tmp_path)
    assert after.acknowledged(old) is None
    assert after.acknowledged(young) == RESULT


def fill(log: Path, count: int) -> list[str]:
    """A log of so many ids, the oldest first."""
    ids = [new_id() for _ in range(count)]
    log.write_text("".join(f"{word} {time.time():.0f} c3RhdHVzPWZhaWxlZAA=\n" for word in ids))
    return ids


def test_more_ids_are_kept_than_30_days_bring(tmp_path: Path) -> None:
    ids = fill(tmp_path / "acknowledged", 100_000)
    kept = Journal(tmp_path)
    kept.compact({new_id(): RESULT})
    kept.close()
    after = Journal(tmp_path)
    found = [after.acknowledged(word) for word in (*ids[:3], *ids[-3:])]
    assert found == [Result(status="failed")] * 6


@pytest.mark.parametrize(
    ("bound", "most", "size"), [("KEEP_AT_MOST", 40, 8000), ("FILE_AT_MOST", 4000, 4200)]
)
def test_ids_and_their_file_are_bounded_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, size: int
) -> None:
    monkeypatch.setattr(acknowledged, bound, most)
    log = tmp_path / "acknowledged"
    kept = Acknowledged(log)
    ids = [new_id() for _ in range(200)]
    for execution_id in ids:
        kept.append({execution_id: RESULT})
        assert len(kept) <= 50
        assert log.stat().st_size <= size
        assert kept.find(execution_id) == RESULT
    known = [execution_id for execution_id in ids if kept.find(execution_id)]
    assert known == ids[-len(known) :]
    assert len(known) >= 20


def test_a_full_disk_shortens_the_log_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "KEEP_AT_MOST", 8)
    ids = fill(tmp_path / "acknowledged", 12)
    kept = Acknowledged(tmp_path / "acknowledged")
    with monkeypatch.context() as disk:
        disk.setattr(shutil, "copyfileobj", full)
        kept.append({new_id(): RESULT})
    assert ids[0] in kept
    kept.append({new_id(): RESULT})
    assert ids[0] not in kept
    assert ids[-1] in kept


def test_ids_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    one = new_id()
    other, unknown = f"{one[:-1]}x", f"{one[:-1]}y"
    kept = Acknowledged(tmp_path / "acknowledged")
    for execution_id in (one, other):
        kept.append({execution_id: Result(status=execution_id)})
    assert [kept.find(word) for word in (one, other)] == [
        Result(status=one),
        Result(status=other),
    ]
    assert unknown not in kept


def test_a_file_that_is_no_execution_is_not_taken_for_a_known_one(tmp_path: Path) -> None:
    assert "lost+found" not in Acknowledged(tmp_path / "acknowledged")


def test_a_full_disk_gives_up_output_rather_than_the_memory_of_an_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution_id = new_id()
    kept = Journal(tmp_path)
    spool = kept.spool(execution_id)
    spool.write_result(RESULT)
    output = spool.folder / record.STDOUT
    output.write_bytes(b"much")
    write_all = record.write_all

    def full(descriptor: int, data: bytes) -> None:
        if output.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        write_all(descriptor, data)

    monkeypatch.setattr(record, "write_all", full)
    kept.compact({execution_id: RESULT})
    assert kept.acknowledged(execution_id) == RESULT
    assert not spool.folder.exists()


def test_a_folder_without_an_order_was_never_journalled(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    execution_id = new_id()
    folder = kept.spool(execution_id).folder
    kept.spool(execution_id).accept(order())
    accepted = folder / record.ACCEPTED
    accepted.write_bytes(accepted.read_bytes().rstrip(b"\0")[:-1])
    assert kept.held_ids() == []
    assert not folder.exists()


def test_what_the_manager_does_not_know_is_kept_until_its_age_limit(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    old, young, running = new_id(), new_id(), new_id()
    for execution_id in (old, young):
        kept.spool(execution_id).write_result(RESULT)
    kept.spool(running).accept(order())
    for execution_id in (old, young, running):
        kept.spool(execution_id).set_mark(UNKNOWN)
    age(kept.spool(old).folder / UNKNOWN, KEEP + DAY)
    age(kept.spool(running).folder / UNKNOWN, KEEP + DAY)
    assert set(kept.held_ids()) == {young, running}


def test_being_told_again_that_it_is_unknown_makes_nothing_younger(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    spool = kept.spool(new_id())
    spool.write_result(RESULT)
    spool.set_mark(UNKNOWN)
    age(spool.folder / UNKNOWN, KEEP + DAY)
    spool.set_mark(UNKNOWN)
    assert kept.held_ids() == []


def test_an_order_that_finds_no_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Journal(tmp_path)
    spool = kept.spool(new_id())
    monkeypatch.setattr(record, "write_all", full)
    with pytest.raises(OSError, match="No space left"):
        spool.accept(order())
    assert not spool.folder.exists()


@pytest.mark.parametrize("name", [record.STARTING, record.CLAIM])
def test_a_result_that_a_crash_left_without_its_name_is_found(tmp_path: Path, name: str) -> None:
    spool = Journal(tmp_path).spool(new_id())
    spool.accept(order(**{"env:PASSWORD": "hunter2"}))
    spool.mark_starting()
    taken = claim.take(str(spool.folder))
    assert taken is not None
    taken.end(**ENTRIES)
    (spool.folder / record.RESULT).rename(spool.folder / name)
    assert spool.result() is None
    if name == record.STARTING:
        assert spool.prevent_start()
    spool.recover_result()
    assert spool.result() == RESULT


def test_a_result_that_an_agent_has_given_its_name_meanwhile_is_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Journal(tmp_path).spool(new_id())
    spool.accept(order())
    spool.mark_starting()
    taken = claim.take(str(spool.folder))
    assert taken is not None
    monkeypatch.setattr(os, "fsync", lambda _descriptor: spool.recover_result())
    taken.end(**ENTRIES)
    assert spool.result() == RESULT
    (spool.folder / record.RESULT).unlink()
    with pytest.raises(FileNotFoundError):
        taken.end(**ENTRIES)


def test_a_result_that_a_crash_cut_short_is_none(tmp_path: Path) -> None:
    spool = Journal(tmp_path).spool(new_id())
    spool.accept(order())
    spool.mark_starting()
    taken = claim.take(str(spool.folder))
    assert taken is not None
    taken.end(**ENTRIES)
    data = (spool.folder / record.RESULT).read_bytes()
    (spool.folder / record.RESULT).unlink()
    (spool.folder / record.CLAIM).write_bytes(data.replace(b"exit_code", bytes(9)))
    spool.recover_result()
    assert spool.result() is None


@pytest.mark.parametrize("owner", [b"", b"pid=4194304\0folder=/x\0"])
def test_a_claim_that_is_still_the_order_keeps_no_secrets(tmp_path: Path, owner: bytes) -> None:
    """The agent died while it barred it, or the host before all of it was written over."""
    spool = Journal(tmp_path).spool(new_id())
    spool.accept(order(**{"env:PASSWORD": "hunter2" * 2000}))
    spool.mark_starting()
    claimed = (spool.folder / record.STARTING).rename(spool.folder / record.CLAIM)
    with claimed.open("r+b") as file:
        file.write(owner.ljust(4096, b"\0") if owner else b"")
    assert spool.supervisor_pid() == 0
    spool.recover_result()
    spool.write_result(RESULT)
    assert [p.name for p in spool.folder.iterdir() if b"hunter2" in p.read_bytes()] == []
    assert claimed.read_bytes() == owner
    assert spool.result() == RESULT


def test_a_claim_holds_no_secrets_and_is_as_large_as_the_order(tmp_path: Path) -> None:
    spool = Journal(tmp_path).spool(new_id())
    spool.accept(order(**{"env:PASSWORD": "hunter2" * 2000}))
    size = (spool.folder / record.ACCEPTED).stat().st_size
    spool.mark_starting()
    taken = claim.take(str(spool.folder))
    assert taken is not None
    assert taken.order["env:PASSWORD"] == "hunter2" * 2000
    data = (spool.folder / record.CLAIM).read_bytes()
    assert b"hunter2" not in data
    assert len(data) == size


def test_a_sealed_record_is_whole_or_nothing() -> None:
    fields = {"one": "1", "text": "a=b"}
    data = record.seal(record.encode(fields))
    assert record.decode_sealed(data) == record.decode_sealed(record.pad(data)) == fields
    assert record.decode(data) == fields
    assert record.decode_sealed(record.encode(fields)) == {}
    for length in range(len(data) - 1):
        assert record.decode_sealed(data[:length]) == {}


def test_a_record_that_was_cut_short_keeps_its_whole_entries() -> None:
    data = record.encode({"one": 1, "text": "a=b\nc", "last": "cut"})
    assert record.decode(data) == {"one": "1", "text": "a=b\nc", "last": "cut"}
    assert record.decode(data[:-2]) == {"one": "1", "text": "a=b\nc"}
    assert record.decode(b"") == {}
