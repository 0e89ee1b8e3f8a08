"""Writes the two streams of a command from their pipes into spool files, with one limit for both.
`supervise.py` waits for data, and decides for how long it waits after the end of the command."""

from __future__ import annotations

import errno
import os

from tui_manager_agent.supervisor import record

CHUNK = 64 * 1024  # bytes: what a pipe holds


class OutputLimit:
    """Bytes that both streams together may still store. After the first dropped byte it is 0."""

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.failure = ""  # why the disk took no more, for the result


class Pipe:
    """One stream of the command, from the pipe's reading end into its spool file.

    Attributes:
        reader: descriptor to poll; -1 once the pipe has closed.
        writer: the end for the command; closed here after the spawn.
        stored, dropped: bytes so far.
    """

    def __init__(self, folder: int, name: str, output_limit: OutputLimit) -> None:
        self._output_limit = output_limit
        self._folder = folder
        self._name = name
        self._spool = -1  # until there is something to keep
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.stored = 0
        self.dropped = 0

    def close_writer(self) -> None:
        os.close(self.writer)

    def move(self) -> bool:
        """Moves data from the pipe to the spool. False if there was none."""
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
        rest = memoryview(data)[: self._output_limit.left]
        try:
            if self._spool < 0 and rest:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._spool = record.open_private(self._name, flags, self._folder)
            while rest:
                written = os.write(self._spool, rest)
                stored += written
                rest = rest[written:]
            self._output_limit.left -= stored
        except OSError as error:
            self._output_limit.left = 0
            reason = os.strerror(error.errno or errno.EIO)
            self._output_limit.failure = f"the agent could not store more output: {reason}"
        self.stored += stored
        self.dropped += len(data) - stored

    def finish(self) -> None:
        """Syncs the spool file, but not its folder. What comes later is discarded."""
        self._output_limit.left = 0
        if self.stored:
            try:
                os.fsync(self._spool)
            except OSError as error:
                self._output_limit.failure = f"the output may be incomplete: {error.strerror}"
        if self._spool >= 0:
            os.close(self._spool)
            self._spool = -1
