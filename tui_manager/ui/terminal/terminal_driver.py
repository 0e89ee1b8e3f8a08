"""The terminal that the dashboard uses, as Textual drives it, and the end of it."""

import asyncio
import os
import select
import signal
import termios
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Event
from typing import Any, ClassVar

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message

from tui_manager.ui.terminal.input.terminal_input import TerminalInput


class TerminalClosed(Message):
    """The terminal is closed: nobody sees the screen, and no key will come."""


class BackgroundError(Message, bubble=False):
    """An error outside of the app's handlers. It ends the app as an error in a handler does."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


_NO_PIXELS = "\x1b[?1016l"  # Textual enables pixel mouse mode and never disables it
_RESTORE_TERMINAL = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1016l"  # mouse off
    "\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[<u"  # paste and focus reports off, line wrap on, plain keys
    "\x1b[?1049l\x1b[?25h"  # the normal screen, the cursor visible
)
_TICK = 0.1  # seconds between two looks whether the terminal is closed, or an escape is a key
_READ_MAX = 4096  # bytes, as Textual reads them
_CLOSED = select.POLLHUP | select.POLLERR | select.POLLNVAL


class TerminalDriver(LinuxDriver):
    """Tells the app when its terminal is closed.

    The kernel sends SIGHUP only to the session that the terminal controls. Other programs read no
    bytes from it, again and again. Textual's input thread would not notice that.
    """

    _was_used: ClassVar[bool] = False  # by any screen of this process

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
        self._reported = self._in_use = False
        self._input = TerminalInput(debug=debug)
        self._ticking: asyncio.TimerHandle | None = None
        self.exit_event = _EndEvent(self._is_gone)

    def start_application_mode(self) -> None:
        """Takes the terminal. Keys that were typed since the program was started are for its first
        screen. Later ones drop what was typed for the screen or the editor before."""
        if TerminalDriver._was_used:
            with suppress(termios.error):
                termios.tcflush(self.fileno, termios.TCIFLUSH)
        TerminalDriver._was_used = True
        self._in_use = True
        super().start_application_mode()  # type: ignore[no-untyped-call]
        signal.signal(signal.SIGWINCH, self._size_has_changed)
        if self._key_thread is not None and self._key_thread.is_alive():
            self.begin_input()

    def _size_has_changed(self, *_: object) -> None:
        """The loop reads the size. Textual does so here, where another signal may come in between
        and be handled first: the app would hear of the new size, and then of the old one."""
        if not self._in_band_window_resize and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell_size)

    def _tell_size(self) -> None:
        size = Size(*self._get_terminal_size())
        self.send_message(Resize(size, size))

    def stop_application_mode(self) -> None:
        """Gives the terminal back."""
        self.write(_NO_PIXELS)
        super().stop_application_mode()
        self._in_use = False

    def write_if_in_use(self, sequence: str) -> None:
        """Writes a sequence that draws nothing. Not while another program has the terminal."""
        if self._in_use:
            self.write(sequence)
            self.flush()

    def leave_terminal(self) -> None:
        """Gives the terminal back if the driver could not do so because of an error."""
        if not self._in_use:
            return
        self._in_use = False
        self._end_input()
        self.exit_event.set()  # ends the input thread
        if self.attrs_before is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        assert self._file is not None
        self._file.write(_RESTORE_TERMINAL)
        self._file.flush()

    # The input. Textual reads it in a thread, which hands each key to the app's loop. While the
    # manager is busy, each of the two has to wait for its turn. So the loop reads it here.

    def run_input_thread(self) -> None:
        """Looks whether the terminal is closed, until the input ends."""
        while not self.exit_event.is_set():
            self.exit_event.wait(_TICK)

    def begin_input(self) -> None:
        """Reads from now on what is typed."""
        self._input.reset()
        self._loop.add_reader(self.fileno, self._read)

    def disable_input(self) -> None:
        """Reads nothing any more, and drops what was typed and not read."""
        self._end_input()
        super().disable_input()

    def _end_input(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        if not self._loop.is_closed():
            self._loop.remove_reader(self.fileno)

    def _read(self) -> None:
        try:
            data = os.read(self.fileno, _READ_MAX)
        except BlockingIOError:
            return
        except OSError as error:
            self._end_input()
            if not self._is_gone():
                self.send_message(BackgroundError(error))
            return
        if not data:  # it is closed, as the thread finds out and says
            self._end_input()
            return
        self._handle(self._input.feed(data))
        self._tick_later()

    def _tick_later(self) -> None:
        if self._ticking is None and self._input.waits:
            self._ticking = self._loop.call_later(_TICK, self._tick)

    def _tick(self) -> None:
        self._ticking = None
        self._handle(self._input.tick())
        self._tick_later()

    def _handle(self, messages: Iterable[Message]) -> None:
        """An error ends the app. Textual would keep no traceback of it."""
        try:
            for message in messages:
                self.process_message(message)
        except Exception as error:
            self._end_input()
            self.send_message(BackgroundError(error))

    def send_message(self, message: Message) -> None:
        """Gives a message to the app, at once if this is its thread."""
        if threading.get_ident() == self._app._thread_id:
            self._app.post_message(message)
        else:
            super().send_message(message)

    def _is_gone(self) -> bool:
        """Called in two threads, so that each call needs a poll object of its own."""
        terminal = select.poll()
        for descriptor in self._descriptors:
            terminal.register(descriptor, select.POLLIN)  # poll always reports a closed descriptor
        gone = any(events & _CLOSED for _, events in terminal.poll(0))
        if gone and not self._reported:
            self._reported = True
            self.send_message(TerminalClosed())
        return gone


class _EndEvent(Event):
    """Set when the input must end or has ended. The input thread checks it before it reads."""

    def __init__(self, has_ended: Callable[[], bool]) -> None:
        super().__init__()
        self._has_ended = has_ended

    def is_set(self) -> bool:
        return super().is_set() or self._has_ended()
