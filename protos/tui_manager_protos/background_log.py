"""A log handler that never blocks the thread that logs. Manager and agent use it.

A terminal stopped with ctrl-s, a full pipe or a disk that does not answer blocks every writer.
Therefore the thread that logs only formats the line, and a second thread writes it. Between them
is a queue with a limit. A line that does not fit is dropped and counted, and the log says how many
were dropped.
"""

import logging
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

QUEUE_LIMIT = 1 << 20  # characters that wait to be written
FLUSH_TIMEOUT = 1.0  # seconds that the end of the process waits for lines not yet written


class BackgroundHandler(logging.Handler):
    """Formats a record in the thread that logs it, and writes the line in a second thread."""

    def __init__(
        self,
        write: Callable[[str], None],
        limit: int = QUEUE_LIMIT,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            write: writes one or more complete lines; may block. Raises OSError.
            limit: characters that may wait to be written.
            end: called in the second thread after the last line.
        """
        super().__init__()
        self._write = write
        self._end = end
        self._limit = limit
        self._changed = threading.Condition()
        self._lines: deque[str] = deque()
        self._writing = False
        self._size = 0  # characters of the lines that wait or are being written
        self._dropped = 0  # lines that did not fit; they are newer than all lines that wait
        self._failed = 0  # lines that could not be written; they are older than all lines that wait
        self._failure = ""  # why they could not be written
        self._closed = False
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Formats the record and puts the line into the queue."""
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
        """Waits until all lines have been written, for at most `FLUSH_TIMEOUT`."""
        deadline = time.monotonic() + FLUSH_TIMEOUT
        with self._changed:
            while self._writing or self._lines or self._dropped:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return

    def close(self) -> None:
        """Lets the second thread end after the last line. Does not wait for it."""
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
            self._write_batch(lines, dropped)
            with self._changed:
                self._writing = False
                self._size -= size
                self._changed.notify_all()
        self._end()

    def _write_batch(self, lines: list[str], dropped: int) -> None:
        text = [*self._missing_lines(self._failed, self._failure), *lines]
        text += self._missing_lines(dropped, "the reader of the log was too slow")
        try:
            self._write("".join(text))
        except Exception as error:  # this thread must not end
            self._failed += len(lines) + dropped
            why = getattr(error, "strerror", None) or error
            self._failure = f"the log could not be written ({why})"
        else:
            self._failed = 0

    def _missing_lines(self, count: int, why: str) -> list[str]:
        """The log line that says how many lines are missing and why; empty if none are."""
        if not count:
            return []
        what = "1 log line was" if count == 1 else f"{count} log lines were"
        values = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING"}
        record = logging.makeLogRecord({**values, "msg": f"{what} dropped: {why}"})
        return [self.format(record) + "\n"]


def write_to_stderr(text: str) -> None:
    """Writes without Python's buffer of stderr. A blocked thread would hold the buffer's lock, and
    the process could not end. Raises OSError."""
    if sys.__stderr__ is not None:  # otherwise it was closed, and descriptor 2 may be another file
        write_all(2, text)


def write_all(descriptor: int, text: str) -> None:
    """Writes the whole text, also to a non-blocking descriptor. Raises OSError."""
    data = text.encode("utf-8", "backslashreplace")
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
