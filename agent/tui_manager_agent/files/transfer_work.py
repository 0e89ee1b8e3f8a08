"""What the work of a copy or a fetch shares with the agent's event loop.

The work runs in a thread of its own and may block there. The loop tells it to stop, and reads its
progress. A file of its own, because both kinds of work and the loop use it.
"""

import threading
from collections.abc import Callable
from typing import Protocol

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager_agent.journal.transfer_records import FileSet, Transferred

Piece = bytes | int  # an int stands for this many zero bytes


class StoppedError(Exception):
    """The work is to end now: a cancel, a timeout, or the agent ends. What is on disk stays as it
    is: if the transfer has ended, `TransferWork.discard` removes it, else the next agent goes on
    with it."""


class TransferError(Exception):
    """The transfer cannot be done. The text is for the operator: what, which path, what to do."""


class StopSignal:
    """Tells a work to end. Set by the loop; the work checks it at least once a piece."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._calls: list[Callable[[], None]] = []

    def call_when_set(self, call: Callable[[], None]) -> None:
        """Ends a wait of the work. Add it before the work runs."""
        self._calls.append(call)

    def set(self) -> None:
        self._event.set()
        for call in self._calls:
            call()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raises StoppedError if the work is to end."""
        if self._event.is_set():
            raise StoppedError


class TransferWork(Protocol):
    """A copy or a fetch."""

    @property
    def bytes(self) -> int:
        """Of the files that are done, and of the part of the one under way. Any thread may ask."""

    @property
    def files(self) -> int:
        """Those that are done. Any thread may ask."""

    def run(self) -> Transferred:
        """Does all of it, or the rest that an earlier agent left. Blocks.

        Raises StoppedError, TransferError, RefusedError (the policy), and OSError for the agent's
        own folder only: then it is run again if that was moved away.
        """

    def discard(self) -> None:
        """Removes what must not stay when the transfer has ended, however it did. Blocks; may be
        called without `run`. Raises nothing for what is not there. Raises OSError."""


class PieceSource(Protocol):
    """The data of a file set, which the manager sends piece by piece, as a copy reads it."""

    def want(self, offset: int, length: int) -> None:
        """These bytes of the data will be read, after those that were wanted before. Never blocks.

        Call it ahead of `read`, for some files (4 MiB or more) at once: what lies side by side is
        asked for together, and the manager sends while the files before it are written.
        """

    def read(self) -> Piece:
        """The next piece of what was wanted, in that order; never beyond the end of one `want`.

        Blocks until it is here, also while there is no manager. Raises StoppedError, and
        TransferError if the manager cannot send it.
        """


@dataclass(slots=True, eq=False)
class Request:
    """Bytes of a file set on this host that the manager asks for.

    Attributes:
        is_manifest: of the manifest; else of the data.
        is_over: nobody waits for its answer any more.
    """

    is_manifest: bool
    offset: int
    length: int
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """The manager's word about a file set that was offered.

    Attributes:
        problem: empty: it is stored for good, and the fetch is done; else a sentence.
        retry: a file has changed while it was read.
    """

    problem: str = ""
    retry: bool = False


class Requests(Protocol):
    """What the manager asks of a fetch, as the work of the fetch answers it."""

    def offer(self, files: FileSet) -> None:
        """Tells the manager what was found, now and again on each later stream. What it said of an
        earlier offer counts no longer."""

    def next(self) -> Request | Stored:
        """Blocks until the manager says something. Raises StoppedError."""

    def answer(self, request: Request, offset: int, piece: Piece) -> None:
        """Sends a piece of what was asked for, from `offset` on.

        Data has at most PART_LENGTH bytes, zeros what is left of the request. Blocks while the
        piece before it waits. It goes nowhere if the request is over. Raises StoppedError.
        """

    def refuse(self, request: Request, problem: str) -> None:
        """The bytes cannot be had: a sentence. Nothing more of this request is sent."""
