"""What code may do while a screen or widget is composed or closed.

A screen can be closed at any moment: before it has its widgets, while it waits for the manager, and
after its widgets were removed. Code that runs then finds no widgets.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from textual import on, work
from textual.await_complete import AwaitComplete
from textual.events import Callback, Compose, ScreenResume, ScreenSuspend, Unmount
from textual.message import Message
from textual.messages import CloseMessages, Prune
from textual.screen import ScreenResultType
from textual.widget import AwaitMount, Widget
from textual.worker import Worker

from tui_manager.domain.errors import ManagerError
from tui_manager.ui.manager_link import CallFailed
from tui_manager.ui.terminal.textual_internals import HookedScreen, is_closing, mounted

_Node = TypeVar("_Node", bound=Widget)
_Given = ParamSpec("_Given")
# Textual needs these to close a screen, and `typed_ahead` to handle keys in order.
_WHILE_CLOSING = (Callback, CloseMessages, Compose, Prune, ScreenSuspend, Unmount)


def is_open(node: Widget) -> bool:
    """Whether a screen or widget has all its widgets, and is not being closed."""
    return node.is_mounted and node.is_attached and not is_closing(node)


class MountedLater(Widget):
    """A hidden line that has no widgets until `mount_parts` is first awaited, as most screens are
    left before."""

    _mounting: AwaitMount | None = None

    def parts(self) -> Iterable[Widget]:
        """The widgets in it, in their order."""
        raise NotImplementedError

    async def mount_parts(self) -> bool:
        """Returns when the widgets are there. False if this one is being closed."""
        self._mounting = self._mounting or self.mount_all(self.parts())
        await self._mounting
        return is_open(self)


def while_open(
    group: str, *, exclusive: bool = False
) -> Callable[
    [Callable[Concatenate[_Node, _Given], Coroutine[Any, Any, None]]],
    Callable[Concatenate[_Node, _Given], Worker[None]],
]:
    """Makes a worker of a method that awaits the manager and then shows the answer.

    The worker begins when its screen or widget is mounted, and is cancelled as soon as that is not
    open any more, so that its code finds its widgets. A ManagerError that it raises is shown to the
    operator.

    Args:
        group: of the workers of this node.
        exclusive: whether a new call cancels those that run.
    """

    def decorate(
        method: Callable[Concatenate[_Node, _Given], Coroutine[Any, Any, None]],
    ) -> Callable[Concatenate[_Node, _Given], Worker[None]]:
        @work(group=group, exclusive=exclusive)
        @wraps(method)
        async def read(self: _Node, *args: _Given.args, **kwargs: _Given.kwargs) -> None:
            try:
                await mounted(self)
                await _WhileOpen(self, method(self, *args, **kwargs))
            except ManagerError as error:
                self.post_message(CallFailed(error))

        return read

    return decorate


class _WhileOpen(Awaitable[None]):
    """Runs a coroutine step by step, and cancels it as soon as its node is closed."""

    def __init__(self, node: Widget, coroutine: Coroutine[Any, Any, None]) -> None:
        self._node = node
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, None]:
        error: BaseException | None = None
        closed = False
        while True:
            if error is None and not closed and not is_open(self._node):
                closed, error = True, asyncio.CancelledError()
            try:
                if error is None:
                    awaited = self._coroutine.send(None)
                else:
                    awaited = self._coroutine.throw(error)
            except StopIteration:
                return
            error = None
            try:
                yield awaited
            except BaseException as thrown:
                error = thrown


class ClosableScreen(HookedScreen[ScreenResultType]):
    """Base of all screens."""

    _on_top = False  # since it was resumed, until it is suspended

    @property
    def subject(self) -> object:
        """What it is about. A screen of the same class and subject is not opened above it."""
        return None

    def accepts(self, message: Message) -> bool:
        """Calls no handlers once it is being closed: a screen that is closed while it is composed
        has only some of its widgets, or none. Nor for a screen that is resumed twice, as Textual
        does when it shows a mode first: it would apply all styles and read everything again."""
        if isinstance(message, ScreenResume):
            if self._on_top:
                return False
            self._on_top = True
        elif isinstance(message, ScreenSuspend):
            self._on_top = False
        return not is_closing(self) or isinstance(message, _WHILE_CLOSING)

    @on(Compose)
    def _add_class_of_width(self) -> None:
        """Adds the class that Textual would add after the first layout, which would apply all
        styles again."""
        width = self.app.size.width
        fitting = [name for least, name in self.app.HORIZONTAL_BREAKPOINTS or () if width >= least]
        self.add_class(*fitting[-1:], update=False)

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Closes this screen. A screen that is closed already closes no other one."""
        return super().dismiss(result) if self.is_active else AwaitComplete()
