"""The bytes of files that sessions send: behind everything else, and few of them in memory."""

import asyncio
import time
from datetime import timedelta

import pytest
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import NotFoundError, StorageError
from tui_manager.domain.hosts.agent_messages import Acknowledged, Run
from tui_manager.domain.hosts.file_transfer import FileRequest
from tui_manager.domain.status import Admission
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.service.limits import Limits
from tui_manager.transport.messages.message_guard import MessageGuard
from tui_manager.transport.sessions import file_parts
from tui_manager.transport.sessions.file_parts import FileShare
from tui_manager.transport.sessions.large_commands import LargeCommands
from tui_manager.transport.sessions.session import Session

DATA, MANIFEST = FileSetPart.DATA, FileSetPart.MANIFEST
KIB = 1024
FILES = FileSet("a" * 64, 100, 1 << 40, 1, 1 << 40)


class Source:
    """A store that answers once it may; it counts the bytes that it was asked for."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.asked: list[tuple[FileSetPart, int, int]] = []
        self.errors: list[Exception] = []
        self.hole = False

    async def read(self, sha256: str, part: FileSetPart, offset: int, length: int) -> bytes | int:
        assert sha256 == FILES.sha256
        self.asked.append((part, offset, length))
        await self.may.wait()
        if self.errors:
            raise self.errors.pop(0)
        return length if self.hole else offset.to_bytes(8) + bytes(length - 8)


@pytest.fixture
def source() -> Source:
    return Source()


def session_of(share: FileShare, name: str = "web01") -> Session:
    opened = OpenedSession(name, name, Admission.ADMITTED, 1, Limits().heartbeat, (), ())
    guard = MessageGuard(Limits(), lambda: 0.0)
    large = LargeCommands(None, time.monotonic)  # type: ignore[arg-type]
    session = Session(opened, Limits(), guard, lambda _: None, large, share)
    session.file_parts.allow("e1", FILES)
    session.file_parts.allow("e2", FILES)
    return session


@pytest.fixture
def share(source: Source) -> FileShare:
    return FileShare(source, lambda _: None, time.monotonic)


@pytest.fixture
def session(share: FileShare) -> Session:
    return session_of(share)


def request(offset: int, length: int, execution_id: str = "e1") -> FileRequest:
    return FileRequest(execution_id, DATA, offset, length)


async def sent(session: Session) -> list[pb.ManagerMessage]:
    """What the session sends now; nothing if it waits."""
    asking = asyncio.ensure_future(session.next_messages())
    for _ in range(20):
        await asyncio.sleep(0)
    if asking.done():
        return asking.result()
    asking.cancel()
    await asyncio.wait([asking])
    return []


async def part(session: Session) -> pb.FilePart:
    (message,) = await sent(session)
    assert message.HasField("file_part")
    return message.file_part


async def test_a_request_is_answered_in_parts(session: Session, source: Source) -> None:
    session.file_parts.ask(request(5, 2 * PART_LENGTH + 9))
    parts = [await part(session) for _ in range(3)]
    assert [(one.offset, len(one.data)) for one in parts] == [
        (5, PART_LENGTH),
        (5 + PART_LENGTH, PART_LENGTH),
        (5 + 2 * PART_LENGTH, 9),
    ]
    assert {(one.execution_id, one.part) for one in parts} == {("e1", pb.FILE_SET_PART_DATA)}
    assert await sent(session) == []
    assert len(source.asked) == 3


async def test_everything_else_goes_before_a_part(session: Session) -> None:
    session.file_parts.ask(request(0, 2 * PART_LENGTH))
    assert (await part(session)).offset == 0
    assert await sent(session) != []  # the second part is ready now, and is written
    session.file_parts.ask(request(2 * PART_LENGTH, PART_LENGTH))
    second = timedelta(seconds=1)
    waiting = asyncio.ensure_future(session.next_messages())
    await asyncio.wait([waiting])
    assert waiting.result()[0].file_part.offset == 2 * PART_LENGTH
    session.file_parts.ask(request(3 * PART_LENGTH, PART_LENGTH))
    session.queue_acknowledged([Acknowledged("e9", {}, True)])
    session.queue_command(Run("e3", CommandSpec("true", second), {}, second, 1))
    session.queue_cancel("e4")
    session.send_settings()
    first = await sent(session)
    kinds = [message.WhichOneof("message") for message in first]
    assert kinds == ["settings", "acknowledge", "run_command", "cancel_command"]
    session.queue_command(Run("e5", CommandSpec("true", second), {}, second, 1))
    (message,) = await sent(session)
    assert message.run_command.execution_id == "e5"
    assert (await part(session)).offset == 3 * PART_LENGTH


async def test_what_comes_while_a_part_is_read_goes_before_it(
    session: Session, source: Source
) -> None:
    source.may.clear()
    session.file_parts.ask(request(0, PART_LENGTH))
    assert await sent(session) == []
    assert len(source.asked) == 1
    session.queue_cancel("e4")
    source.may.set()
    assert (await sent(session))[0].HasField("cancel_command")
    assert (await part(session)).offset == 0


async def test_the_next_part_is_read_when_the_one_before_is_written(
    session: Session, source: Source, share: FileShare
) -> None:
    session.file_parts.ask(request(0, 3 * PART_LENGTH))
    await part(session)
    assert (len(source.asked), share.used) == (1, 4 * PART_LENGTH)  # it is being written
    await part(session)
    assert (len(source.asked), share.used) == (2, 4 * PART_LENGTH)
    await part(session)
    assert await sent(session) == []
    assert share.used == 0


async def test_the_parts_are_smaller_the_more_sessions_send(source: Source) -> None:
    share = FileShare(source, lambda _: None, time.monotonic, budget=4 * 256 * KIB)
    sessions = [session_of(share, f"web{number}") for number in range(4)]
    for session in sessions:
        session.file_parts.ask(request(0, 256 * KIB))
    assert [len((await part(session)).data) for session in sessions] == [64 * KIB] * 4
    assert (share.used, share.sending) == (4 * 256 * KIB, 4)
    for session in sessions[1:]:
        session.release()
    assert share.sending == 1
    assert len((await part(sessions[0])).data) == 192 * KIB


async def test_a_session_that_does_not_read_holds_up_no_other(source: Source) -> None:
    share = FileShare(source, lambda _: None, time.monotonic, budget=4 * 32 * KIB)
    slow, *others = [session_of(share, f"web{number}") for number in range(10)]
    for session in (slow, *others):
        session.file_parts.ask(request(0, 64 * KIB))
    assert len((await part(slow)).data) == 16 * KIB  # and it is never written
    ends: list[tuple[int, str]] = []

    async def drain(session: Session) -> None:
        end = 0
        while end < 64 * KIB:
            (message,) = await session.next_messages()
            assert share.used <= 4 * 32 * KIB
            end = message.file_part.offset + len(message.file_part.data)
            ends.append((end, session.host_id))
        session.release()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for session in others:
            group.create_task(drain(session))
    assert ends == sorted(ends)  # each in its turn
    slow.release()
    assert (share.used, share.sending) == (0, 0)


async def test_agents_that_do_not_read_end_when_others_wait(source: Source) -> None:
    now = 0.0
    share = FileShare(source, lambda _: None, lambda: now, timeout=60.0)
    stalled = [session_of(share, f"web{number}") for number in range(64)]
    for session in stalled:
        session.file_parts.ask(request(0, 256 * KIB))
        await part(session)  # it is never written
    now = 200.0
    share.end_slow_writes()
    assert all(session.room for session in stalled)  # nobody waits
    other = session_of(share, "other")
    other.file_parts.ask(request(0, 256 * KIB))
    assert await sent(other) == []
    share.end_slow_writes()
    assert not any(session.room for session in stalled)
    for session in stalled:
        session.release()  # their streams have ended
    assert (await part(other)).offset == 0
    assert other.room


@pytest.mark.parametrize("reads", [False, True])
async def test_an_agent_that_does_not_read_ends_before_its_part_is_written_too(
    source: Source, *, reads: bool
) -> None:
    """Its session writes something else, which the agent does not take."""
    now = 0.0
    share = FileShare(source, lambda _: None, lambda: now, budget=4 * KIB, timeout=60.0)
    first, slow, other = (session_of(share, name) for name in ("first", "slow", "other"))
    if reads:  # what comes while the part is read goes before it
        source.may.clear()
    else:  # it gets something else while it waits for its share
        first.file_parts.ask(request(0, 1000))
        await part(first)
    slow.file_parts.ask(request(0, 1000))
    assert await sent(slow) == []
    slow.send_settings()
    assert (await sent(slow))[0].HasField("settings")  # it is never written
    other.file_parts.ask(request(0, 1000))
    assert await sent(other) == []
    now = 100.0
    first.release()
    source.may.set()
    assert await sent(other) == []
    share.end_slow_writes()
    assert slow.room  # until now it had to wait itself
    now = 159.0
    share.end_slow_writes()
    assert slow.room
    now = 160.0
    share.end_slow_writes()
    assert not slow.room
    slow.release()
    assert (await part(other)).offset == 0


async def test_ten_thousand_sessions_share_64_mib(source: Source) -> None:
    source.hole = True  # so that this test needs no memory itself
    share = FileShare(source, lambda _: None, time.monotonic)
    sessions = [session_of(share, f"web{number}") for number in range(10_000)]
    for session in sessions:
        session.file_parts.ask(request(0, PART_LENGTH))
    for session in sessions:
        session.file_parts.take()
    assert share.used <= 64 * 1024 * KIB
    assert share.part_length == 16 * KIB
    for session in sessions:
        session.release()
    await asyncio.sleep(0)
    assert (share.used, share.sending) == (0, 0)


async def test_a_hole_is_sent_as_its_length(session: Session, source: Source) -> None:
    source.hole = True
    session.file_parts.ask(request(7, 1000))
    answer = await part(session)
    assert (answer.offset, answer.zeros, answer.data) == (7, 1000, b"")


async def test_what_an_execution_asked_for_is_forgotten_with_it(
    session: Session, share: FileShare
) -> None:
    for offset in range(3):
        session.file_parts.ask(request(offset, 1000))
    session.file_parts.ask(request(9, 1000, "e2"))
    assert (await part(session)).offset == 0
    session.queue_cancel("e1")
    assert (await sent(session))[0].HasField("cancel_command")
    answer = await part(session)
    assert (answer.execution_id, answer.offset) == ("e2", 9)
    assert session.file_parts.allowed("e1") is None
    assert await sent(session) == []
    assert (share.used, share.sending) == (0, 0)


@pytest.mark.parametrize("reads", [False, True])
async def test_a_part_that_was_read_is_forgotten_too(
    session: Session, share: FileShare, source: Source, *, reads: bool
) -> None:
    source.may.clear()
    session.file_parts.ask(request(0, 1000))
    assert await sent(session) == []
    if reads:
        source.may.set()
        for _ in range(5):
            await asyncio.sleep(0)
    session.forget_files("e1")
    source.may.set()
    assert await sent(session) == []
    assert (share.used, share.sending) == (0, 0)


async def test_a_problem_ends_all_requests_of_its_execution(
    session: Session, source: Source
) -> None:
    source.errors.append(NotFoundError("The set is gone."))
    session.file_parts.ask(request(0, 1000))
    session.file_parts.ask(request(1000, 1000))
    session.file_parts.ask(request(0, 1000, "e2"))
    answer = await part(session)
    assert (answer.execution_id, answer.problem) == ("e1", "The set is gone.")
    assert (await part(session)).execution_id == "e2"
    session.file_parts.refuse(request(5, 10), "It was cancelled.")
    assert (await part(session)).problem == "It was cancelled."


async def test_a_store_that_fails_for_a_moment_is_asked_again(
    session: Session, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_parts, "_RETRY", 0.0)
    source.errors += [StorageError("The disk is away.")] * 3
    session.file_parts.ask(request(0, 1000))
    assert len((await part(session)).data) == 1000
    source.errors += [StorageError("The disk is away.")] * 100
    session.file_parts.ask(request(0, 1000))
    while not (messages := await sent(session)):
        pass
    assert messages[0].file_part.problem == "The disk is away."


async def test_an_error_of_the_program_ends_the_session(session: Session, source: Source) -> None:
    source.errors.append(RuntimeError("broken by the test"))
    session.file_parts.ask(request(0, 1000))
    with pytest.raises(RuntimeError, match="broken by the test"):
        await session.next_messages()


async def test_sent_bytes_are_counted_when_they_are_written(source: Source) -> None:
    counted: list[int] = []
    session = session_of(FileShare(source, counted.append, time.monotonic))
    session.file_parts.ask(request(0, 1000))
    await part(session)
    assert counted == []
    session.file_parts.ask(request(0, 10))
    await part(session)
    assert counted == [1000]


async def test_a_long_hole_is_one_part(session: Session, source: Source) -> None:
    source.hole = True
    session.file_parts.ask(request(0, 4 * 1024 * KIB))
    assert (await part(session)).zeros == 4 * 1024 * KIB
    assert await sent(session) == []
