"""Agent, wire and manager have the same words for the reasons that an agent reports."""

from tui_manager_agent.executions import convert_messages as agent_messages
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.tasks.transitions import Operation, move
from tui_manager.transport.messages import convert_messages

MANAGERS_WORDS = {number: str(reason) for number, reason in convert_messages.REASON.items()}


def test_an_agent_can_report_each_reason_of_the_protocol() -> None:
    assert sorted(agent_messages._REASON.values()) == sorted(wire.ResultReason.values())


def test_agent_and_manager_use_the_same_word_for_a_reason() -> None:
    agents = {number: word for word, number in agent_messages._REASON.items()}
    assert agents == {wire.RESULT_REASON_UNSPECIFIED: "", **MANAGERS_WORDS}


def test_an_agent_can_report_each_reason_with_which_a_result_may_fail_a_command_host() -> None:
    failed = move(Operation.FAIL, CommandHostStatus.RUNNING)
    assert failed is not None
    assert {Reason(word) for word in agent_messages._REASON if word} == failed.reasons
