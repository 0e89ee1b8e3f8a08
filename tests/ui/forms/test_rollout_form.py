"""The fold of a rollout in the form for a new task."""

from datetime import timedelta

import pytest
from textual.widgets import Label

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, HoldRule, Order, RolloutSpec
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.new_task.rollout_fields import RolloutTexts
from tui_manager.ui.forms.new_task.rollout_fold import RolloutFold


def test_what_is_typed_becomes_a_rollout() -> None:
    assert RolloutTexts().spec() == ALL_AT_ONCE
    assert RolloutTexts(hold="no", order=" name ").spec() == ALL_AT_ONCE
    texts = RolloutTexts(" 1,10%,rest ", "5m", "50%", "random", " 1  strict ", "first 6h")
    assert texts.spec() == RolloutSpec(
        "1,10%,rest", Order.RANDOM, timedelta(minutes=5), "50%", "1", True, HoldRule.FIRST,
        timedelta(hours=6),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "field", "words"),
    [
        (RolloutTexts(batches="0"), "batches", "0 is out of bounds: 1 or more."),
        (RolloutTexts(batches="1,,2"), "batches", "is empty"),
        (RolloutTexts(batches="1", delay="soon"), "delay", "A time is like 90s"),
        (RolloutTexts(batches="1", delay="8d"), "delay", "from 0 s to 7 d"),
        (RolloutTexts(delay="5m"), "delay", "A delay needs batches."),
        (RolloutTexts(max_concurrency="101%"), "max_concurrency", "1% to 100%"),
        (RolloutTexts(order="size"), "order", "name or random"),
        (RolloutTexts(max_failures="strict"), "max_failures", "A strict budget needs"),
        (RolloutTexts(max_failures="1 very"), "max_failures", "1, 10%, or 1 strict"),
        (RolloutTexts(max_failures="1 2"), "max_failures", "1, 10%, or 1 strict"),
        (RolloutTexts(max_failures="-1"), "max_failures", "'-1' is not a number"),
        (RolloutTexts(hold="each"), "hold", "A hold needs batches."),
        (RolloutTexts(batches="1", hold="often"), "hold", "each, first, or each 6h"),
        (RolloutTexts(batches="1", hold="no 6h"), "hold", "each, first, or each 6h"),
        (RolloutTexts(batches="1", hold="each 31d"), "hold", "from 1 s to 30 d"),
        (RolloutTexts(batches="1", hold="each soon"), "hold", "A time is like 90s"),
    ],
)
def test_an_error_names_its_field(texts: RolloutTexts, field: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        texts.spec()
    assert raised.value.field == field
    assert words in str(raised.value)
    assert texts.problems() == {field: str(raised.value)}
    assert texts.summary == "not valid yet"


def test_each_field_is_checked_alone() -> None:
    texts = RolloutTexts(batches="0", max_failures="x", hold="each", delay="5m")
    assert set(texts.problems()) == {"batches", "max_failures"}


TO_FOLD = ("n", *"role=web", "tab", *"restart", *("tab",) * 8)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_rollout_is_typed_and_started(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await press(pilot, *TO_FOLD)
        text = shown(pilot)
        assert "▸ Rollout: all hosts at once" in text
        assert "Start on 14 hosts" in text, "the buttons are in sight"
        assert "Batches" not in text
        await press(pilot, "enter", "tab", *"1,rest", *("tab",) * 4, *"1 strict", "tab", *"each")
        await settle(pilot)
        assert "▾ Rollout: batches 1,rest; at most 1 may fail, strict; hold" in shown(pilot)
        await press(pilot, "enter", "enter")  # from the last field to Start, then press it
        await settle(pilot)
    task = fleet.tasks[7]
    assert task.spec.rollout == RolloutSpec(
        "1,rest", max_failures="1", strict=True, hold=HoldRule.EACH
    )
    assert task.row.rollout is not None
    assert task.row.rollout.batches == 2


async def test_what_is_wrong_is_said_beside_its_field_while_it_is_typed(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, *TO_FOLD, "enter", "tab", *"1,rest,2")
        fold = pilot.app.screen.query_one(RolloutFold)
        hint = fold.query_one("#batches-hint", Label)
        assert str(hint.content) == "Batches: `rest` can only be the last batch."
        assert "Rollout: not valid yet" in shown(pilot)
        await press(pilot, "tab", *"x")
        assert str(hint.content).splitlines() == [
            "Batches: `rest` can only be the last batch.",
            "Delay: A time is like 90s, 5m, 1h30m or 2d.",
        ]
        await press(pilot, "backspace", "shift+tab", "end", *("backspace",) * 2)
        assert str(hint.content) == ""
        assert "Rollout: batches 1,rest" in shown(pilot)


async def test_a_wrong_rollout_opens_its_fold_and_makes_no_task(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, *TO_FOLD, "enter", *("tab",) * 6, *"each", *("shift+tab",) * 6, "enter")
        assert pilot.app.screen.query_one(RolloutFold).collapsed
        await press(pilot, "f5")
        screen = pilot.app.screen
        assert isinstance(screen, NewTaskScreen)
        assert not screen.query_one(RolloutFold).collapsed
        assert screen.focused is not None
        assert screen.focused.id == "hold"
        assert "A hold needs batches." in shown(pilot)
    assert len(fleet.tasks) == 6
