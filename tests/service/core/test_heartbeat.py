"""How often agents are told to report, and when a session counts as silent."""

import contextlib
from datetime import timedelta

import pytest

from tests.support.managers.manager_parts import Parts
from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.service.core import heartbeat
from tui_manager.service.core.heartbeat import BEATS_A_SECOND, FleetHeartbeat
from tui_manager.service.hosts.host_service import OpenedSession

FIVE, LOST_AFTER = timedelta(seconds=5), timedelta(minutes=5)
EVERY = 5 * BEATS_A_SECOND  # agents that fit into one step


@pytest.fixture
def told() -> FleetHeartbeat:
    return FleetHeartbeat(FIVE, LOST_AFTER)


@pytest.fixture
def one_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every further agent makes the heartbeat longer."""
    monkeypatch.setattr(heartbeat, "BEATS_A_SECOND", 0.2)


def beat(parts: Parts, host: OpenedSession) -> timedelta | None:
    """An agent reports vitals; what it is told then."""
    parts.hosts.note_contact(host.host_id, host.generation)
    return parts.hosts.record_vitals(host.host_id, host.generation, Vitals())


async def close(parts: Parts, *hosts: OpenedSession) -> None:
    for host in hosts:
        await parts.hosts.close_session(host.host_id, host.generation, "test")


@pytest.mark.parametrize(
    ("sessions", "seconds"),
    [(0, 5), (EVERY, 5), (EVERY + 1, 10), (10_000, 20), (20_000, 40), (100_000, 60)],
)
def test_more_agents_beat_less_often(told: FleetHeartbeat, sessions: int, seconds: int) -> None:
    told.update(sessions)
    assert told.current == timedelta(seconds=seconds)


def test_all_agents_together_keep_to_the_highest_rate_of_heartbeats(told: FleetHeartbeat) -> None:
    for sessions in (*range(0, 12 * EVERY, 97), *range(12 * EVERY, 0, -97)):
        told.update(sessions)
        assert sessions / told.current.total_seconds() <= BEATS_A_SECOND


def test_a_few_agents_more_or_less_keep_the_heartbeat(told: FleetHeartbeat) -> None:
    changes = []
    for sessions in (EVERY, EVERY + 1, EVERY - 1, EVERY + 1, EVERY * 9 // 10, EVERY + 1):
        before = told.current
        told.update(sessions)
        changes.append(told.current != before)
    assert changes == [False, True, False, False, False, False]
    told.update(EVERY // 2)
    assert told.current == FIVE


@pytest.mark.parametrize(("lost_after", "seconds"), [(60, 20), (12, 5), (5.5, 5)])
def test_no_heartbeat_is_longer_than_lost_after_allows(lost_after: float, seconds: float) -> None:
    told = FleetHeartbeat(FIVE, timedelta(seconds=lost_after))
    told.update(100_000)
    assert told.current == timedelta(seconds=seconds)


@pytest.mark.usefixtures("one_a_step")
async def test_an_agent_is_told_a_new_heartbeat_once_when_it_beats(parts: Parts) -> None:
    first, second = await parts.connect("web01"), await parts.connect("web02")
    assert (first.heartbeat, beat(parts, second)) == (FIVE, 2 * FIVE)
    assert [beat(parts, first), beat(parts, first)] == [2 * FIVE, None]
    assert (await parts.connect("web03")).heartbeat == 2 * FIVE


@pytest.mark.usefixtures("one_a_step")
async def test_a_crowd_that_is_refused_leaves_the_shorter_heartbeat(parts: Parts) -> None:
    with contextlib.ExitStack() as crowd:
        for _ in range(4):
            crowd.enter_context(parts.hosts.waiting())
        first = await parts.connect("web01")
        assert first.heartbeat == 4 * FIVE
    assert beat(parts, first) == FIVE


@pytest.mark.usefixtures("one_a_step")
async def test_a_session_is_judged_by_the_heartbeat_that_it_was_told(parts: Parts) -> None:
    first, second = await parts.connect("web01"), await parts.connect("web02")
    beat(parts, first)
    parts.clock.turn(16)
    assert parts.hosts.silent_sessions() == [(second.host_id, second.generation)]
    parts.clock.turn(15)
    assert len(parts.hosts.silent_sessions()) == 2


@pytest.mark.usefixtures("one_a_step")
async def test_a_shorter_heartbeat_counts_once_a_longer_one_has_passed(parts: Parts) -> None:
    hosts = [await parts.connect(f"web{number:02}") for number in range(4)]
    stays = hosts[0]
    assert beat(parts, stays) == 4 * FIVE
    await close(parts, *hosts[1:])
    assert beat(parts, stays) == 2 * FIVE
    parts.clock.turn(35)  # the agent may have begun to wait for 20 s when it was told
    assert parts.hosts.silent_sessions() == []
    assert beat(parts, stays) is None
    parts.clock.turn(31)
    assert len(parts.hosts.silent_sessions()) == 1


async def test_a_host_is_silent_since_it_was_heard_last(parts: Parts) -> None:
    host = await parts.connect("web01")
    beat(parts, host)
    entry = parts.directory.get(host.host_id)
    assert entry
    assert entry.session
    heard = entry.session.heard_at
    parts.clock.turn(16)
    await close(parts, host)
    assert entry.silent_since == heard
