"""What an operator asks for of a rollout: its checks, and what it comes to for some hosts."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.rollout_spec import BATCHES_LENGTH, HoldRule, RolloutSpec
from tui_manager.domain.tasks.assign_batches import batch_sizes, concurrency_limit, failure_budget

SIZES = st.one_of(
    st.integers(1, 500).map(str),
    st.integers(1, 100).map(lambda part: f"{part}%"),
)
BATCHES = st.builds(
    lambda sizes, rest: ",".join([*sizes, *rest]),
    st.lists(SIZES, min_size=1, max_size=6),
    st.sampled_from([(), ("rest",)]),
)


@pytest.mark.parametrize(
    ("batches", "hosts", "sizes"),
    [
        ("", 5, (5,)),
        ("1,10%,rest", 30, (1, 3, 26)),
        ("1,10%,rest", 4, (1, 1, 2)),  # a part is at least one host
        ("2", 5, (2, 2, 1)),  # the last size repeats
        (" 1 , 2 ", 6, (1, 2, 2, 1)),
        ("33%", 10, (3, 3, 3, 1)),  # rounded down
        ("100%", 7, (7,)),
        ("10,rest", 3, (3,)),  # nothing is left for the rest
        ("rest", 3, (3,)),
        ("1,rest", 1, (1,)),
        ("5", 0, ()),
    ],
)
def test_hosts_are_cut_into_batches(batches: str, hosts: int, sizes: tuple[int, ...]) -> None:
    assert batch_sizes(RolloutSpec(batches=batches), hosts) == sizes


@given(BATCHES, st.integers(0, 2000))
def test_every_host_is_in_one_batch_and_no_batch_is_empty(batches: str, hosts: int) -> None:
    sizes = batch_sizes(RolloutSpec(batches=batches), hosts)
    assert sum(sizes) == hosts
    assert all(size > 0 for size in sizes)


@pytest.mark.parametrize(
    ("text", "hosts", "limit"),
    [("", 7, 0), ("3", 7, 3), ("300", 7, 300), ("10%", 7, 1), ("50%", 7, 3), ("100%", 7, 7)],
)
def test_concurrency_is_a_number_of_hosts(text: str, hosts: int, limit: int) -> None:
    assert concurrency_limit(RolloutSpec(max_concurrency=text), hosts) == limit


@pytest.mark.parametrize(
    ("text", "hosts", "budget"),
    [("", 7, None), ("0", 7, 0), ("0%", 7, 0), ("10%", 7, 0), ("30%", 7, 2), ("99", 7, 99)],
)
def test_a_budget_is_a_number_of_hosts(text: str, hosts: int, budget: int | None) -> None:
    assert failure_budget(RolloutSpec(max_failures=text), hosts) == budget


GOOD = RolloutSpec("1,rest", max_failures="0", strict=True, hold=HoldRule.EACH)


@pytest.mark.parametrize(
    ("spec", "field", "text"),
    [
        *(
            (replace(GOOD, batches=batches), "batches", text)
            for batches, text in (
                ("0", "0 is out of bounds: 1 or more."),
                ("1,0%", "0% is out of bounds: 1% to 100%."),
                ("101%", "101% is out of bounds: 1% to 100%."),
                ("1,,2", "A batch in '1,,2' is empty; write sizes such as 1,10%,rest."),
                (",", "A batch in ',' is empty; write sizes such as 1,10%,rest."),
                ("rest,1", "`rest` can only be the last batch."),
                ("1,rest,rest", "`rest` can only be the last batch."),
                ("-1", "'-1' is not a number of hosts such as 3, or a part such as 10%."),
                ("ten", "'ten' is not a number of hosts such as 3, or a part such as 10%."),
                ("1.5", "'1.5' is not a number of hosts such as 3, or a part such as 10%."),
                ("\u0663", "'\u0663' is not a number of hosts such as 3, or a part such as 10%."),
                ("1," * BATCHES_LENGTH, "The list of batches has more than 1000 characters."),
            )
        ),
        (replace(GOOD, max_concurrency="0"), "max_concurrency", "0 is out of bounds: 1 or more."),
        (replace(GOOD, max_concurrency="0%"), "max_concurrency", "1% to 100%"),
        (replace(GOOD, max_failures="101%"), "max_failures", "0% to 100%"),
        (replace(GOOD, max_failures="-1"), "max_failures", "'-1' is not a number"),
        (replace(GOOD, max_failures=""), "strict", "A strict budget needs"),
        (replace(GOOD, batches=""), "hold", "A hold needs batches."),
        (RolloutSpec(delay=timedelta(1)), "delay", "A delay needs batches."),
        (replace(GOOD, delay=timedelta(days=8)), "delay", "from 0 s to 7 d"),
        (replace(GOOD, hold_timeout=timedelta()), "hold_timeout", "from 1 s to 30 d"),
    ],
)
def test_an_error_names_its_field(spec: RolloutSpec, field: str, text: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        spec.check()
    assert raised.value.field == field
    assert text in str(raised.value)
    GOOD.check()
