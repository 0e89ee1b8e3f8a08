"""How often a watcher is told."""

from hypothesis import given
from hypothesis import strategies as st

from tui_manager.service.core.change_feed import A_SECOND, AT_ONCE, ChangeRate


def test_the_first_few_of_a_quiet_second_are_told_at_once() -> None:
    pace = ChangeRate()
    assert [pace.count(10.0) for _ in range(AT_ONCE)][:-1] == [0.0] * (AT_ONCE - 1)
    assert pace.count(11.5) == 0.0


def test_what_keeps_changing_is_told_evenly() -> None:
    pace, now, waits = ChangeRate(), 0.0, []
    for _ in range(100):
        wait = pace.count(now)
        waits.append(wait)
        now += wait
    assert max(waits) <= 1 / (A_SECOND + 1 - AT_ONCE) + 1e-9
    assert 9 < now < 11  # 100 tellings at ten a second


@given(st.lists(st.floats(0, 0.4), max_size=200))
def test_no_second_has_more_than_ten(quiet: list[float]) -> None:
    pace, now, told = ChangeRate(), 100.0, []
    for seconds in quiet:
        now += seconds
        told.append(now)
        now += pace.count(now)
    for first, eleventh in zip(told, told[A_SECOND:], strict=False):
        assert eleventh - first > 1 - 1e-6
