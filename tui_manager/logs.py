"""Logs of the manager: one line a record, `time level logger message key=value…`.

Ids are passed as fields, `log.info("command sent", extra={"task": 7, "host": "web01"})`, and the
formatter appends them.
"""

import errno
import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from tui_manager_protos.background_log import BackgroundHandler, write_to_stderr

from tui_manager.domain.errors import StorageError
from tui_manager.security.private_files import make_folder
from tui_manager.settings import Settings
from tui_manager.state_files import APP

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FILE_BYTES = 10_000_000  # of one log file
OLD_FILES = 5

_PLAIN = re.compile(r"[!#-<>-\[\]-~]+").fullmatch  # ASCII but for spaces, = " and \
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class FieldFormatter(logging.Formatter):
    """Renders a record as one line; a traceback follows on indented lines."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        parts = [
            f"{_second(int(record.created))}.{int(record.created * 1000) % 1000:03}Z",
            record.levelname.lower(),
            record.name,
            _visible(record.getMessage()),
            *[f"{key}={_value(value)}" for key, value in vars(record).items() if key not in _OWN],
        ]
        lines = [" ".join(parts)]
        if record.exc_info:
            lines += [
                f"    {_visible(line)}"
                for line in self.formatException(record.exc_info).split("\n")
            ]
        return "\n".join(lines)


class _PrivateFile(RotatingFileHandler):
    """A rotating file that only its owner can read."""

    def append(self, text: str) -> None:
        """Writes complete lines, and begins a new file if this one is full. Raises OSError."""
        self.emit(logging.makeLogRecord({"msg": text.removesuffix("\n")}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Raises: `BackgroundHandler` counts lines that could not be written. Prints nothing."""
        raise

    def _open(self) -> io.TextIOWrapper:
        file = _private(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        return io.TextIOWrapper(open(file, "ab"), encoding=self.encoding, errors=self.errors)

    def doRollover(self) -> None:  # noqa: N802
        """Begins a new file. If that fails, the next line tries again."""
        try:
            super().doRollover()
        except OSError:
            self.stream = None  # it was closed, although not all could be written
            raise

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802
        """True if the file is full. The size of the next line is not used: it would be rendered
        twice."""
        if self.stream is None:  # the last rollover failed
            return bool(super().shouldRollover(record))
        return os.fstat(self.stream.fileno()).st_size >= self.maxBytes


def log_to_file(settings: Settings) -> Path:
    """Sends all logs to a rotating file in the log folder, and returns its path.

    Raises:
        StorageError: the folder or the file cannot be written.
    """
    path = settings.log_dir / f"{APP}.log"
    try:
        make_folder(path.parent)
        handler = _PrivateFile(
            path, maxBytes=FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        raise StorageError(f"The log file {path} cannot be written: {error.strerror}.") from error
    _install(BackgroundHandler(handler.append, end=handler.close))
    return path


def log_to_stderr() -> None:
    """Sends all logs to stderr."""
    _install(BackgroundHandler(write_to_stderr))


def log_nowhere() -> None:
    """Drops all logs, because there is no file and they must not appear on the screen."""
    _install(logging.NullHandler())


def flush_log() -> None:
    """Waits a short time until all logged lines are written, so that later text comes after
    them."""
    for handler in logging.getLogger().handlers:
        handler.flush()


@contextmanager
def redirect_stderr_for_dashboard(path: Path | None) -> Iterator[None]:
    """Within the block, text that is written to file descriptor 2 goes to `path`, or nowhere, and
    not to the screen. `sys.__stderr__`, on which Textual draws, and `sys.stderr` still reach the
    terminal.

    gRPC's C core writes to file descriptor 2 and reads GRPC_VERBOSITY when it is loaded. Therefore
    use this before the first import of grpc.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    before, screen = (sys.__stderr__, sys.stderr), os.dup(2)
    raw = io.BufferedWriter(_Terminal(screen, "w"))
    with io.TextIOWrapper(raw, encoding="utf-8", errors="replace", line_buffering=True) as terminal:
        if path is None:
            log = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        else:
            log = _private(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(log, 2)
        os.close(log)
        sys.__stderr__ = sys.stderr = terminal  # type: ignore[misc]  # Final in the type stubs
        try:
            yield
        finally:
            sys.__stderr__, sys.stderr = before  # type: ignore[misc]
            os.dup2(screen, 2)


class _Terminal(io.FileIO):
    """A terminal. After it has gone away, writes are ignored and raise no error. Otherwise the
    thread that draws would fail, and the screen would wait for it without end."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return memoryview(data).nbytes


def _install(handler: logging.Handler) -> None:
    # Saves time: no line shows its place in the code, its thread or its process.
    logging._srcfile = None  # as the logging HOWTO says
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler.setFormatter(FieldFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


@lru_cache(1)
def _second(seconds: int) -> str:
    """A time in seconds since 1970 as text; cached, because many lines have the same second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _private(path: str | Path, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, mode=0o600)
    os.fchmod(descriptor, 0o600)  # an older file may be readable by others
    return descriptor


def _value(value: object) -> str:
    """The value of a field, quoted if its end would be ambiguous."""
    text = str(value)
    if _PLAIN(text) or (text and text.isprintable() and not set(text) & set(' ="\\')):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _visible(text: str) -> str:
    """`text` on one line, so that text of a host cannot look like a log record."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
