"""Requests from the manager, piece by piece, what a copy needs of its file set.

Pieces that have come but were not read yet count as under way. So the window also limits the
memory.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.transfer_window import (
    PART_LENGTH,
    REQUEST_LENGTH,
    TransferWindow,
)

from tui_manager_agent.files.transfer_work import Piece, StopSignal, TransferError

REQUESTS = 8  # unanswered ones of one copy


class UnaskedError(Exception):
    """The manager has sent what nobody asked for; the text says what."""


@dataclass(slots=True)
class PartRange:
    """Bytes of the manifest or of the data, from `at` to `end`."""

    is_manifest: bool
    at: int
    end: int

    def __str__(self) -> str:
        part = "manifest" if self.is_manifest else "data"
        return f"bytes {self.at} to {self.end} of the {part}"


class PieceRequests:
    """One copy's requests and what has arrived. The work's thread calls `want`, `want_manifest` and
    `read` (see `PieceSource`), the event loop everything else.

    Args:
        wake: is called, from any thread, when `next_request` may have one.
        stop: ends a wait of the work.
    """

    def __init__(self, wake: Callable[[], None], stop: StopSignal) -> None:
        self._wake = wake
        self._stop = stop
        self._changed = threading.Condition()
        self._reads: deque[int] = deque()  # bytes left of each `want`
        self._wanted: deque[PartRange] = deque()  # not asked for yet
        self._asked: deque[PartRange] = deque()  # the rest of those that are unanswered
        self._pieces: deque[Piece] = deque()
        self._first_at = 0  # of the first piece, bytes that were read
        self._unread = 0  # bytes of all pieces, but zeros
        self._hole = 0  # bytes to ask for next, as zeros came last; 0: something else came
        self._window = TransferWindow(time.monotonic)
        self._was_woken = False
        self._problem = ""
        stop.call_when_set(self._notify)

    # ----------------------------------------------------------------------------- in the thread

    def want(self, offset: int, length: int) -> None:
        self._want(PartRange(False, offset, offset + length))

    def want_manifest(self, offset: int, length: int) -> None:
        """As `want`, of the manifest."""
        self._want(PartRange(True, offset, offset + length))

    def read(self) -> Piece:
        with self._changed:
            while not self._pieces:
                self._check()
                if not self._reads:
                    raise ValueError("nothing is wanted that could be read")
                self._changed.wait()
            self._check()
            piece = self._take()
            self._wake_if_needed()
            return piece

    def _want(self, wanted: PartRange) -> None:
        if wanted.at == wanted.end:
            return
        with self._changed:
            self._reads.append(wanted.end - wanted.at)
            last = self._wanted[-1] if self._wanted else None
            if last and (last.is_manifest, last.end) == (wanted.is_manifest, wanted.at):
                last.end = wanted.end
            else:
                self._wanted.append(wanted)
            self._wake_if_needed()

    def _check(self) -> None:
        self._stop.check()
        if self._problem:
            raise TransferError(self._problem)

    def _take(self) -> Piece:
        """The first piece, or what of it belongs to the first `want`."""
        first = self._pieces[0]
        length = first if isinstance(first, int) else len(first)
        begin, size = self._first_at, min(length - self._first_at, self._reads[0])
        self._first_at += size
        if self._first_at == length:
            self._pieces.popleft()
            self._first_at = 0
        self._reads[0] -= size
        if not self._reads[0]:
            self._reads.popleft()
        if isinstance(first, int):
            return size
        self._unread -= size
        return first if size == length else first[begin : begin + size]

    def _wake_if_needed(self) -> None:
        if not self._was_woken and self._askable():
            self._was_woken = True
            self._wake()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # ------------------------------------------------------------------------------- in the loop

    @property
    def unanswered(self) -> int:
        """Requests that the manager has not answered to their end."""
        return len(self._asked)

    def limit_window(self, size: int) -> None:
        """Limits the bytes that may be under way."""
        with self._changed:
            self._window.largest = size

    def next_request(self) -> PartRange | None:
        """What to ask for now, if anything. Call it again after that."""
        with self._changed:
            length = self._askable()
            if not length:
                self._was_woken = False
                return None
            first = self._wanted[0]
            request = PartRange(first.is_manifest, first.at, first.at + length)
            first.at = request.end
            if first.at == first.end:
                self._wanted.popleft()
            self._window.asked(length)
            self._asked.append(PartRange(request.is_manifest, request.at, request.end))
            return request

    def receive(self, is_manifest: bool, offset: int, piece: Piece) -> bool:
        """Takes a piece. Returns whether a request is answered with it.

        Raises UnaskedError, and takes nothing then.
        """
        length = piece if isinstance(piece, int) else len(piece)
        got = PartRange(is_manifest, offset, offset + length)
        with self._changed:
            asked = self._asked[0] if self._asked else None
            if asked is None:
                raise UnaskedError(f"{got}, and nothing was asked for")
            if (asked.is_manifest, asked.at) != (is_manifest, offset) or got.end > asked.end:
                raise UnaskedError(f"{got}, and not what was asked for, {asked}")
            if length < 1 or (not isinstance(piece, int) and length > PART_LENGTH):
                raise UnaskedError(f"{got}, in a piece of {length} bytes")
            asked.at = got.end
            if asked.at == asked.end:
                self._asked.popleft()
            if not self._problem:
                self._pieces.append(piece)
            if isinstance(piece, int):
                self._hole = min(2 * max(self._hole, self._window.size // 4), REQUEST_LENGTH)
                self._window.received(length, sent=0)
            else:
                self._hole = 0
                self._unread += 0 if self._problem else length
                self._window.received(length)
            self._changed.notify_all()
            return asked.at == asked.end

    def fail(self, problem: str) -> None:
        """Ends the work with this problem, a sentence. Nothing more is requested, and pieces that
        still come are only counted."""
        with self._changed:
            self._problem = self._problem or problem
            self._wanted.clear()
            self._pieces.clear()
            self._changed.notify_all()

    def begin_session(self) -> None:
        """Requests again what was requested on an earlier stream, because it will not come any
        more."""
        with self._changed:
            self._wanted.extendleft(reversed(self._asked))
            self._asked.clear()
            self._window.restart()

    def _askable(self) -> int:
        """Bytes that may be asked for now. It waits for a quarter of the window, so that requests
        are not small. In a hole of a sparse file, of which hardly anything is sent, it asks for
        more and more, for one range at a time."""
        if not self._wanted or len(self._asked) >= REQUESTS:
            return 0
        first = self._wanted[0]
        length = first.end - first.at
        if self._hole and not self._asked and not self._unread:
            return min(length, self._hole)
        length = min(length, self._window.size // 4)
        return length if length <= self._window.room - self._unread else 0
