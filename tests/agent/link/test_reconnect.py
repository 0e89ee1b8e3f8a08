"""When an agent dials again after the end of a stream, and at which address."""

import random
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from tui_manager_agent.link.reconnect import (
    FIRST_PATIENCE,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PATIENCE,
    REFUSED_PAUSE,
    REFUSED_SHARE,
    Reconnect,
)
from tui_manager_agent.link.stream_endings import FATAL as FATAL_ENDINGS
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


def test_a_reason_of_a_newer_manager_is_an_end_like_others() -> None:
    end = ending_of(wire.Disconnect(reason=999, detail="Why not."), was_steady=False)  # type: ignore[arg-type]
    assert (end.ending, end.detail) == (Ending.CLOSED, "Why not.")


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


UNREACHABLE = StreamEnd(Ending.UNREACHABLE)
ADDRESSES = ("m1:1", "m2:1", "m3:1")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def failing(
    reconnect: Reconnect, dials: int, end: StreamEnd = UNREACHABLE
) -> list[tuple[str, float]]:
    """The addresses of so many dials, all of which fail, and the pauses after them."""
    return [(reconnect.address, reconnect.pause_after(end)) for _ in range(dials)]


def test_each_round_dials_each_address_once_and_only_rounds_are_paused_for_longer() -> None:
    reconnect = Reconnect(Highest(3), ADDRESSES)
    dials = failing(reconnect, 5 * len(ADDRESSES))
    rounds = [dials[begin : begin + 3] for begin in range(0, len(dials), 3)]
    for each in rounds:
        assert {address for address, _ in each} == set(ADDRESSES)
    assert [[pause for _, pause in each] for each in rounds] == [
        [1, 1, 1], [1, 1, 2], [1, 1, 4], [1, 1, 8], [1, 1, 16],
    ]  # fmt: skip
    assert all(one[-1][0] != other[0][0] for one, other in pairwise(rounds))


NOTHING_LISTENS = StreamEnd(Ending.UNREACHABLE, "connect: Connection refused (111)")


def test_while_a_manager_restarts_its_hosts_look_for_it_often() -> None:
    reconnect = Reconnect(Highest(), clock=Clock())
    reconnect.pause_after(StreamEnd(Ending.BROKEN, was_steady=True))
    pauses = [pause for _, pause in failing(reconnect, 8, NOTHING_LISTENS)]
    assert pauses == [2, 4] + 6 * [REFUSED_PAUSE]


def test_if_nothing_listens_for_long_the_pauses_grow_with_that_time() -> None:
    clock = Clock()
    reconnect = Reconnect(Highest(), clock=clock)
    reconnect.pause_after(StreamEnd(Ending.BROKEN, was_steady=True))
    failing(reconnect, 8, NOTHING_LISTENS)
    clock.now += 100
    assert reconnect.pause_after(NOTHING_LISTENS) == REFUSED_SHARE * 100
    clock.now += 10_000
    assert reconnect.pause_after(NOTHING_LISTENS) == LONGEST_PAUSE


def test_a_manager_that_is_busy_or_far_is_not_dialed_more_often_than_before() -> None:
    reconnect = Reconnect(Highest(), clock=Clock())
    failing(reconnect, 8, NOTHING_LISTENS)
    assert reconnect.pause_after(UNREACHABLE) == LONGEST_PAUSE
    assert reconnect.pause_after(NOTHING_LISTENS) == REFUSED_PAUSE


def test_of_several_managers_nothing_may_listen_at_any() -> None:
    reconnect = Reconnect(Highest(1), ("m1:1", "m2:1"), Clock())
    for end in [NOTHING_LISTENS] * 12:
        last = reconnect.pause_after(end)
    assert last == REFUSED_PAUSE
    mixed = [reconnect.pause_after(end) for end in (UNREACHABLE, NOTHING_LISTENS)]
    assert mixed == [FIRST_PAUSE, LONGEST_PAUSE]


def test_hosts_spread_over_all_addresses() -> None:
    first = Counter(Reconnect(random.Random(seed), ADDRESSES).address for seed in range(300))
    assert set(first) == set(ADDRESSES)
    assert min(first.values()) > 50


def test_after_a_steady_stream_another_address_is_dialed_soon() -> None:
    for seed in range(20):
        reconnect = Reconnect(Highest(seed), ADDRESSES)
        failing(reconnect, 10)
        before = reconnect.address
        assert reconnect.pause_after(StreamEnd(Ending.BROKEN, was_steady=True)) == FIRST_PAUSE
        dialed = [address for address, _ in failing(reconnect, 3)]
        assert set(dialed) == set(ADDRESSES)
        assert dialed[-1] == before


