"""The order of the tests of a run by several processes."""

import pytest

from tests.support.run_order import order


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("count", "long"), [(40, 9), (41, 2), (3, 3), (5, 0), (0, 0)])
def test_half_of_the_processes_begin_with_the_long_ones(
    processes: int, count: int, long: int
) -> None:
    is_short = [number < count - long for number in range(count)]
    found = order(is_short, processes)
    assert sorted(found) == list(range(count))
    for process in range(processes):  # as LoadScheduling of `worksteal` divides them
        share = len(found) // (processes - process)
        own, found = found[:share], found[share:]
        kinds = [is_short[number] for number in own]
        assert kinds == sorted(kinds)
        half = (processes + 1) // 2
        if share > long:
            each = (long // half, -(-long // half)) if process < half else (0,)
            assert kinds.count(False) in each


def test_short_ones_stay_in_their_order() -> None:
    found = order([True, False, True, True, False, True], 2)
    assert found == [1, 4, 0, 2, 3, 5]
