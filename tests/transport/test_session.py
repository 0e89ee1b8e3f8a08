"""The outbox of a stream, and how messages become words of the domain."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import AgentUnavailableError
from tui_manager.domain.report import Acknowledged, Run
from tui_manager.domain.status import Admission, Reason, Stream
from tui_manager.service.hosts import OpenedSession
from tui_manager.service.limits import Limits
from tui_manager.transport import convert
from tui_manager.transport.guard import Guard
from tui_manager.transport.session import RUNS_MAX, UNKNOWN_MAX, Session


def _session(on_room: Callable[[str], None] = lambda _: None) -> Session:
    opened = OpenedSession("h", "web01", Admission.ADMITTED, 1, (), ())
    return Session(opened, Limits(), Guard(Limits(), lambda: 0.0), on_room)


def _run(number: int) -> Run:
    second = timedelta(seconds=1)
    return Run(f"e{number}", "true", "", {}, second, second, 1, None)


async def test_what_waits_on_a_session_is_bounded() -> None:
    told: list[str] = []
    session = _session(told.append)
    for number in range(RUNS_MAX):
        session.run(_run(number))
    assert session.room == 0
    with pytest.raises(AgentUnavailableError):
        session.run(_run(RUNS_MAX))
    for _ in range(3):
        session.does_not_know(f"u{number}" for number in range(2 * UNKNOWN_MAX))
    assert session.waiting == RUNS_MAX + UNKNOWN_MAX
    messages = await session.next_messages()
    assert len(messages) == RUNS_MAX + UNKNOWN_MAX
    assert (told, session.room) == (["h"], RUNS_MAX)


async def test_acknowledgements_of_an_execution_fold_into_one() -> None:
    session = _session()
    session.acknowledge([Acknowledged("e", {Stream.STDOUT: 1}, result=False)])
    session.acknowledge([Acknowledged("e", {Stream.STDOUT: 2}, result=True)])
    (message,) = await session.next_messages()
    (acknowledged,) = message.acknowledge.executions
    assert (acknowledged.offsets[0].offset, acknowledged.result) == (2, True)


async def test_an_ended_session_sends_only_its_last_message() -> None:
    session = _session()
    session.run(_run(1))
    session.end(convert.disconnect(pb.DISCONNECT_REASON_REPLACED, "", timedelta(0)))
    (message,) = await session.next_messages()
    assert message.HasField("disconnect")
    assert await session.next_messages() == []
    with pytest.raises(AgentUnavailableError):
        session.cancel("e")


def test_a_reason_that_does_not_belong_to_a_status_is_not_believed() -> None:
    said = pb.Result(
        execution_id="e",
        status=pb.RESULT_STATUS_COMPLETED,
        reason=pb.RESULT_REASON_EXIT_CODE,
        exit_code=0,
    )
    (result,) = convert.to_report(pb.Report(results=[said])).results
    assert result.reason is Reason.NONE
