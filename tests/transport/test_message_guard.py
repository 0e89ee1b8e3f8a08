"""What may be said in a stream: order, sizes, values, rates. An honest agent meets none of it."""

from datetime import timedelta

import pytest
from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1 import enrollment_pb2

from tests.support.agents.agent_stream import hello
from tests.support.managers.manager_parts import TurnedClock
from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.service.limits import Limits
from tui_manager.transport.messages import message_guard
from tui_manager.transport.messages.message_guard import MessageGuard, ViolationError

HELLO = pb.AgentMessage(hello=hello("web01"))
HEARTBEAT = pb.AgentMessage(report=pb.Report())
REQUEST = pb.AgentMessage(certificate_request=pb.CertificateRequest(csr_der=b"x"))
STDOUT = pb.STREAM_STDOUT
COMPLETED = pb.RESULT_STATUS_COMPLETED
ENDED = pb.HeldExecution(execution_id="e", state=pb.EXECUTION_STATE_ENDED)


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def greeted(clock: TurnedClock) -> MessageGuard:
    greeted = MessageGuard(Limits(), lambda: clock.seconds)
    assert greeted.check(HELLO) == "hello"
    return greeted


def _report(**given: object) -> pb.AgentMessage:
    return pb.AgentMessage(report=pb.Report(**given))  # type: ignore[arg-type]


def _repeat(guard: MessageGuard, message: pb.AgentMessage, times: int) -> None:
    for _ in range(times):
        guard.check(message)


@pytest.mark.parametrize("first", [HEARTBEAT, REQUEST, pb.AgentMessage()])
def test_hello_comes_first(clock: TurnedClock, first: pb.AgentMessage) -> None:
    with pytest.raises(ViolationError):
        MessageGuard(Limits(), lambda: clock.seconds).check(first)


@pytest.mark.parametrize("later", [HELLO, REQUEST, pb.AgentMessage()])
def test_what_does_not_belong_behind_hello(greeted: MessageGuard, later: pb.AgentMessage) -> None:
    assert greeted.check(HEARTBEAT) == "report"
    with pytest.raises(ViolationError):
        greeted.check(later)


def test_a_certificate_request_comes_when_asked_for_and_once(greeted: MessageGuard) -> None:
    greeted.expect_certificate_request()
    assert greeted.check(REQUEST) == "certificate_request"
    with pytest.raises(ViolationError, match="did not ask for"):
        greeted.check(REQUEST)


@pytest.mark.parametrize(
    "report",
    [
        {"started": [pb.Started()]},
        {"started": [pb.Started(execution_id="x" * 129)]},
        {"started": [pb.Started(execution_id="\x1b[2J")]},
        {"started": [pb.Started(execution_id="a\0b")]},
        {"started": [pb.Started(execution_id="e")] * (message_guard.ITEMS_MAX + 1)},
        {"output": [pb.Output(execution_id="e", data=b"x")]},
        {"output": [pb.Output(execution_id="e", stream=STDOUT, data=b"x" * ((1 << 20) + 1))]},
        {"output": [pb.Output(execution_id="e", stream=STDOUT, data=b"x", gap=1)]},
        {"results": [pb.Result(execution_id="e")]},
        {"results": [pb.Result(execution_id="e", status=pb.RESULT_STATUS_FAILED)]},
        {
            "results": [
                pb.Result(
                    execution_id="e", status=COMPLETED, totals=[pb.StreamTotal(stream=STDOUT)] * 3
                )
            ]
        },
        {"results": [pb.Result(execution_id="e", status=COMPLETED, totals=[pb.StreamTotal()])]},
    ],
)
def test_a_report_out_of_bounds_is_a_violation(
    greeted: MessageGuard, report: dict[str, object]
) -> None:
    with pytest.raises(ViolationError) as caught:
        greeted.check(_report(**report))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"protocol_version": 2}, Refusal.PROTOCOL_VERSION),
        ({"machine_id": "x" * 129}, Refusal.INVALID_HELLO),
        ({"journal_id": "\x1b]0;title\x07"}, Refusal.INVALID_HELLO),
        ({"labels": {f"k{number}": "" for number in range(65)}}, Refusal.INVALID_HELLO),
        ({"executions": [pb.HeldExecution(execution_id="e")]}, Refusal.PROTOCOL_ERROR),
        (
            {"executions": [ENDED, ENDED]},
            Refusal.INVALID_HELLO,
        ),
        (
            {"executions": [pb.HeldExecution(execution_id="e")] * (message_guard.HELD_MAX + 1)},
            Refusal.INVALID_HELLO,
        ),
    ],
)
def test_a_hello_out_of_bounds_is_refused(given: dict[str, object], refusal: Refusal) -> None:
    with pytest.raises(RefusedError) as caught:
        message_guard.check_hello(hello("web01", **given))
    assert caught.value.refusal is refusal


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"protocol_version": 2}, Refusal.PROTOCOL_VERSION),
        ({"secret": "x" * 129}, Refusal.INVALID_HELLO),
        ({"machine_id": "\0"}, Refusal.INVALID_HELLO),
        ({"labels": {f"k{number}": "" for number in range(10_000)}}, Refusal.INVALID_HELLO),
    ],
)
def test_an_enrolment_out_of_bounds_is_refused(given: dict[str, object], refusal: Refusal) -> None:
    request = enrollment_pb2.EnrollRequest(**{"protocol_version": 1, **given})  # type: ignore[arg-type]
    with pytest.raises(RefusedError) as caught:
        message_guard.check_enrollment(request)
    assert caught.value.refusal is refusal


