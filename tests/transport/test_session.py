"""The outbox of a stream, and how messages become words of the domain."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import AgentUnavailableError
from tui_manager.domain.hosts.agent_messages import Acknowledged, Run
from tui_manager.domain.status import Admission, Reason, Stream
from tui_manager.domain.task_spec.copy_and_fetch import FetchSpec
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.service.limits import Limits
from tui_manager.transport.messages import convert_messages
from tui_manager.transport.messages.message_guard import MessageGuard
from tui_manager.transport.sessions.command_port import write_messages
from tui_manager.transport.sessions.file_parts import FileShare
from tui_manager.transport.sessions.large_commands import LargeCommands
from tui_manager.transport.sessions.loop_budget import LoopBudget
from tui_manager.transport.sessions.session import RUNS_MAX, UNKNOWN_MAX, Session, in_batches


class _Contents:
    """Adds no bytes: these commands have them already. Commands in `lost` have none."""

    def __init__(self) -> None:
        self.lost: set[str] = set()

    async def add_to(self, run: Run) -> Run | None:
        return None if run.execution_id in self.lost else run


def _session(
    on_room: Callable[[str], None] = lambda _: None,
    large: LargeCommands | None = None,
    limits: Limits = Limits(),  # noqa: B008
) -> Session:
    opened = OpenedSession("h", "web01", Admission.ADMITTED, 1, Limits().heartbeat, (), ())
    guard = MessageGuard(Limits(), lambda: 0.0)
    large = large or LargeCommands(_Contents(), time.monotonic)
    files = FileShare(None, lambda _: None, lambda: 0.0)  # type: ignore[arg-type]
    return Session(opened, limits, guard, on_room, large, files)


def _run(number: int) -> Run:
    second = timedelta(seconds=1)
    return Run(f"e{number}", CommandSpec("true", second), {}, second, 1)


async def test_what_waits_on_a_session_is_bounded() -> None:
    told: list[str] = []
    session = _session(told.append)
    for number in range(RUNS_MAX):
        session.queue_command(_run(number))
    assert session.room == 0
    with pytest.raises(AgentUnavailableError):
        session.queue_command(_run(RUNS_MAX))
    for _ in range(3):
        session.queue_unknown(f"u{number}" for number in range(2 * UNKNOWN_MAX))
    assert session.waiting == RUNS_MAX + UNKNOWN_MAX
    messages = await session.next_messages()
    assert len(messages) == RUNS_MAX + UNKNOWN_MAX
    assert (told, session.room) == (["h"], RUNS_MAX)


def _script(name: str, size: int = 1000) -> Run:
    """A command with a script."""
    second = timedelta(seconds=1)
    script = content_of(b"#!/bin/sh\n".ljust(size, b"#"))
    return Run(name, CommandSpec("", second, script=script), {}, second, 1)


def _ids(messages: Iterable[pb.ManagerMessage]) -> list[str]:
    """What messages are about."""
    return [
        getattr(message, kind).execution_id if kind != "settings" else kind
        for message in messages
        if (kind := message.WhichOneof("message"))
    ]


async def _next(session: Session) -> list[str]:
    """What the session sends now; nothing if it waits."""
    asking = asyncio.ensure_future(session.next_messages())
    for _ in range(10):
        await asyncio.sleep(0)
    if asking.done():
        return _ids(asking.result())
    asking.cancel()
    await asyncio.wait([asking])
    return []


async def test_a_large_command_is_sent_alone_and_in_its_turn() -> None:
    session = _session()
    session.queue_command(_run(1))
    session.queue_command(_script("large"))
    session.queue_command(_run(2))
    session.queue_command(_run(3))
    session.send_settings()
    assert await _next(session) == ["settings", "e1"]
    assert await _next(session) == ["large"]
    assert await _next(session) == ["e2", "e3"]


async def test_small_commands_are_converted_a_few_at_a_time() -> None:
    session = _session()
    second = timedelta(seconds=1)
    for number in range(10):
        text, environment = "x" * 10_000, {"A": "y" * 10_000}
        session.queue_command(Run(f"e{number}", CommandSpec(text), environment, second, 1))
    sent = []
    while some := await _next(session):
        sent.append(some)
    ids = [f"e{number}" for number in range(10)]
    assert sent == [ids[:3], ids[3:6], ids[6:9], ids[9:]]


async def test_sessions_wait_in_order_for_their_share_of_the_bytes() -> None:
    large = LargeCommands(_Contents(), time.monotonic, budget=2500)
    sessions = [_session(large=large) for _ in range(5)]
    for number, session in enumerate(sessions):
        session.queue_command(_script(f"large{number}"))
    first, second, third, fourth, fifth = sessions
    assert [await _next(one) for one in sessions] == [["large0"], ["large1"], [], [], []]
    assert large.used == 2000
    assert await _next(second) == []  # it was written; the next in turn is the third
    assert await _next(fourth) == []
    assert await _next(third) == ["large2"]
    first.end()
    first.release()  # its stream broke while it was written
    fifth.end()
    fifth.release()  # and this one does not wait any more
    assert await _next(fourth) == ["large3"]
    for one in sessions:
        one.release()
    assert large.used == 0


async def test_who_takes_a_large_command_too_slowly_ends_if_others_wait() -> None:
    now = 0.0
    large = LargeCommands(_Contents(), lambda: now, budget=2000, timeout=60.0)
    slow, fast, waiting = (_session(large=large) for _ in range(3))
    slow.queue_command(_script("slow"))
    assert await _next(slow) == ["slow"]
    now = 200.0
    large.end_slow_writes()
    assert slow.room  # it goes on: nobody waits
    for session in (fast, waiting):
        session.queue_command(_script("large"))
    assert [await _next(fast), await _next(waiting)] == [["large"], []]
    large.end_slow_writes()
    assert [bool(session.room) for session in (slow, fast, waiting)] == [False, True, True]
    slow.release()  # its stream has ended
    assert await _next(waiting) == ["large"]


async def test_the_time_for_a_write_does_not_run_while_its_script_is_read() -> None:
    now = 0.0
    read = asyncio.Event()

    class Contents:
        async def add_to(self, run: Run) -> Run:
            await read.wait()
            return run

    large = LargeCommands(Contents(), lambda: now, budget=1000, timeout=60.0)
    first, waiting = _session(large=large), _session(large=large)
    for session in (first, waiting):
        session.queue_command(_script("large"))
    asking = asyncio.create_task(first.next_messages())
    assert await _next(waiting) == []
    now = 100.0
    large.end_slow_writes()
    assert first.room
    read.set()
    assert _ids(await asking) == ["large"]
    now = 159.0
    large.end_slow_writes()
    assert first.room
    now = 160.0
    large.end_slow_writes()
    assert not first.room


async def test_the_time_for_a_write_runs_while_the_agent_does_not_take_what_goes_before() -> None:
    now = 0.0
    large = LargeCommands(_Contents(), lambda: now, budget=1000, timeout=60.0)
    first, slow, waiting = (_session(large=large) for _ in range(3))
    for session in (first, slow, waiting):
        session.queue_command(_script("large"))
    assert [await _next(first), await _next(slow)] == [["large"], []]
    slow.send_settings()
    assert await _next(slow) == ["settings"]  # it is never written
    assert await _next(waiting) == []
    now = 100.0
    first.release()  # now it is the turn of the slow one
    large.end_slow_writes()
    assert slow.room
    now = 160.0
    large.end_slow_writes()
    assert [bool(slow.room), bool(waiting.room)] == [False, True]
    slow.release()
    assert await _next(waiting) == ["large"]


async def test_a_session_that_waits_for_its_share_still_sends_all_else() -> None:
    large = LargeCommands(_Contents(), time.monotonic, budget=1000)
    stalled, session = _session(large=large), _session(large=large)
    stalled.queue_command(_script("stalled"))
    assert await _next(stalled) == ["stalled"]
    session.queue_command(_script("large"))
    assert await _next(session) == []
    session.send_settings()
    session.queue_cancel("other")
    assert await _next(session) == ["settings", "other"]
    for run in (_run(1), _script("second"), _run(2)):
        session.queue_command(run)
    assert await _next(session) == ["e1", "e2"]  # of other tasks
    assert session.waiting == 2
    stalled.release()
    session.queue_command(_run(3))
    assert await _next(session) == ["large"]
    assert await _next(session) == ["second"]
    assert await _next(session) == ["e3"]


async def test_a_command_beyond_the_whole_budget_is_sent_when_no_other_is() -> None:
    large = LargeCommands(_Contents(), time.monotonic, budget=1000)
    other, session = _session(large=large), _session(large=large)
    other.queue_command(_script("other", 900))
    session.queue_command(_script("huge", 5000))
    assert [await _next(one) for one in (other, session)] == [["other"], []]
    other.release()
    assert await _next(session) == ["huge"]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_command_that_is_canceled_while_it_waits_is_not_sent(waits: bool) -> None:
    large = LargeCommands(_Contents(), time.monotonic, budget=1000)
    other, session = _session(large=large), _session(large=large)
    if waits:  # for its share of the bytes
        other.queue_command(_script("other"))
        assert await _next(other) == ["other"]
    for number in range(3):
        session.queue_command(_script(f"large{number}"))
    if waits:
        assert await _next(session) == []
    session.queue_cancel("large0")
    session.queue_cancel("large2")
    assert await _next(session) == ["large0", "large2"]  # the cancels
    other.release()
    assert await _next(session) == ["large1"]
    assert await _next(session) == []
    assert large.used == 0


@pytest.mark.parametrize(("waited", "left"), [(10.0, 50.0), (70.0, 0.001)])
async def test_the_time_until_a_command_must_start_runs_while_it_waits(
    monkeypatch: pytest.MonkeyPatch, waited: float, left: float
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    session = _session()
    for run in (_script("large"), _run(1)):
        session.queue_command(replace(run, start_before=timedelta(minutes=1)))
    now += waited
    for _ in range(2):
        (message,) = await session.next_messages()
        assert message.run_command.start_before.ToTimedelta() == timedelta(seconds=left)


async def test_a_command_whose_script_is_lost_is_passed_over() -> None:
    contents = _Contents()
    contents.lost = {"lost"}
    large = LargeCommands(contents, time.monotonic)
    session = _session(large=large)
    session.queue_command(_script("lost"))
    session.queue_command(_script("large"))
    assert await _next(session) == ["large"]
    session.release()
    assert large.used == 0


async def test_a_session_that_was_full_of_large_commands_asks_for_more_when_half_is_sent() -> None:
    told: list[str] = []
    session = _session(told.append)
    for number in range(RUNS_MAX):
        session.queue_command(_script(f"large{number}"))
    for _ in range(RUNS_MAX // 2):
        assert told == []
        await _next(session)
    assert told == ["h"]
    assert session.room == RUNS_MAX // 2


async def test_a_large_message_is_gone_when_it_is_written() -> None:
    """Else each of ten thousand waiting sessions would hold its last one."""
    written: list[pb.ManagerMessage] = []
    other = [convert_messages.from_run(_script("other"))]

    class Stream:
        async def write(self, message: pb.ManagerMessage) -> None:
            written.append(message)

    large = LargeCommands(_Contents(), time.monotonic)
    session = _session(large=large)
    session.queue_command(_script("large"))
    writing = asyncio.create_task(write_messages(session, Stream(), LoopBudget()))  # type: ignore[arg-type]
    for _ in range(10):
        await asyncio.sleep(0)
    assert _ids(written) == ["large"]
    assert large.used == 0
    assert sys.getrefcount(written[0]) == sys.getrefcount(other[0])
    session.end()
    await writing


async def test_acknowledgements_of_an_execution_fold_into_one() -> None:
    session = _session()
    session.queue_acknowledged([Acknowledged("e", {Stream.STDOUT: 1}, result=False)])
    session.queue_acknowledged([Acknowledged("e", {Stream.STDOUT: 2}, result=True)])
    (message,) = await session.next_messages()
    (acknowledged,) = message.acknowledge.executions
    assert (acknowledged.offsets[0].offset, acknowledged.result) == (2, True)


async def test_an_ended_session_sends_only_its_last_message() -> None:
    session = _session()
    session.queue_command(_run(1))
    session.end(convert_messages.disconnect(pb.DISCONNECT_REASON_REPLACED, "", timedelta(0)))
    (message,) = await session.next_messages()
    assert message.HasField("disconnect")
    assert await session.next_messages() == []
    with pytest.raises(AgentUnavailableError):
        session.queue_cancel("e")


async def test_an_acknowledgement_and_the_next_command_are_one_message() -> None:
    session = _session()
    session.queue_command(_run(2))
    session.queue_acknowledged([Acknowledged("e1", {}, result=True)])
    (message,) = in_batches(await session.next_messages())
    acknowledge, run = message.batch.messages
    assert acknowledge.acknowledge.executions[0].execution_id == "e1"
    assert run.run_command.execution_id == "e2"


def test_a_batch_is_bounded_and_keeps_the_order() -> None:
    large, small = "x" * 200_000, "x"
    texts = [small, small, large, small, large, small, small, small, small]
    said = [pb.ManagerMessage(run_command=pb.RunCommand(command=text)) for text in texts]
    messages = list(in_batches(said))
    assert [len(message.batch.messages) for message in messages] == [4, 5]
    unfolded = [item for message in messages for item in message.batch.messages]
    assert [item.run_command.command for item in unfolded] == texts


async def test_fetches_of_many_files_are_not_one_message() -> None:
    """An agent takes messages of up to 4 MiB."""
    session = _session()
    for number in range(3):
        paths = tuple(f"/{number}/{path:04}/" + "/".join(["x" * 200] * 14) for path in range(1000))
        command = CommandSpec("", fetch=FetchSpec(paths))
        session.queue_command(Run(f"e{number}", command, {}, timedelta(0), 1))
    for number in range(3):
        (message,) = in_batches(await session.next_messages())
        assert message.run_command.execution_id == f"e{number}"
        assert message.ByteSize() < 4 << 20


def test_a_welcome_stays_alone() -> None:
    resume = pb.ManagerMessage(resume=pb.Resume(execution_id="e"))
    welcome = pb.ManagerMessage(welcome=pb.Welcome(name="web01"))
    first, rest = in_batches([welcome, resume, resume])
    assert first == welcome
    assert list(rest.batch.messages) == [resume, resume]


def test_a_reason_that_does_not_belong_to_a_status_is_not_believed() -> None:
    said = pb.Result(
        execution_id="e",
        status=pb.RESULT_STATUS_COMPLETED,
        reason=pb.RESULT_REASON_EXIT_CODE,
        exit_code=0,
    )
    (result,) = convert_messages.to_report(pb.Report(results=[said])).results
    assert result.reason is Reason.NONE


@pytest.mark.parametrize(
    ("hosts", "window"), [(0, 1 << 20), (32, 1 << 20), (250, 128 << 10), (10_000, 64 << 10)]
)
async def test_the_more_hosts_there_are_the_less_each_may_have_under_way(
    hosts: int, window: int
) -> None:
    opened = OpenedSession("h", "web01", Admission.ADMITTED, 1, timedelta(seconds=5), (), ())
    limits = Limits().shared_by(hosts)
    session = _session(limits=limits)
    session.welcome("m", opened)
    session.send_settings()
    welcome, settings = await session.next_messages()
    for told in (welcome.welcome.settings, settings.settings):
        assert told.output_window == window
        assert told.max_message == min(4 << 20, 2 * window)


def test_hosts_with_the_same_command_get_their_own_messages() -> None:
    spec = CommandSpec("true", cwd="/tmp")
    messages = [
        convert_messages.from_run(
            Run(name, spec, {"HOST": name}, timedelta(seconds=9), 5, secrets=secrets)
        ).run_command
        for name, secrets in (("a", ("HOST",)), ("b", ()), ("a", ()))
    ]
    assert [message.execution_id for message in messages] == ["a", "b", "a"]
    assert [dict(message.environment) for message in messages] == [
        {"HOST": "a"},
        {"HOST": "b"},
        {"HOST": "a"},
    ]
    assert [list(message.secret_names) for message in messages] == [["HOST"], [], []]
    assert {(one.command, one.cwd, one.output_limit) for one in messages} == {("true", "/tmp", 5)}


def test_few_messages_of_commands_are_kept_and_no_large_one() -> None:
    for number in range(200):
        convert_messages.from_run(Run("e", CommandSpec(f"echo {number}"), {}, timedelta(0), 1))
    assert len(convert_messages._kept) <= convert_messages._KEPT_MAX
    large = CommandSpec("x" * 10_000)
    assert (
        convert_messages.from_run(Run("e", large, {}, timedelta(0), 1)).run_command.command
        == large.text
    )
    with_input = CommandSpec("cat", stdin=content_of(b"a password"))
    convert_messages.from_run(Run("e", with_input, {}, timedelta(0), 1))
    assert not any(spec in (large, with_input) for spec, _ in convert_messages._kept.values())
