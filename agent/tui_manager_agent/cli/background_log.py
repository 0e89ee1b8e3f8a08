"""A log handler that never makes its caller wait. The agent has the same file.

A terminal stopped with ctrl-s, a full pipe or a disk that hangs blocks whoever writes to it. Lines
are therefore made where they are logged and written by a thread of their own. Between the two is a
queue with a bound; lines that do not fit are counted and dropped, and a line of the log says so.
"""

import logging
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

LIMIT = 1 << 20  # characters that wait to be written
PATIENCE = 1.0  # seconds that the end of the process waits for lines that are not yet written


class BackgroundHandler(logging.Handler):
    """Formats a record in the thread that logs it and writes the line in another one."""

    def __init__(
        self,
        write: Callable[[str], None],
        limit: int = LIMIT,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            write: takes one or more whole lines; may block. Raises OSError.
            limit: characters that may wait.
            end: called when nothing more will be written.
        """
        super().__init__()
        self._write = write
        self._end = end
        self._limit = limit
        self._changed = threading.Condition()
        self._lines: deque[str] = deque()
        self._writing = False
        self._size = 0  # of the lines that wait and of those that are being written
        self._dropped = 0  # lines that did not fit; they came after all lines that wait
        self._unwritten = 0  # lines that could not be written; they came before all that wait
        self._problem = ""  # why they could not
        self._closed = False
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hands the line of a record over."""
        try:
            line = self.format(record) + "\n"
        except Exception:
            self.handleError(record)
            return
        with self._changed:
            if self._dropped or self._size + len(line) > self._limit:
                self._dropped += 1
            else:
                self._lines.append(line)
                self._size += len(line)
            self._changed.notify_all()

    def flush(self) -> None:
        """Waits until everything has been written, `PATIENCE` at most."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while self._writing or self._lines or self._dropped:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return

    def close(self) -> None:
        """Ends the thread once it has written everything; nobody waits for that."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        super().close()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._lines or self._dropped or self._closed):
                    self._changed.wait()
                if not (self._lines or self._dropped):
                    break
                lines, size, dropped = list(self._lines), self._size, self._dropped
                self._lines.clear()
                self._dropped = 0
                self._writing = True
            self._write_out(lines, dropped)
            with self._changed:
                self._writing = False
                self._size -= size
                self._changed.notify_all()
        self._end()

    def _write_out(self, lines: list[str], dropped: int) -> None:
        text = [*self._note(self._unwritten, self._problem), *lines]
        text += self._note(dropped, "whoever reads the log was too slow")
        try:
            self._write("".join(text))
        except Exception as error:  # whatever it is, this thread goes on
            self._unwritten += len(lines) + dropped
            why = getattr(error, "strerror", None) or error
            self._problem = f"the log could not be written ({why})"
        else:
            self._unwritten = 0

    def _note(self, count: int, why: str) -> list[str]:
        """The line that says that lines are missing; none if there are none."""
        if not count:
            return []
        what = "1 log line was" if count == 1 else f"{count} log lines were"
        values = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING"}
        record = logging.makeLogRecord({**values, "msg": f"{what} dropped: {why}"})
        return [self.format(record) + "\n"]


def write_to_stderr(text: str) -> None:
    """Writes without Python's buffer of stderr: its lock, held by a thread that cannot go on, would
    keep the process from ending. Raises OSError."""
    if sys.__stderr__ is not None:  # else it was closed, and descriptor 2 may be a file of ours
        write_all(2, text)


def write_all(descriptor: int, text: str) -> None:
    """Writes all of it, also if the descriptor does not block. Raises OSError."""
    data = text.encode("utf-8", "backslashreplace")
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