@pytest.mark.parametrize(
    "ending",
    [Ending.OVERLOADED, Ending.SHUTTING_DOWN, Ending.CLOSED, Ending.DUPLICATE_IDENTITY],
)
def test_a_manager_that_wants_a_pause_gets_it_and_others_are_dialed_meanwhile(
    ending: Ending,
) -> None:
    clock = Clock()
    reconnect = Reconnect(Highest(1), ("m1:1", "m2:1"), clock)
    busy = reconnect.address
    assert reconnect.pause_after(StreamEnd(ending, retry_after=60)) == FIRST_PAUSE
    other = reconnect.address
    assert other != busy
    for _ in range(4):  # only this one, with growing pauses
        assert failing(reconnect, 1)[0][1] <= LONGEST_PAUSE
        assert reconnect.address == other
    clock.now += 60
    assert {address for address, _ in failing(reconnect, 3)} == {busy, other}


def test_if_all_want_a_pause_the_shortest_is_kept() -> None:
    reconnect = Reconnect(Highest(1), ("m1:1", "m2:1"), Clock())
    first = reconnect.address
    assert reconnect.pause_after(StreamEnd(Ending.OVERLOADED, retry_after=60)) == FIRST_PAUSE
    pause = reconnect.pause_after(StreamEnd(Ending.OVERLOADED, retry_after=90))
    assert (reconnect.address, pause) == (first, 60 + FIRST_PAUSE)


@pytest.mark.parametrize("ending", [Ending.REPLACED, Ending.PROTOCOL_ERROR])
def test_what_no_other_manager_would_answer_otherwise_pauses_for_all(ending: Ending) -> None:
    reconnect = Reconnect(Highest(), ADDRESSES, Clock())
    assert reconnect.pause_after(StreamEnd(ending, retry_after=7)) == 7 + FIRST_PAUSE


@pytest.mark.parametrize(
    "ending", [Ending.WRONG_MANAGER, Ending.PROTOCOL_VERSION, Ending.WRONG_PIN]
)
def test_one_wrong_address_among_several_ends_nothing(ending: Ending) -> None:
    reconnect = Reconnect(random.Random(1), ADDRESSES)
    wrong = reconnect.address
    for _ in range(30):
        right = reconnect.address != wrong
        reconnect.pause_after(StreamEnd(Ending.UNREACHABLE if right else ending))
    with pytest.raises(RefusedByManagerError):
        failing(reconnect, 2 * len(ADDRESSES), StreamEnd(ending))


def test_an_address_that_was_wrong_and_is_put_right_counts_no_longer() -> None:
    reconnect = Reconnect(random.Random(1), ("m1:1", "m2:1"))
    first = reconnect.address
    reconnect.pause_after(StreamEnd(Ending.WRONG_MANAGER))
    reconnect.pause_after(StreamEnd(Ending.UNREACHABLE))
    assert reconnect.address == first
    reconnect.pause_after(StreamEnd(Ending.UNREACHABLE))
    reconnect.pause_after(StreamEnd(Ending.WRONG_MANAGER))
    reconnect.pause_after(StreamEnd(Ending.UNREACHABLE))
    with pytest.raises(RefusedByManagerError):
        failing(reconnect, 2, StreamEnd(Ending.WRONG_MANAGER))


@pytest.mark.parametrize("ending", sorted(FATAL_ENDINGS))
def test_what_the_database_says_ends_the_agent_at_any_address(ending: Ending) -> None:
    with pytest.raises(RefusedByManagerError):
        Reconnect(random.Random(), ADDRESSES).pause_after(StreamEnd(ending))


def test_a_learned_address_is_dialed_in_this_round_and_a_lost_one_no_more() -> None:
    reconnect = Reconnect(random.Random(1), ("m1:1", "m2:1"))
    first = reconnect.address
    reconnect.set_addresses((first, "m3:1"))
    reconnect.pause_after(StreamEnd(Ending.UNREACHABLE))
    assert reconnect.address == "m3:1"
    assert not reconnect.begins_round
    assert {address for address, _ in failing(reconnect, 6)} == {first, "m3:1"}


def test_a_silent_address_is_waited_for_shortly_while_there_are_others() -> None:
    alone, many = Reconnect(random.Random(1)), Reconnect(random.Random(1), ADDRESSES)
    patience = []
    for _ in range(5):
        assert alone.patience == PATIENCE
        patience.append(many.patience)
        failing(alone, 1)
        failing(many, 3)
    assert patience == [FIRST_PATIENCE, FIRST_PATIENCE, 2 * FIRST_PATIENCE, PATIENCE, PATIENCE]
    many.pause_after(StreamEnd(Ending.BROKEN, was_steady=True))
    assert many.patience == FIRST_PATIENCE
