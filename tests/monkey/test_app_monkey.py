"""The monkey over the app: seeds and sizes whose runs must show nothing wrong."""

import pytest

from tests.monkey.app import INPUTS, report, run
from tests.monkey.choosing import Chooser
from tests.monkey.inputs import SIZES, Check, Input, Key, Text, as_sent
from tests.monkey.shorten import chosen, numbers, shorten
from tests.support.run_length import examples

# These found the most faults in earlier versions; the first four are of all sizes.
SEEDS = (2, 3, 4, 9, 17, 18, 19)[: examples(7, few=4)]


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_a_monkey_does_kills_the_screen_or_makes_it_lie(seed: int) -> None:
    size = SIZES[seed % len(SIZES)]
    inputs = list(enumerate(Chooser(seed).inputs(INPUTS)))
    death = run(seed, size, inputs)
    assert death is None, report(seed, size, inputs, death)


def test_a_seed_gives_the_same_inputs_and_another_one_others() -> None:
    assert Chooser(3).inputs(500) == Chooser(3).inputs(500) != Chooser(4).inputs(500)


def test_only_what_fails_is_left_of_a_list() -> None:
    inputs: list[tuple[int, Input]] = [(number, Key(str(number))) for number in range(40)]
    wanted = {5, 6, 31}
    left = shorten(inputs, lambda some: wanted <= {number for number, _ in some})
    assert [number for number, _ in left] == sorted(wanted)
    assert numbers(left) == "5-6,31"
    assert chosen(inputs, "5-6,31") == left


def test_inputs_are_sent_as_a_terminal_sends_them() -> None:
    def sent(item: Input) -> str:
        return "".join(as_sent(item, 80, 24))

    assert [sent(Key(name)) for name in ("slash", "ctrl+p", "a", "space")] == [
        "/",
        "\x10",
        "a",
        " ",
    ]
    assert sent(Text("ab")) == "ab"
    assert sent(Check()) == ""
