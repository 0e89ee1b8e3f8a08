"""The terminal that the dashboard uses, as Textual drives it, and the end of it."""

import codecs
import select
import termios
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Event
from typing import Any

from textual.app import App
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message


class TerminalGone(Message):
    """Nobody sees what is drawn any more, and no key will come."""


class ErrorElsewhere(Message, bubble=False):
    """An error outside of the app's own handlers: it ends the app as one of these does."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


_NO_PIXELS = "\x1b[?1016l"  # Textual lets the mouse count pixels, and never ends that
_LEAVE = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1016l"  # no mouse
    "\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[<u"  # paste and focus not told, lines wrap, plain keys
    "\x1b[?1049l\x1b[?25h"  # the screen before, the cursor seen
)
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
        self._told = self._taken = False
        self.exit_event = _Ending(self._is_gone)

    def start_application_mode(self) -> None:
        """Takes the terminal; what was typed for a screen before is not for this one."""
        with suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)
        self._taken = True
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        """Gives the terminal back."""
        self.write(_NO_PIXELS)
        super().stop_application_mode()
        self._taken = False

    def leave_terminal(self) -> None:
        """Gives the terminal back if an error has kept the driver from doing so."""
        if not self._taken:
            return
        self._taken = False
        self.exit_event.set()  # ends the thread of the input
        if self.attrs_before is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        assert self._file is not None
        self._file.write(_LEAVE)
        self._file.flush()

    def run_input_thread(self) -> None:
        """An error in it ends the app; Textual would keep no traceback of it."""
        linux_driver.getincrementaldecoder = _lenient_decoder  # type: ignore[assignment,attr-defined]
        try:
            super().run_input_thread()
        except Exception as error:
            self.send_message(ErrorElsewhere(error))

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


def _lenient_decoder(encoding: str) -> Callable[[], codecs.IncrementalDecoder]:
    """What Textual decodes keys with. Its own raises an error at a byte that is no UTF-8, such as
    an é in a terminal that is set to Latin-1."""
    return partial(codecs.getincrementaldecoder(encoding), "replace")


class _Ending(Event):
    """Set when the input is to end, or has ended; its thread looks here before it reads."""

    def __init__(self, has_ended: Callable[[], bool]) -> None:
        super().__init__()
        self._has_ended = has_ended

    def is_set(self) -> bool:
        return super().is_set() or self._has_ended()
