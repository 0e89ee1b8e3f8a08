"""When an agent dials again after the end of a stream."""

import random
from datetime import timedelta

import pytest
from tui_manager_agent.link.reconnect import FIRST_PAUSE, LONGEST_PAUSE, Reconnect
from tui_manager_agent.link.stream_endings import (
    Ending,
    RefusedByManagerError,
    StreamEnd,
    ending_of,
)
from tui_manager_protos.v1 import agent_pb2 as wire


class Highest(random.Random):
    """Always returns the highest number."""

    def uniform(self, a: float, b: float) -> float:
        return b


FATAL = {"WRONG_MANAGER", "NAME_TAKEN", "INVALID_HELLO", "PROTOCOL_VERSION", "REJECTED", "REVOKED"}


@pytest.mark.parametrize("reason", wire.DisconnectReason.keys())
def test_every_reason_has_a_decision(reason: str) -> None:
    disconnect = wire.Disconnect(reason=wire.DisconnectReason.Value(reason), detail="web01 says")
    end = ending_of(disconnect, was_steady=False)
    name = reason.removeprefix("DISCONNECT_REASON_")
    if name in FATAL:
        with pytest.raises(RefusedByManagerError, match=": web01 says"):
            Reconnect(random.Random()).pause_after(end)
    else:
        assert end.ending is (Ending.CLOSED if name == "UNSPECIFIED" else Ending[name])
        assert 0 <= Reconnect(random.Random()).pause_after(end) <= FIRST_PAUSE


def test_pauses_double_up_to_a_ceiling() -> None:
    reconnect = Reconnect(Highest())
    pauses = [reconnect.pause_after(StreamEnd(Ending.UNREACHABLE)) for _ in range(8)]
    assert pauses[:3] == [1, 2, 4]
    assert pauses[-1] == LONGEST_PAUSE


def test_the_jitter_is_full() -> None:
    dice = random.Random(1)
    pauses = [Reconnect(dice).pause_after(StreamEnd(Ending.BROKEN)) for _ in range(200)]
    assert min(pauses) < 0.1 * FIRST_PAUSE
    assert max(pauses) > 0.9 * FIRST_PAUSE


def test_a_steady_stream_begins_anew() -> None:
    reconnect = Reconnect(Highest())
    for _ in range(5):
        reconnect.pause_after(StreamEnd(Ending.UNREACHABLE))
    assert reconnect.pause_after(StreamEnd(Ending.BROKEN, was_steady=True)) == FIRST_PAUSE


def test_retry_after_is_the_earliest() -> None:
    disconnect = wire.Disconnect(reason=wire.DISCONNECT_REASON_OVERLOADED)
    disconnect.retry_after.FromTimedelta(timedelta(seconds=40))
    pause = Reconnect(random.Random()).pause_after(ending_of(disconnect, was_steady=False))
    assert 40 <= pause <= 40 + FIRST_PAUSE
