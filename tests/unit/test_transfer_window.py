"""How many bytes of files a receiver asks for before they have come."""

import pytest
from tui_manager_protos.rules.files.transfer_window import FIRST, LARGEST, SMALLEST, TransferWindow

from tests.support.managers.manager_parts import TurnedClock

MIB = 1024 * 1024


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def window(clock: TurnedClock) -> TransferWindow:
    return TransferWindow(lambda: clock.seconds)


def _carry(window: TransferWindow, clock: TurnedClock, rate: int, seconds: float) -> None:
    """A connection that carries so many bytes a second answers all that is asked for."""
    end = clock.seconds + seconds
    while clock.seconds < end:
        window.asked(window.room)
        length = min(window.under_way, 64 * 1024)
        clock.turn(length / rate)
        window.received(length)
    window.restart()


def test_the_first_window_does_not_know_the_rate(window: TransferWindow) -> None:
    assert window.room == FIRST
    window.asked(FIRST - 1)
    assert (window.room, window.under_way) == (1, FIRST - 1)
    window.received(1000)
    assert window.room == 1001


@pytest.mark.parametrize(
    ("rate", "size"),
    [(10_000, SMALLEST), (2 * MIB, MIB), (100 * MIB, LARGEST)],
)
def test_it_holds_half_a_second_of_what_the_connection_carries(
    window: TransferWindow, clock: TurnedClock, rate: int, size: int
) -> None:
    _carry(window, clock, rate, 20)
    assert window.size == pytest.approx(size, rel=0.05)


def test_it_follows_a_connection_that_becomes_slow(
    window: TransferWindow, clock: TurnedClock
) -> None:
    _carry(window, clock, 100 * MIB, 2)
    _carry(window, clock, 100_000, 5)
    assert window.size == SMALLEST


def test_it_stays_large_while_little_is_asked_for(
    window: TransferWindow, clock: TurnedClock
) -> None:
    """The answer to a small request says how long the way is, not how much it carries."""
    for _ in range(10):
        window.asked(70)
        clock.turn(0.3)
        window.received(70)
    assert window.size == FIRST


def test_time_in_which_nothing_is_asked_for_is_not_counted(
    window: TransferWindow, clock: TurnedClock
) -> None:
    _carry(window, clock, 2 * MIB, 2)
    size = window.size
    clock.turn(3600)
    _carry(window, clock, 2 * MIB, 1)
    assert window.size == pytest.approx(size, rel=0.05)


def test_zeros_say_nothing_about_the_connection(window: TransferWindow, clock: TurnedClock) -> None:
    for _ in range(100):
        window.asked(FIRST // 8)
        clock.turn(0.01)
        window.received(FIRST // 8, sent=0)
    assert (window.size, window.under_way) == (FIRST, 0)


def test_the_largest_may_be_less(window: TransferWindow) -> None:
    window.largest = 1000
    window.asked(600)
    assert (window.size, window.room) == (1000, 400)
    window.largest = 500
    assert window.room == 0
    window.restart()
    assert window.room == 500
