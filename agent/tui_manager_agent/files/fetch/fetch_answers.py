"""Passes the requests of the manager to the thread of a fetch, which reads files, and the answers
to the event loop, which sends the pieces one by one.

One piece waits at a time, so the memory stays small whatever the manager requests.
"""

import threading
from collections import deque
from collections.abc import Callable

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH, REQUEST_LENGTH

from tui_manager_agent.files.transfer_work import Piece, Request, StopSignal, Stored
from tui_manager_agent.journal.transfer_records import FileSet

REQUESTS = 64  # unanswered ones of one fetch


class TooManyRequestsError(Exception):
    """The manager asks for more than it may."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A part of the answer to a request: some bytes, or why there are none."""

    is_manifest: bool
    offset: int
    piece: Piece = b""
    problem: str = ""


class FetchAnswers:
    """One fetch's requests and answers. The work's thread calls what `Requests` has, the event loop
    everything else.

    Args:
        wake: is called, from any thread, when `next_message` has one.
        stop: ends a wait of the work.
    """

    def __init__(self, wake: Callable[[], None], stop: StopSignal) -> None:
        self._wake = wake
        self._stop = stop
        self._changed = threading.Condition()
        self._asked: deque[Request] = deque()
        self._stored: Stored | None = None
        self._offered: FileSet | None = None
        self._must_offer = False
        self._waiting: Answer | None = None
        stop.call_when_set(self._notify)

    # ----------------------------------------------------------------------------- in the thread

    def offer(self, files: FileSet) -> None:
        with self._changed:
            self._drop_requests()
            self._stored = None
            self._offered, self._must_offer = files, True
        self._wake()

    def next(self) -> Request | Stored:
        with self._changed:
            while True:
                self._stop.check()
                if self._asked:
                    return self._asked[0]
                if self._stored is not None:
                    return self._stored
                self._changed.wait()

    def answer(self, request: Request, offset: int, piece: Piece) -> None:
        length = piece if isinstance(piece, int) else len(piece)
        left = request.offset + request.length - offset
        if not 0 < length <= left or (not isinstance(piece, int) and length > PART_LENGTH):
            raise ValueError(f"a piece of {length} bytes, of {left} that are left")
        self._send(request, Answer(request.is_manifest, offset, piece), is_last=length == left)

    def refuse(self, request: Request, problem: str) -> None:
        answer = Answer(request.is_manifest, request.offset, problem=problem)
        self._send(request, answer, is_last=True)

    def _send(self, request: Request, answer: Answer, *, is_last: bool) -> None:
        with self._changed:
            while self._waiting is not None and not request.is_over:
                self._stop.check()
                self._changed.wait()
            if request.is_over:
                return
            self._waiting = answer
            if is_last:
                request.is_over = True
                self._asked.remove(request)
        self._wake()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # ------------------------------------------------------------------------------- in the loop

    def ask(self, request: Request) -> None:
        """The manager asks for something. Raises TooManyRequestsError."""
        with self._changed:
            if len(self._asked) >= REQUESTS or not 0 < request.length <= REQUEST_LENGTH:
                raise TooManyRequestsError(f"{len(self._asked)} requests, {request.length} bytes")
            self._asked.append(request)
            self._changed.notify_all()

    def on_stored(self, stored: Stored) -> None:
        """The manager has stored what was offered, or says why not. It needs nothing more then."""
        with self._changed:
            if self._offered is not None and not self._must_offer:
                self._drop_requests()
                self._stored = stored
                self._changed.notify_all()

    def begin_session(self) -> None:
        """Forgets the requests of an earlier stream: nobody waits for their answers."""
        with self._changed:
            self._drop_requests()
            self._must_offer = self._offered is not None

    def next_message(self) -> FileSet | Answer | None:
        """What is to be sent now, if anything. Call it again after that."""
        with self._changed:
            if self._must_offer:
                self._must_offer = False
                return self._offered
            answer, self._waiting = self._waiting, None
            self._changed.notify_all()
            return answer

    def _drop_requests(self) -> None:
        for request in self._asked:
            request.is_over = True
        self._asked.clear()
        self._waiting = None
        self._changed.notify_all()
