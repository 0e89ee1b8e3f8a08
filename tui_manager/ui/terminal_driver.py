"""The terminal that the dashboard stands on, as Textual drives it, and the end of it."""

import select
from collections.abc import Callable
from threading import Event
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from tui_manager.ui.messages import TerminalGone

_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class TerminalDriver(LinuxDriver):
    """Tells the app when its terminal has gone away.

    The kernel says so with SIGHUP only to the session that the terminal controls. Everybody else
    reads nothing from it, at once and for ever, which Textual's thread of the input takes for a
    pipe that is empty.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        assert self._file is not None  # sys.__stderr__, of a program that was started in a terminal
        self._descriptors = {self.fileno, self._file.fileno()}
        self._told = False
        self.exit_event = _Ending(self._is_gone)

    def _is_gone(self) -> bool:
        """Asked by the thread of the input and by the app's: a poll object serves one at a time."""
        terminal = select.poll()
        for descriptor in self._descriptors:
            terminal.register(descriptor, select.POLLIN)  # its end is told unasked
        gone = any(events & _GONE for _, events in terminal.poll(0))
        if gone and not self._told:
            self._told = True
            self.send_message(TerminalGone())
        return gone


class _Ending(Event):
    """Set when the input is to end, or has ended; its thread looks here before it reads."""

    def __init__(self, has_ended: Callable[[], bool]) -> None:
        super().__init__()
        self._has_ended = has_ended

    def is_set(self) -> bool:
        return super().is_set() or self._has_ended()
