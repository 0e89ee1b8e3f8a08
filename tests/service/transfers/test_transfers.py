"""What copies and fetches did, and how far they are: stored with their results, shown in lists."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support import file_sets
from tests.support.file_sets import make_set
from tests.support.managers.manager_parts import Parts, result
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.hosts.file_transfer import FileRequest, TransferProgress
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.copy_and_fetch import (
    CopySpec,
    FetchSpec,
    FileSet,
    FileSetPart,
    Transfer,
)
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.service.transfers.transfer_orders import BrokenRuleError, NotUnderWayError
from tui_manager.storage.tables.files import file_sets as file_sets_table

MADE = make_set({b"app.conf": b"listen 80\n" * 1000, b"keys/a": b"k"})
COPY = CommandSpec("", copy=CopySpec(MADE.files, "/etc/app/"))
FETCH = CommandSpec("", fetch=FetchSpec(("/var/log/app.log",)))
FEATURES = ("files",)
DID = Transfer(10_001, 2, 1, 10_000, "c" * 64)


async def running(
    parts: Parts, command: CommandSpec, name: str = "web01"
) -> tuple[str, int, str, int]:
    """(host_id, generation, execution_id, task_id) of a step that has started on a new host."""
    await file_sets.store(parts.files, MADE)
    host = await parts.connect(name, features=FEATURES)
    task_id = await parts.started(name, command)
    (_, run) = parts.dispatcher.sent[-1]
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    return host.host_id, host.generation, run.execution_id, task_id


async def shown(parts: Parts, task_id: int, text: str = "") -> CommandHost:
    (row,) = (await parts.tasks.list_command_hosts(task_id, Window(text=text))).rows
    return row


@pytest.mark.parametrize("text", ["", "web01"])
async def test_what_a_copy_did_is_stored_with_its_result(parts: Parts, text: str) -> None:
    host_id, _, execution_id, task_id = await running(parts, COPY)
    assert (await shown(parts, task_id, text)).transfer is None
    ended = result(execution_id, transfer=DID)
    await parts.report(host_id, ended)
    assert (await shown(parts, task_id, text)).transfer == DID
    await parts.report(host_id, ended)  # a repeat
    assert (await shown(parts, task_id, text)).transfer == DID
    await parts.report(host_id, replace(ended, exit_code=3, transfer=replace(DID, files=9)))
    assert (await shown(parts, task_id, text)).transfer == DID


async def test_what_a_fetch_brought_is_shown_with_its_sizes(parts: Parts) -> None:
    host_id, _, execution_id, task_id = await running(parts, FETCH)
    named = FileSet(MADE.files.sha256, 0, 0, 2, 10_001)
    await parts.report(host_id, result(execution_id, transfer=replace(DID, stored=named)))
    row = await shown(parts, task_id)
    assert row.transfer == replace(DID, stored=MADE.files)


@pytest.mark.parametrize(
    ("sha256", "files", "size"),
    [("b" * 64, 2, 10_001), (MADE.files.sha256, 3, 10_001), (MADE.files.sha256, 2, 9)],
)
async def test_a_fetch_has_not_brought_what_its_host_says_only(
    parts: Parts, caplog: pytest.LogCaptureFixture, sha256: str, files: int, size: int
) -> None:
    host_id, _, execution_id, task_id = await running(parts, FETCH)
    did = replace(DID, files=files, bytes=size)
    said = replace(did, stored=FileSet(sha256, 0, 0, files, size))
    await parts.report(host_id, result(execution_id, transfer=said))
    if sha256 != MADE.files.sha256:  # it comes from elsewhere later
        other = replace(MADE.files, sha256=sha256)
        await parts.core.database.write(
            lambda tx: file_sets_table.insert(tx, other, parts.core.clock.stamp(), None)
        )
    row = await shown(parts, task_id)
    assert (row.status, row.transfer) == (CommandHostStatus.COMPLETED, did)
    (warned,) = [one for one in caplog.records if "does not have" in one.message]
    assert (vars(warned)["host"], vars(warned)["execution"]) == ("web01", execution_id)


async def test_a_set_that_was_removed_is_not_shown(parts: Parts) -> None:
    host_id, _, execution_id, task_id = await running(parts, FETCH)
    named = FileSet("b" * 64, 0, 0, 2, 10_001)
    await parts.report(host_id, result(execution_id, transfer=replace(DID, stored=named)))
    assert (await shown(parts, task_id)).transfer == DID


async def test_an_agent_cannot_say_that_a_copy_has_brought_files(parts: Parts) -> None:
    host_id, _, execution_id, task_id = await running(parts, COPY)
    await parts.report(host_id, result(execution_id, transfer=replace(DID, stored=MADE.files)))
    assert (await shown(parts, task_id)).transfer == DID


async def test_a_command_has_no_transfer_whatever_its_agent_says(parts: Parts) -> None:
    host_id, _, execution_id, task_id = await running(parts, CommandSpec("true"))
    await parts.report(host_id, result(execution_id, transfer=DID))
    row = await shown(parts, task_id)
    assert (row.status, row.transfer) == (CommandHostStatus.COMPLETED, None)


async def test_a_late_result_says_what_the_copy_did(parts: Parts) -> None:
    host_id, _, execution_id, task_id = await running(parts, COPY)
    session = parts.directory.get(host_id)
    assert session
    assert session.session
    await parts.hosts.close_session(host_id, session.session.generation, "broken by the test")
    parts.clock.turn(parts.limits.lost_after.total_seconds() + 1)
    await parts.silence.run_once()
    assert (await shown(parts, task_id)).reason is Reason.AGENT_LOST
    await parts.connect("web01", features=FEATURES, host_id=host_id)
    await parts.report(host_id, result(execution_id, transfer=DID))
    row = await shown(parts, task_id)
    assert (row.status, row.late, row.transfer) == (CommandHostStatus.COMPLETED, True, DID)


async def test_progress_is_shown_while_a_copy_runs(parts: Parts) -> None:
    host_id, generation, execution_id, task_id = await running(parts, COPY)
    watcher = parts.feed.subscribe()
    watcher.take()
    said = [TransferProgress(execution_id, 500, 1)]
    await parts.transfers.progress.record(host_id, generation, said)
    for text in ("", "web01"):
        assert (await shown(parts, task_id, text)).transfer == Transfer(500, 1)
    await watcher.changed.wait()
    assert watcher.take().touches(task_id)
    await parts.report(host_id, result(execution_id, transfer=DID))
    assert (await shown(parts, task_id)).transfer == DID
    await parts.transfers.progress.record(host_id, generation, said)  # it has come late
    entry = parts.directory.get(host_id)
    assert entry
    assert entry.transfers == {}


async def test_progress_of_what_does_not_run_is_left_out(parts: Parts) -> None:
    host_id, generation, execution_id, task_id = await running(parts, CommandSpec("sleep 9"))
    for one in (execution_id, "unknown"):
        await parts.transfers.progress.record(host_id, generation, [TransferProgress(one, 5, 1)])
    await parts.transfers.progress.record(
        host_id, generation + 1, [TransferProgress(execution_id, 5, 1)]
    )
    assert (await shown(parts, task_id)).transfer is None


async def test_a_fetch_that_runs_shows_what_it_has_found(parts: Parts) -> None:
    host_id, generation, execution_id, task_id = await running(parts, FETCH)
    progress = parts.transfers.progress
    await progress.record(host_id, generation, [TransferProgress(execution_id, 7, 0)])
    progress.record_found(host_id, generation, execution_id, task_id, MADE.files)
    assert (await shown(parts, task_id)).transfer == Transfer(7, 0, stored=MADE.files)
    await progress.record(host_id, generation, [TransferProgress(execution_id, 9, 1)])
    assert (await shown(parts, task_id)).transfer == Transfer(9, 1, stored=MADE.files)


def data(execution_id: str) -> FileRequest:
    return FileRequest(execution_id, FileSetPart.DATA, 0, 1)


async def test_only_its_own_host_may_ask_for_the_files_of_a_copy(parts: Parts) -> None:
    host_id, _, execution_id, _ = await running(parts, COPY)
    other = await parts.connect("web02", features=FEATURES)
    orders = parts.transfers.orders
    assert await orders.begin_copy(host_id, data(execution_id)) == MADE.files
    with pytest.raises(BrokenRuleError, match="another host's"):
        await orders.begin_copy(other.host_id, data(execution_id))


async def test_files_are_sent_from_the_moment_in_which_the_copy_is_sent(parts: Parts) -> None:
    await file_sets.store(parts.files, MADE)
    host = await parts.connect("web01", features=FEATURES)
    await parts.started("web01", COPY)
    ((_, run),) = parts.dispatcher.sent
    assert await parts.transfers.orders.begin_copy(host.host_id, data(run.execution_id))


@pytest.mark.parametrize("how", ["canceled", "ended", "unknown", "command"])
async def test_what_is_not_under_way_gets_a_sentence(parts: Parts, how: str) -> None:
    command = CommandSpec("true") if how == "command" else COPY
    host_id, _, execution_id, task_id = await running(parts, command)
    if how == "canceled":
        await parts.tasks.cancel_task(task_id)
    elif how == "ended":
        await parts.report(host_id, result(execution_id))
    elif how == "unknown":
        execution_id = "00000000-0000-4000-8000-00000000dead"
    with pytest.raises(NotUnderWayError, match=execution_id):
        await parts.transfers.orders.begin_copy(host_id, data(execution_id))


async def test_a_fetch_may_not_ask_for_files(parts: Parts) -> None:
    host_id, _, execution_id, _ = await running(parts, FETCH)
    with pytest.raises(BrokenRuleError, match="which gives none"):
        await parts.transfers.orders.begin_copy(host_id, data(execution_id))


async def test_an_old_agent_is_not_sent_a_copy(parts: Parts) -> None:
    await file_sets.store(parts.files, MADE)
    await parts.connect("old")
    task_id = await parts.started("old", COPY)
    row = await shown(parts, task_id)
    assert (row.status, row.reason) == (CommandHostStatus.FAILED, Reason.REJECTED)
    assert "cannot copy or fetch files" in row.detail
