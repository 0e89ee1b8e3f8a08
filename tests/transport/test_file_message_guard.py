"""What agents may say about files: lengths, offsets, hashes, and only what was asked for."""

from typing import Any

import pytest
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH, REQUEST_LENGTH
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import hello
from tests.support.managers.manager_parts import TurnedClock
from tui_manager.domain.hosts.file_transfer import FileRequest
from tui_manager.domain.task_spec.copy_and_fetch import FileSetPart
from tui_manager.service.limits import Limits
from tui_manager.transport.messages import message_rates
from tui_manager.transport.messages.message_guard import MessageGuard, ViolationError

MANIFEST, DATA = pb.FILE_SET_PART_MANIFEST, pb.FILE_SET_PART_DATA
HASH = b"h" * 32
FOUND: dict[str, Any] = {"sha256": HASH, "manifest_size": 10, "size": 5, "files": 1, "bytes": 5}


@pytest.fixture
def guard() -> MessageGuard:
    clock = TurnedClock()
    made = MessageGuard(Limits(), lambda: clock.seconds)
    made.check(pb.AgentMessage(hello=hello("web01")))
    return made


def request(**given: Any) -> pb.AgentMessage:
    values: dict[str, Any] = {"execution_id": "e", "part": DATA, "offset": 0, "length": 1}
    values |= given
    return pb.AgentMessage(file_request=pb.FileRequest(**values))


def found(execution_id: str = "e", **given: Any) -> pb.AgentMessage:
    files = pb.FileSet(**FOUND | given)
    return pb.AgentMessage(files_found=pb.FilesFound(execution_id=execution_id, files=files))


def test_requests_and_found_files_pass(guard: MessageGuard) -> None:
    for message in (request(), request(length=REQUEST_LENGTH, offset=1 << 60, part=MANIFEST)):
        assert guard.check(message) == "file_request"
    assert guard.check(found()) == "files_found"
    assert guard.check(found(size=0, bytes=0)) == "files_found"
    part = pb.FilePart(execution_id="e", part=DATA, data=b"x")
    assert guard.check(pb.AgentMessage(file_part=part)) == "file_part"


@pytest.mark.parametrize(
    "message",
    [
        request(execution_id=""),
        request(execution_id="a\x1b[2J"),
        request(part=0),
        request(part=7),
        request(length=0),
        request(length=REQUEST_LENGTH + 1),
        request(offset=(1 << 60) + 1),
        found(execution_id="x" * 129),
        found(sha256=b"h" * 31),
        found(sha256=b""),
        found(manifest_size=0),
        found(manifest_size=(1 << 30) + 1),
        found(size=6),
        found(size=(1 << 60) + 1, bytes=(1 << 60) + 1),
        found(bytes=(1 << 60) + 1),
        pb.AgentMessage(report=pb.Report(transfers=[pb.TransferProgress(execution_id="x" * 129)])),
        pb.AgentMessage(
            report=pb.Report(
                results=[
                    pb.Result(
                        execution_id="e",
                        status=pb.RESULT_STATUS_COMPLETED,
                        transfer=pb.Transfer(sha256=b"short"),
                    )
                ]
            )
        ),
    ],
)
def test_what_no_agent_says(guard: MessageGuard, message: pb.AgentMessage) -> None:
    with pytest.raises(ViolationError):
        guard.check(message)


@pytest.mark.parametrize("message", [request(), found()])
def test_files_come_after_hello(message: pb.AgentMessage) -> None:
    with pytest.raises(ViolationError, match="first message"):
        MessageGuard(Limits(), lambda: 0.0).check(message)


def test_messages_about_files_have_a_rate(guard: MessageGuard) -> None:
    message = request()
    for _ in range(int(message_rates.WORK.burst)):
        guard.check(message)
    with pytest.raises(ViolationError, match="about files"):
        guard.check(message)


def asked(offset: int, length: int, part: FileSetPart = FileSetPart.DATA) -> FileRequest:
    return FileRequest("e", part, offset, length)


def part(offset: int, data: bytes = b"", **given: Any) -> pb.FilePart:
    values: dict[str, Any] = {"execution_id": "e", "part": DATA, "offset": offset, "data": data}
    values |= given
    return pb.FilePart(**values)


def zeros(offset: int, count: int) -> pb.FilePart:
    return pb.FilePart(execution_id="e", part=DATA, offset=offset, zeros=count)


def test_parts_come_in_the_order_of_the_requests(guard: MessageGuard) -> None:
    guard.asked_parts.ask(asked(0, 5, FileSetPart.MANIFEST))
    guard.asked_parts.ask(asked(10, 6))
    guard.asked_parts.ask(FileRequest("other", FileSetPart.DATA, 0, 1))
    guard.asked_parts.ask(asked(16, 100))
    for expected in (
        part(0, b"abcde", part=MANIFEST),
        part(10, b"ab"),
        part(0, b"z", execution_id="other"),
        part(12, b"cdef"),
        zeros(16, 99),
        part(115, b"x"),
    ):
        piece = guard.take_part(expected)
        assert piece is not None
        assert piece.content == (expected.zeros or expected.data)
    with pytest.raises(ViolationError, match="did not ask for"):
        guard.take_part(part(116, b"x"))


@pytest.mark.parametrize(
    "wrong",
    [
        part(0, b"x", execution_id="other"),
        part(0, b"x", execution_id=""),
        part(0, b"x", part=MANIFEST),
        part(0, b"x", part=0),
        part(1, b"x"),
        part(0),
        part(0, b"x" * 7),
        zeros(0, 7),
        zeros(0, 0),
        part(6, b"x"),
    ],
)
def test_other_parts_are_violations(guard: MessageGuard, wrong: pb.FilePart) -> None:
    guard.asked_parts.ask(asked(0, 6))
    guard.asked_parts.ask(asked(6, 6))
    with pytest.raises(ViolationError):
        guard.take_part(wrong)


def test_a_part_has_a_bounded_length(guard: MessageGuard) -> None:
    guard.asked_parts.ask(asked(0, REQUEST_LENGTH))
    assert guard.take_part(part(0, b"x" * PART_LENGTH)) is not None
    with pytest.raises(ViolationError, match=f"{PART_LENGTH:,} are allowed"):
        guard.take_part(part(PART_LENGTH, b"x" * (PART_LENGTH + 1)))


def test_a_problem_ends_all_requests(guard: MessageGuard) -> None:
    guard.asked_parts.ask(asked(0, 6))
    guard.asked_parts.ask(asked(6, 6))
    problem = pb.FilePart(execution_id="e", part=DATA, problem="It is gone.\0")
    piece = guard.take_part(problem)
    assert piece is not None
    assert piece.problem == "It is gone.\ufffd"
    with pytest.raises(ViolationError):
        guard.take_part(part(6, b"x"))


def test_answers_to_requests_that_have_ended_are_dropped(guard: MessageGuard) -> None:
    guard.asked_parts.ask(asked(0, 6))
    guard.asked_parts.end("e")
    assert guard.take_part(part(0, b"abc")) is None
    assert guard.take_part(part(3, b"def")) is None
    guard.asked_parts.ask(asked(0, 6))  # of another set, or on the way when the end came
    assert guard.take_part(part(3, b"def")) is None
    assert guard.take_part(part(0, b"abc")) is not None
    guard.asked_parts.end("never asked")
    with pytest.raises(ViolationError):
        guard.take_part(part(0, b"x", execution_id="never asked"))
