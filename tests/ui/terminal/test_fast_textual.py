"""What `tests/ui/fast_textual.py` puts in the place of parts of Textual does what these do."""

import inspect
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.dom import NoScreen
from textual.geometry import Region
from textual.message import Message
from textual.message_pump import MessagePump
from textual.reactive import ReactiveError, reactive
from textual.widget import Widget
from textual.widgets import Label

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press
from tests.ui.fast_textual import count_parameters, find_handlers, find_handlers_anew


class Told(Message):
    """What a widget is told."""


class _OneLabel(App[None]):
    def compose(self) -> ComposeResult:
        yield Label("text")


class _Callbacks:
    """Whose methods have different numbers of parameters."""

    def two(self, one: int, other: int = 2) -> None: ...

    @classmethod
    def of_class(cls, one: int, *, named: int = 1) -> None: ...

    @wraps(two)
    def wrapper(self) -> None: ...


@pytest.mark.parametrize(
    "callback",
    [
        _Callbacks().two,
        _Callbacks.two,
        _Callbacks.of_class,
        _Callbacks().wrapper,
        _Callbacks,
        partial(_Callbacks().two, 1),
        lambda: None,
        lambda one, *others, **named: None,
        print,
    ],
    ids=range(9),
)
def test_parameters_are_counted_as_textual_counts_them(callback: Callable[..., Any]) -> None:
    """The tests of the screen remember the numbers."""
    expected = len(inspect.signature(callback).parameters)
    assert [count_parameters(callback) for _ in range(2)] == [expected] * 2


async def test_handlers_are_found_as_textual_finds_them(
    running: Running, fleet: FakeOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests of the screen remember them."""
    compared: set[object] = set()

    def compare(
        self: MessagePump, method_name: str, message: Message
    ) -> Iterator[tuple[type, Callable[[Message], Any]]]:
        kept = message._no_default_action
        found = list(find_handlers(self, method_name, message))
        assert found == list(find_handlers_anew(self, method_name, message))
        compared.add((type(self), method_name, type(message), kept))
        yield from find_handlers(self, method_name, message)

    monkeypatch.setattr(MessagePump, "_get_dispatch_methods", compare)
    async with running(fleet) as pilot:
        await press(pilot, "n", *"web", "escape", "y", "2", "down", "slash", "x", "escape", "colon")
        await press(pilot, *"again", "escape", "3", "enter", "equals_sign", "question_mark")
    assert len(compared) > 300


async def test_a_handler_that_prevents_the_default_action_is_the_last_one() -> None:
    class Base(Label):
        def on_told(self, message: Told) -> None: ...

    class Stops(Base):
        def on_told(self, message: Told) -> None:
            message.prevent_default()

    for message in (Told(), Told()):
        widget = Stops()
        for found in (find_handlers, find_handlers_anew):
            message._no_default_action = False
            owners = []
            for owner, method in found(widget, "on_told", message):
                owners.append(owner)
                method(message)
            assert owners == [Stops]


class _Squared(Label):
    side = reactive(3)
    area: reactive[int] = reactive(0)

    def compute_area(self) -> int:
        return self.side**2


def test_attributes_are_read_as_textual_reads_them() -> None:
    """The tests of the screen read most of them faster."""
    widget = _Squared()
    assert (widget.side, widget.area) == (3, 9)
    widget.side = 4
    assert (widget.side, widget.area) == (4, 16)
    assert isinstance(_Squared.side, reactive)
    with pytest.raises(ReactiveError):
        _Squared.__new__(_Squared).side  # noqa: B018


async def test_a_widget_finds_its_screen_and_what_is_above_it() -> None:
    """In the tests of the screen without weak references."""
    async with _OneLabel().run_test() as pilot:
        label = pilot.app.query_one(Label)
        assert label.screen is pilot.app.screen is label.parent
        assert pilot.app.screen.parent is pilot.app
        await label.remove()
        assert label.parent is None
        with pytest.raises(NoScreen):
            label.screen  # noqa: B018


async def test_a_widget_that_has_changed_is_drawn_whole() -> None:
    """The tests of the screen do not note each line of it."""
    async with _OneLabel().run_test() as pilot:
        label = pilot.app.query_one(Label)
        whole = Region(0, 0, *label.outer_size)
        assert label.render_lines(whole)[0].text.rstrip() == "text"
        label.update("more")
        assert label._dirty_regions == label._repaint_regions == {whole}
        assert label.render_lines(whole)[0].text.rstrip() == "more"


def test_widgets_are_numbered_in_the_order_in_which_they_are_made() -> None:
    """The tests of the screen count them elsewhere."""
    numbers = [widget().sort_order for widget in (Label, _Squared, Widget)]
    assert numbers == [*range(numbers[0], numbers[0] + 3)]
    Widget._sort_order += 1
    assert Label().sort_order == numbers[-1] + 2
