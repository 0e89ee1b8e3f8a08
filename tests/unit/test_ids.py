"""Ids of executions say when they were made, and nothing else of them can be guessed."""

from uuid import RFC_4122, UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.ids import made_before, new_execution_ids

NOW = 1_767_225_600_000_000


def test_an_id_is_a_uuid_as_agents_spell_it() -> None:
    for made in new_execution_ids(NOW, 100):
        assert str(UUID(made)) == made
        assert (UUID(made).version, UUID(made).variant) == (7, RFC_4122)


def test_ids_of_one_moment_differ() -> None:
    assert len({*new_execution_ids(NOW, 10_000), *new_execution_ids(NOW, 10_000)}) == 20_000


@given(made=st.integers(0, 1 << 46), later=st.integers(1, 1 << 46))
def test_ids_are_in_the_order_of_time(made: int, later: int) -> None:
    (first,), (second,) = (
        new_execution_ids(1000 * made, 1),
        new_execution_ids(1000 * (made + later), 1),
    )
    assert first < second
    assert made_before(first, 1000 * (made + later))
    assert not made_before(second, 1000 * (made + later))


def test_an_id_that_does_not_say_is_not_old() -> None:
    for text in (str(uuid4()), "", "x", "00000000-0000-4000-8000-000000000000"):
        assert not made_before(text, NOW)
