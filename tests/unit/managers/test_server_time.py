"""The server's time, as a manager takes it from what it reads now and then."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tui_manager.service.core.clock import Clock
from tui_manager.service.core.server_time import Reading, ServerTime
from tui_manager.storage.engine.statements import from_datetime

SERVER = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
OWN = datetime(2026, 5, 6, 7, 0, 0, tzinfo=UTC)
MS = 1000  # microseconds


@dataclass
class Machine:
    boot: int = 50_000_000

    def clock(self) -> Clock:
        return Clock(
            now=lambda: OWN + timedelta(microseconds=self.boot - 50_000_000),
            boottime=lambda: self.boot / 1_000_000,
        )


def reading(machine: Machine, took: int = 0, off: int = 0) -> Reading:
    """A reading that ends now and took so many microseconds; the server is `off` by so many."""
    shown = from_datetime(SERVER) + machine.boot - 50_000_000 - took // 2 + off
    return Reading(shown, machine.boot - took, machine.boot)


def test_before_the_first_reading_the_own_clock_is_used() -> None:
    time = ServerTime(Machine().clock())
    assert time.now() == OWN
    assert time.clock_ahead == timedelta()


def test_the_boot_time_clock_goes_on_from_a_reading() -> None:
    machine = Machine()
    time = ServerTime(machine.clock())
    time.take(reading(machine))
    machine.boot += 3_000_000
    assert time.clock().now() == SERVER + timedelta(seconds=3)
    assert time.clock_ahead == OWN - SERVER


def test_a_reading_that_took_long_changes_nothing_that_it_does_not_contradict() -> None:
    machine = Machine()
    time = ServerTime(machine.clock())
    time.take(reading(machine, took=2 * MS))
    machine.boot += 1_000_000
    before = time.now()
    time.take(reading(machine, took=900 * MS, off=400 * MS))
    assert time.now() == before


def test_the_time_never_goes_back_by_a_small_correction() -> None:
    machine = Machine()
    time = ServerTime(machine.clock())
    time.take(reading(machine))
    before = time.now()
    time.take(reading(machine, off=-300 * MS))
    assert time.now() == before
    machine.boot += 300 * MS
    assert time.now() == before
    machine.boot += 5 * MS
    assert time.now() == before + timedelta(milliseconds=5)


def test_a_jump_of_the_server_is_followed() -> None:
    machine = Machine()
    time = ServerTime(machine.clock())
    time.take(reading(machine))
    assert time.now() == SERVER
    time.take(reading(machine, off=-3_600_000 * MS))
    assert time.now() == SERVER - timedelta(hours=1)
