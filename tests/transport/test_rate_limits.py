"""How often something may happen, and how often a host may dial in."""

import pytest

from tests.support.managers.manager_parts import TurnedClock
from tui_manager.transport.messages.host_connection_rates import (
    CONNECTIONS_OF_A_HOST,
    HostConnectionRates,
)
from tui_manager.transport.messages.message_guard import HELD_MAX
from tui_manager.transport.messages.token_bucket import Rate, TokenBucket, TokenBuckets


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


def test_a_bucket_gives_a_burst_and_then_what_flows_in(clock: TurnedClock) -> None:
    bucket = TokenBucket(Rate(per_second=2, burst=5), lambda: clock.seconds)
    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]
    assert bucket.wait() == 0.5
    clock.turn(0.5)
    assert bucket.wait() == 0.0
    assert [bucket.take(), bucket.take()] == [True, False]
    clock.turn(1000)
    assert not bucket.take(6)
    assert bucket.take(5)


def test_what_is_drained_has_to_flow_in_again(clock: TurnedClock) -> None:
    bucket = TokenBucket(Rate(per_second=1, burst=5), lambda: clock.seconds)
    bucket.drain(100)
    assert bucket.wait(5) == 5.0


def test_a_crowd_of_keys_does_not_cost_memory_without_end(clock: TurnedClock) -> None:
    buckets = TokenBuckets(Rate(per_second=1, burst=1), lambda: clock.seconds)
    assert buckets.of("first").take()
    for number in range(20_000):
        buckets.of(str(number)).take()
        assert not buckets.of("first").take(), "one that keeps coming is not forgotten"
    assert len(buckets) == 10_000


def test_one_host_is_slowed_down_and_a_fleet_is_not(clock: TurnedClock) -> None:
    arrivals = HostConnectionRates(lambda: clock.seconds)
    dials = [arrivals.wait("hostile") for _ in range(1000)]
    assert dials.count(0.0) == CONNECTIONS_OF_A_HOST.burst
    assert dials[-1] == 1 / CONNECTIONS_OF_A_HOST.per_second
    assert [arrivals.wait(f"host{number}") for number in range(5000)] == [0.0] * 5000
    clock.turn(dials[-1])
    assert arrivals.wait("hostile") == 0.0


def test_a_hello_costs_as_much_as_it_makes_the_manager_do(clock: TurnedClock) -> None:
    arrivals = HostConnectionRates(lambda: clock.seconds)
    assert arrivals.wait("busy", HELD_MAX) == 0.0
    assert arrivals.wait("other", HELD_MAX) == 0.0
    pause = arrivals.wait("busy", HELD_MAX)
    assert 15 < pause < 30
    clock.turn(pause)
    assert arrivals.wait("busy", HELD_MAX) == 0.0
    assert arrivals.wait("endless", 1000 * HELD_MAX) == 0.0, "it is the guard that refuses it"


def test_whoever_breaks_the_rules_comes_back_more_slowly(clock: TurnedClock) -> None:
    arrivals = HostConnectionRates(lambda: clock.seconds)
    let_in = 0
    while arrivals.wait("hostile") == 0.0:
        arrivals.slow_down("hostile")
        let_in += 1
    assert let_in < CONNECTIONS_OF_A_HOST.burst / 5
