"""Copies and fetches on the agent's disk: as orders, while they run, and as results."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.journal.order_and_result import Order, Result
from tui_manager_agent.journal.transfer_records import (
    CopyOrder,
    FetchOrder,
    FileSet,
    TransferOrder,
    Transferred,
)
from tui_manager_agent.policy.file_rules import FileAccess, TransferRequest
from tui_manager_agent.supervisor import clock, record

from tests.agent.orders import order

FILES = FileSet(sha256=bytes(range(32)), manifest_size=70, size=5, files=1, bytes=5)
COPY = CopyOrder(FILES, "/srv/a=b\n", mode=0, owner="root:adm", backup=True)
FETCH = FetchOrder(("/var/log/a b", "/x=\ny"), recursive=True)
DONE = Transferred(
    bytes=1 << 40,
    files=3,
    unchanged_files=1,
    received_bytes=7,
    sha256=bytes(32),
    manifest_sha256=bytes(range(32)),
)
TRANSFERS = (COPY, CopyOrder(FILES, "/srv/"), FETCH, FetchOrder(("/a",)))


def transfer(of: TransferOrder = COPY) -> Order:
    return replace(order(command=""), transfer=of)


@pytest.fixture
def folder(tmp_path: Path) -> ExecutionFolder:
    return ExecutionFolder(tmp_path / "execution")


@pytest.mark.parametrize("of", TRANSFERS)
def test_an_order_is_read_as_it_was_written(folder: ExecutionFolder, of: TransferOrder) -> None:
    folder.accept(transfer(of))
    assert folder.order() == transfer(of)
    assert folder.has_whole_order()
    folder.mark_starting()
    assert folder.order() is None
    assert folder.transfer_order() == transfer(of)


@pytest.mark.parametrize("of", TRANSFERS)
def test_an_older_agent_cannot_read_it_as_a_command(of: TransferOrder) -> None:
    """It looks for one of these, and ends an order that has none."""
    entries = record.decode(transfer(of).encode())
    assert not entries.keys() & {"command", "command_with_stdin", "script_size"}


def test_a_command_is_no_transfer(folder: ExecutionFolder) -> None:
    folder.accept(order())
    folder.mark_starting()
    assert folder.transfer_order() is None
    assert not folder.has(record.TRANSFER)


def test_what_a_policy_judges() -> None:
    timeout = transfer().timeout
    write = TransferRequest(access=FileAccess.WRITE, timeout=timeout, owner="root:adm", mode=0)
    assert transfer(COPY).request == write
    assert transfer(FETCH).request == TransferRequest(access=FileAccess.READ, timeout=timeout)


def test_its_beginning_is_kept_while_the_host_is_up(folder: ExecutionFolder) -> None:
    folder.accept(transfer())
    folder.mark_starting()
    before = clock.now()
    began = folder.begin_transfer("this boot")
    assert before <= began <= clock.now()
    assert folder.begin_transfer("this boot") == began
    assert folder.begin_transfer("another boot") > began


def test_a_result_is_read_as_it_was_written() -> None:
    result = Result(status="completed", detail="one was left out", transfer=DONE)
    assert Result.decode(record.decode(result.encode())) == replace(
        result, transfer=replace(DONE, detail="")
    )
    assert Result.decode(record.decode(Result(status="failed").encode())).transfer is None


def test_an_older_agent_knows_the_reason_of_each_result() -> None:
    """It ends when it is to report one that it does not know."""
    result = Result(status="failed", reason="transfer_failed", detail="no room")
    entries = record.decode(result.encode())
    assert entries["reason"] == "interrupted"
    assert Result.decode(entries) == result


def test_its_result_leaves_nothing_else(folder: ExecutionFolder) -> None:
    folder.accept(transfer())
    folder.mark_starting()
    folder.begin_transfer("this boot")
    folder.write_content("manifest", b"much")
    folder.set_mark(record.CANCEL)
    folder.write_result(Result(status="completed", transfer=DONE))
    assert os.listdir(folder.folder) == [record.RESULT]
    assert folder.result() == Result(status="completed", transfer=DONE)


def test_a_result_has_its_room_from_the_beginning(folder: ExecutionFolder) -> None:
    folder.accept(transfer())
    folder.mark_starting()
    folder.begin_transfer("this boot")
    draft = folder.folder / f"{record.RESULT}.draft"
    assert draft.stat().st_size == record.RESERVE


def test_without_its_result_it_never_goes_on(
    folder: ExecutionFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.accept(transfer())
    folder.mark_starting()
    folder.begin_transfer("this boot")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "write", fail)
    with pytest.raises(OSError, match="No space"):
        folder.write_result(Result(status="canceled"))
    with pytest.raises(ValueError, match="entry"):
        folder.transfer_order()