def test_a_flood_ends_and_what_an_agent_can_say_does_not(
    greeted: MessageGuard, clock: TurnedClock
) -> None:
    full = _report(
        started=[pb.Started(execution_id="e")] * 5,
        results=[pb.Result(execution_id="e", status=COMPLETED)] * 5,
    )
    for _ in range(333 * 120):  # two minutes of a report every 3 ms
        clock.turn(0.003)
        greeted.check(full)
    clock.turn(60)
    for _ in range(333 * 25):  # what piled up in the connection meanwhile, 4 MiB of it
        greeted.check(full)
    with pytest.raises(ViolationError, match="a second"):
        _repeat(greeted, full, 20_000)


def test_vitals_come_with_heartbeats(clock: TurnedClock) -> None:
    greeted = MessageGuard(Limits(heartbeat=timedelta(seconds=1)), lambda: clock.seconds)
    greeted.check(HELLO)
    beat = _report(vitals=pb.Vitals(cpu_percent=1))
    for _ in range(2000):
        clock.turn(1)
        greeted.check(beat)
    with pytest.raises(ViolationError, match="Vitals"):
        _repeat(greeted, beat, 1100)


def test_a_restored_database_does_not_know_much_and_not_everything(
    greeted: MessageGuard, clock: TurnedClock
) -> None:
    greeted.check_unknown(1000)
    clock.turn(10)
    greeted.check_unknown(100)
    with pytest.raises(ViolationError, match="not known"):
        greeted.check_unknown(1)


FACTS = {f"f{number}": "x" for number in range(200)}


@pytest.mark.parametrize(
    "facts",
    [
        FACTS | {"more": "x"},
        {f"f{number}": "x" for number in range(10_000)},
        {"": "x"},
        {"a b": "x"},
        {"[red]": "x"},
        {"\x1b[2J": "x"},
        {"x" * 64: "x"},
    ],
)
def test_facts_out_of_bounds_are_a_violation(
    greeted: MessageGuard, clock: TurnedClock, facts: dict[str, str]
) -> None:
    told = pb.Facts(values=facts)
    with pytest.raises(ViolationError, match=r"(facts, not|fact's name)"):
        greeted.check(_report(facts=told))
    with pytest.raises(ViolationError, match=r"(facts, not|fact's name)"):
        MessageGuard(Limits(), lambda: clock.seconds).check(
            pb.AgentMessage(hello=hello("web01", facts=told))
        )


def test_facts_come_when_they_change(greeted: MessageGuard, clock: TurnedClock) -> None:
    report = _report(facts=pb.Facts(values=FACTS | {"f0": "v" * 100_000}))
    for _ in range(3600):  # five times as often as an agent looks
        clock.turn(1)
        greeted.check(report)
    with pytest.raises(ViolationError, match="Facts were sent more often"):
        _repeat(greeted, report, 100)
