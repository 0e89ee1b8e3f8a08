"""Who is alive and who may lead: decided on numbers that stand still, by the own clock alone."""

from datetime import UTC, datetime

import pytest

from tui_manager.service.managers.lease_rules import (
    ALIVE_FOR,
    BEAT_EVERY,
    LEASE,
    Observed,
    is_alive,
    is_dead,
    may_take_over,
)
from tui_manager.storage.tables.manager.gateways import GatewayRow, LeaderRow

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def row(**given: object) -> GatewayRow:
    values: dict[str, object] = {
        "number": 2,
        "key": "k",
        "name": "b",
        "address": "",
        "version": "",
        "started_at": NOW,
        "beats": 5,
        "stopped_at": None,
    }
    return GatewayRow(**{**values, **given})  # type: ignore[arg-type]


def test_a_value_stands_still_from_when_it_was_first_seen() -> None:
    seen = Observed()
    seen.note(1, 100.0)
    assert seen.unchanged == 0.0
    seen.note(1, BEAT_EVERY)
    assert seen.unchanged == BEAT_EVERY
    seen.note(2, BEAT_EVERY)
    assert seen.unchanged == 0.0


def test_time_in_which_nobody_looked_hardly_counts() -> None:
    """This process was stopped, or the database was away: the others could not beat either."""
    seen = Observed()
    seen.note(1, 0.0)
    seen.note(1, 3600.0)
    assert seen.unchanged < LEASE


@pytest.mark.parametrize("looks", range(8))
def test_a_manager_dies_after_ten_seconds_without_a_beat(looks: int) -> None:
    beats = Observed()
    for _ in range(looks + 1):
        beats.note(5, BEAT_EVERY)
    alive = looks * BEAT_EVERY < ALIVE_FOR
    assert is_alive(row(), beats) is alive
    assert is_dead(row(), beats) is not alive


def test_a_manager_that_has_stopped_is_dead_until_its_hosts_are_offline() -> None:
    beats = Observed(5)
    assert not is_alive(row(stopped_at=NOW), beats)
    assert is_dead(row(stopped_at=NOW), beats)
    assert not is_dead(row(stopped_at=NOW, presumed_dead_at=NOW), beats)
    assert not is_alive(row(presumed_dead_at=NOW), beats)


@pytest.mark.parametrize("looks", range(6))
def test_a_lease_ends_after_its_time_without_a_renewal(looks: int) -> None:
    held, renewals = LeaderRow(2, 7, 30), Observed()
    for _ in range(looks + 1):
        renewals.note(held, BEAT_EVERY)
    assert may_take_over(1, held, renewals) is (looks * BEAT_EVERY >= LEASE)


def test_a_free_lease_and_the_own_one_are_taken_at_once() -> None:
    assert may_take_over(1, LeaderRow(0, 7, 30), Observed())
    assert may_take_over(1, LeaderRow(1, 7, 30), Observed())


def test_a_leader_is_replaced_before_ten_seconds_have_passed() -> None:
    """It dies just after a renewal; the next look of another manager sees that one."""
    assert LEASE + BEAT_EVERY <= 10.0
