"""The messages of several transfers on one stream."""

from pathlib import Path

import pytest
from tui_manager_agent.executions.execution import Execution
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.executions.transfers.file_messages import REQUESTS, FileMessages
from tui_manager_agent.files.copy.piece_requests import PieceRequests
from tui_manager_agent.files.fetch.fetch_answers import FetchAnswers
from tui_manager_agent.files.transfer_work import StopSignal
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.journal.transfer_records import FileSet
from tui_manager_protos.rules.files.transfer_window import FIRST, LARGEST
from tui_manager_protos.v1 import agent_pb2 as wire

FOUND = FileSet(sha256=bytes(32), manifest_size=10, size=1 << 30, files=1, bytes=1 << 30)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def messages(outbox: Outbox) -> FileMessages:
    return outbox.files


def execution(name: str) -> Execution:
    return Execution(name, ExecutionFolder(Path("/nonexistent") / name), "boot")


def add_copy(
    messages: FileMessages, name: str, files: int = 100
) -> tuple[Execution, PieceRequests]:
    """A copy that wants that many files of 10 bytes, none beside another."""
    pull = PieceRequests(lambda: messages.set_ready(name), StopSignal())
    added = execution(name)
    messages.add(added, pull)
    for number in range(files):
        pull.want(20 * number, 10)
    return added, pull


def add_fetch(messages: FileMessages, name: str) -> FetchAnswers:
    answers = FetchAnswers(lambda: messages.set_ready(name), StopSignal())
    messages.add(execution(name), answers)
    answers.offer(FOUND)
    return answers


def all_of(messages: FileMessages) -> list[wire.AgentMessage]:
    sent = []
    while message := messages.next_message():
        sent.append(message)
    return sent


async def answer(messages: FileMessages, request: wire.FileRequest) -> None:
    await messages.on_part(
        wire.FilePart(
            execution_id=request.execution_id,
            part=request.part,
            offset=request.offset,
            zeros=request.length,
        )
    )


def test_transfers_take_turns(messages: FileMessages) -> None:
    add_copy(messages, "a", 2)
    add_copy(messages, "b", 2)
    asked = [message.file_request.execution_id for message in all_of(messages)]
    assert asked == ["a", "b", "a", "b"]


async def test_no_more_is_asked_for_than_a_manager_takes(messages: FileMessages) -> None:
    names = [f"copy{number}" for number in range(20)]
    for name in names:
        add_copy(messages, name)
    asked = [message.file_request for message in all_of(messages)]
    assert len(asked) == REQUESTS
    await answer(messages, asked[0])
    more = [message.file_request for message in all_of(messages)]
    assert len(more) == 1
    # In the end all are answered, also those that found no room at first.
    pending = [*asked[1:], *more]
    answered = 1
    while pending:
        await answer(messages, pending.pop(0))
        answered += 1
        pending += [message.file_request for message in all_of(messages)]
        assert len(pending) <= REQUESTS
    assert answered == 100 * len(names)


async def test_a_copy_that_ends_makes_room_once_it_is_answered(messages: FileMessages) -> None:
    copies = [add_copy(messages, f"copy{number}")[0] for number in range(20)]
    asked = [message.file_request for message in all_of(messages)]
    messages.remove(copies[0])
    assert all_of(messages) == []
    left = [request for request in asked if request.execution_id == "copy0"]
    for request in left:
        await answer(messages, request)
        assert len(all_of(messages)) == 1
    await answer(messages, left[-1])  # which nobody has asked for
    assert all_of(messages) == []


async def test_a_problem_answers_all_that_an_ended_copy_has_asked(messages: FileMessages) -> None:
    copies = [add_copy(messages, f"copy{number}")[0] for number in range(20)]
    asked = [message.file_request.execution_id for message in all_of(messages)]
    messages.remove(copies[0])
    await messages.on_part(wire.FilePart(execution_id="copy0", problem="It has ended."))
    assert len(all_of(messages)) == asked.count("copy0")


def test_what_ended_copies_were_never_answered_does_not_count_for_ever(outbox: Outbox) -> None:
    """A manager that has the result of a copy drops what it has not sent yet."""
    for number in range(REQUESTS):
        ended, _ = add_copy(outbox.files, f"copy{number}")
        assert all_of(outbox.files)
        outbox.files.remove(ended)
        outbox.remove(ended)
    add_copy(outbox.files, "last")
    assert all_of(outbox.files)


async def test_a_work_that_runs_again_is_not_given_what_the_one_before_has_asked(
    messages: FileMessages,
) -> None:
    copy, before = add_copy(messages, "a", 1)
    (first,) = all_of(messages)
    messages.remove(copy)
    pull = PieceRequests(lambda: None, StopSignal())
    pull.want(100, 10)
    messages.add(copy, pull)
    (second,) = all_of(messages)
    await answer(messages, first.file_request)
    assert before.unanswered == 0
    assert pull.unanswered == 1
    await answer(messages, second.file_request)
    assert pull.read() == 10


def test_all_copies_share_a_window(messages: FileMessages) -> None:
    copies = []
    for number in range(20):
        copy, pull = add_copy(messages, f"copy{number}", 0)
        copies.append(copy)
        pull.want(0, LARGEST)
    asked = [message.file_request.length for message in all_of(messages)]
    assert LARGEST * 3 // 4 < sum(asked) <= LARGEST
    for copy in copies[1:]:
        messages.remove(copy)
    messages.begin_session()
    messages.set_ready("copy0")
    alone = [message.file_request.length for message in all_of(messages)]
    assert FIRST * 3 // 4 < sum(alone) <= FIRST


def test_nothing_is_sent_of_what_the_manager_does_not_know(messages: FileMessages) -> None:
    unknown, _ = add_copy(messages, "a", 1)
    unknown.begin_session()
    messages.begin_session()
    assert all_of(messages) == []
    unknown.resume(())
    messages.set_ready("a")
    assert len(all_of(messages)) == 1


def test_a_fetch_offers_again_on_a_new_stream(messages: FileMessages) -> None:
    add_fetch(messages, "a")
    (first,) = all_of(messages)
    assert first.files_found.files.size == 1 << 30
    messages.begin_session()
    messages.set_ready("a")
    assert all_of(messages) == [first]


async def test_too_many_requests_are_refused_and_bounded(messages: FileMessages) -> None:
    add_fetch(messages, "a")
    all_of(messages)
    part = wire.FILE_SET_PART_DATA
    for number in range(10 * REQUESTS):
        await messages.on_request(
            wire.FileRequest(execution_id="a", part=part, offset=number, length=1)
        )
    refused = [message.file_part for message in all_of(messages)]
    assert len(refused) == REQUESTS
    assert all("no more at once" in part.problem for part in refused)


async def test_what_was_refused_is_not_said_on_a_new_stream(messages: FileMessages) -> None:
    await messages.on_request(wire.FileRequest(execution_id="none", length=1))
    messages.begin_session()
    assert all_of(messages) == []


async def test_files_wait_for_reports(outbox: Outbox) -> None:
    """A stream sends a report, then one message about files; so a wait ends as long as there is
    one left."""
    added, _ = add_copy(outbox.files, "a", 2)
    added.begin_transfer(1)
    outbox.add(added)
    await outbox.wait()
    assert outbox.report().started
    assert outbox.file_message()
    await outbox.wait()
    assert not outbox.report().ByteSize()
    assert outbox.file_message()
    await outbox.wait()
    assert outbox.file_message() is None
