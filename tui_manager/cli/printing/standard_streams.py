"""stdout and stderr of a command: how text is encoded, and what happens if it cannot be written."""

import errno
import io
import locale
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from tui_manager.domain.errors import ManagerError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputError(ManagerError, OSError):
    """stdout or stderr cannot be written. It is an OSError, so that `logging` and `argparse` treat
    it as they treat the error of a plain stream."""


@contextmanager
def standard_streams() -> Iterator[None]:
    """Lets writes to `sys.stdout` and `sys.stderr` raise OutputError, or BrokenPipeError when the
    reader has left. What cannot be written at the end of the block is dropped.

    A closed stdout is an error when it is written to; a closed stderr takes everything, as
    `2>/dev/null` does.
    """
    _open_closed_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _stream(sys.stdout, 1), _stream(sys.stderr, 2)
    ours = [stream for stream in (sys.stdout, sys.stderr) if stream not in before]
    try:
        yield
    finally:
        for stream in ours:
            _drop_unwritten(stream)
        sys.stdout, sys.stderr = before


def _open_closed_descriptors() -> None:
    """Opens closed descriptors 0 to 2. Otherwise the next opened file, such as the database, would
    become stdout."""
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest free number, which is this one


def _stream(found: TextIO | None, descriptor: int) -> TextIO:
    """A stream on the descriptor of `found`; a test's stream without a descriptor stays."""
    encoding = None
    if found is not None:
        try:
            descriptor = found.fileno()
        except (OSError, ValueError):
            return found
        found.flush()
        encoding = found.encoding
    if locale.setlocale(locale.LC_CTYPE) in ("C", "POSIX"):
        encoding = "utf-8"  # this locale does not say what the terminal supports
    return io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(descriptor)),
        encoding=encoding or "utf-8",
        errors="replace",  # the text of a host may not be encodable
        line_buffering=descriptor == 2 or os.isatty(descriptor),
    )


def _drop_unwritten(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:
        raw = getattr(stream.buffer, "raw", None)
        if isinstance(raw, _Descriptor):
            raw.dropping = True
            stream.flush()


class _Descriptor(io.FileIO):
    """A descriptor that stays open, also when its stream is closed.

    Attributes:
        dropping: whether writes are ignored.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.dropping = False

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes all of `data`, and waits as long as needed."""
        if self.dropping:
            return memoryview(data).nbytes
        try:
            while (written := super().write(data)) is None:
                self._wait()
        except BrokenPipeError:
            raise
        except OSError as error:
            name = {1: "stdout", 2: "stderr"}.get(self.fileno(), "The output")
            closed = error.errno == errno.EBADF
            why = "is closed" if closed else f"cannot be written: {error.strerror}"
            raise OutputError(f"{name} {why}.") from error
        return written

    def _wait(self) -> None:
        """Waits: another process has made a shared descriptor non-blocking, and it is full."""
        import select  # seldom needed

        poll = select.poll()
        poll.register(self, select.POLLOUT)
        poll.poll()
