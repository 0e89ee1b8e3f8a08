"""A command's two streams: pipes in, spool files out, one cap over both."""

from __future__ import annotations

import errno
import os

from tui_manager_agent.supervisor import record

CHUNK = 64 * 1024  # bytes: what a pipe holds


class Cap:
    """Bytes that may still be kept; both streams draw on it, and once cut it stays cut."""

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.failure = ""  # why the disk took no more, as a sentence


class Pipe:
    """One stream of the command, from the pipe's reading end into its spool file.

    Attributes:
        reader: descriptor to poll; -1 once the pipe has closed.
        writer: the end for the command; closed here after the spawn.
        stored, dropped: bytes so far.
    """

    def __init__(self, folder: int, name: str, cap: Cap) -> None:
        self._cap = cap
        self._folder = folder
        self._name = name
        self._spool = -1  # until there is something to keep
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.stored = 0
        self.dropped = 0

    def close_writer(self) -> None:
        os.close(self.writer)

    def take(self) -> bool:
        """Moves what is in the pipe to the spool; False when there was nothing more to move."""
        try:
            data = os.read(self.reader, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            os.close(self.reader)
            self.reader = -1
            return False
        self._keep(data)
        return True

    def _keep(self, data: bytes) -> None:
        stored = 0
        rest = memoryview(data)[: self._cap.left]
        try:
            if self._spool < 0 and rest:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._spool = record.open_private(self._name, flags, self._folder)
            while rest:
                written = os.write(self._spool, rest)
                stored += written
                rest = rest[written:]
            self._cap.left -= stored
        except OSError as error:
            self._cap.left = 0
            reason = os.strerror(error.errno or errno.EIO)
            self._cap.failure = f"the agent could not store more output: {reason}"
        self.stored += stored
        self.dropped += len(data) - stored

    def seal(self) -> None:
        """Makes the spool durable, its name apart; what comes later is discarded."""
        self._cap.left = 0
        if self.stored:
            try:
                os.fsync(self._spool)
            except OSError as error:
                self._cap.failure = f"the output may be incomplete: {error.strerror}"
        if self._spool >= 0:
            os.close(self._spool)
            self._spool = -1
