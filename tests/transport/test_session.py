"""The outbox of a stream, and how messages become words of the domain."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import AgentUnavailableError
from tui_manager.domain.report import Acknowledged, Run
from tui_manager.domain.status import Admission, Reason, Stream
from tui_manager.domain.task_spec import CommandSpec
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.service.limits import Limits
from tui_manager.transport.messages import convert
from tui_manager.transport.messages.message_guard import MessageGuard
from tui_manager.transport.sessions.session import RUNS_MAX, UNKNOWN_MAX, Session, in_batches


def _session(on_room: Callable[[str], None] = lambda _: None) -> Session:
    opened = OpenedSession("h", "web01", Admission.ADMITTED, 1, Limits().heartbeat, (), ())
    return Session(opened, Limits(), MessageGuard(Limits(), lambda: 0.0), on_room)


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
    session.end(convert.disconnect(pb.DISCONNECT_REASON_REPLACED, "", timedelta(0)))
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
    texts = [small, small, large, small, large, small, small]
    said = [pb.ManagerMessage(run_command=pb.RunCommand(command=text)) for text in texts]
    messages = list(in_batches(said))
    assert [len(message.batch.messages) for message in messages] == [4, 3]
    unfolded = [item for message in messages for item in message.batch.messages]
    assert [item.run_command.command for item in unfolded] == texts


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
    (result,) = convert.to_report(pb.Report(results=[said])).results
    assert result.reason is Reason.NONE


@pytest.mark.parametrize(
    ("hosts", "window"), [(0, 1 << 20), (64, 1 << 20), (500, 128 << 10), (10_000, 64 << 10)]
)
async def test_the_more_hosts_there_are_the_less_each_may_have_under_way(
    hosts: int, window: int
) -> None:
    opened = OpenedSession("h", "web01", Admission.ADMITTED, 1, timedelta(seconds=5), (), ())
    limits = Limits().shared_by(hosts)
    session = Session(opened, limits, MessageGuard(Limits(), lambda: 0.0), lambda _: None)
    session.welcome("m", opened)
    session.send_settings()
    welcome, settings = await session.next_messages()
    for told in (welcome.welcome.settings, settings.settings):
        assert told.output_window == window
        assert told.max_message == min(4 << 20, 2 * window)
