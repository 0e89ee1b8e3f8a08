"""Receives the files of one fetch: asks its agent for the bytes that the store lacks."""

import asyncio
from collections.abc import Callable

from tui_manager_protos.rules.files.transfer_window import (
    PART_LENGTH,
    REQUEST_LENGTH,
    TransferWindow,
)

from tui_manager.domain.hosts.file_transfer import FilePiece, FileRequest
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.service.files.receive_file_set import FileSetReceiver
from tui_manager.service.transfers.fetch_limit import FetchLimit

# Seconds without a byte, after which a fetch lets others have its turn. A fetch that receives lets
# them after as many seconds too, but first waits as long for what it has asked for.
STALLED_AFTER = 30.0


class StalledError(Exception):
    """Others wait for their turn, and nothing came for a while, or this one had its time."""


class ProblemOfAgentError(Exception):
    """The agent cannot read the bytes; the sentence that it gave."""


class ReceiveFiles:
    """The requests of one fetch on one session, and what came for them.

    Attributes:
        window: how many bytes may be asked for.
    """

    def __init__(
        self,
        execution_id: str,
        files: FileSet,
        turns: FetchLimit,
        ask: Callable[[FileRequest], None],
        monotonic: Callable[[], float],
        stalled_after: float = STALLED_AFTER,
    ) -> None:
        """
        Args:
            ask: sends a request to the agent.
            monotonic: returns seconds.
        """
        self._execution_id = execution_id
        self._files = files
        self._turns = turns
        self._ask = ask
        self.window = TransferWindow(monotonic)
        self._monotonic = monotonic
        self._stalled_after = stalled_after
        self._step = PART_LENGTH  # bytes of a request, if the window allows it
        self._came: asyncio.Queue[FilePiece] = asyncio.Queue()  # as many as were asked for
        self._began: float | None = None  # when its turn began

    def take(self, piece: FilePiece) -> None:
        """Takes an answer of the agent. Without a turn it is not kept, and is asked for anew: else
        all that wait would fill the memory."""
        if self._began is None and not piece.problem:
            self.window.received(piece.length, sent=piece.sent)
        else:
            self._came.put_nowait(piece)

    async def receive(self, incoming: FileSetReceiver) -> None:
        """Receives what is missing.

        Raises:
            StalledError: it must wait for another turn.
            ProblemOfAgentError: the agent cannot read the bytes.
            InvalidInputError, StorageError: see the store.
        """
        self._began = self._monotonic()
        try:
            await self._receive_part(incoming, FileSetPart.MANIFEST, self._files.manifest_size)
            await self._receive_part(incoming, FileSetPart.DATA, self._files.size)
        finally:
            self._began = None
            for _ in range(self._came.qsize()):
                self.take(self._came.get_nowait())

    async def _receive_part(self, incoming: FileSetReceiver, part: FileSetPart, size: int) -> None:
        asked = 0
        while (have := incoming.have(part)) < size:
            if asked < have or not self.window.under_way:
                asked = have
            if not self._must_end():
                asked = self._ask_for_more(part, asked, size)
            elif not self.window.under_way:
                raise StalledError
            piece = await self._next_piece()
            if piece.problem:
                raise ProblemOfAgentError(piece.problem)
            self.window.received(piece.length, sent=piece.sent)
            self._follow_hole(piece)
            if piece.part is part and piece.offset <= have < piece.offset + piece.length:
                await incoming.write(part, have, _behind(piece, have))

    def _ask_for_more(self, part: FileSetPart, asked: int, size: int) -> int:
        """Asks for as much as the window allows, and returns up to where."""
        self.window.largest = self._turns.largest_window
        while asked < size:
            if self._step > PART_LENGTH:  # in a hole, whose zeros need no window
                length, room = self._step, 2 * self._step - self.window.under_way
            else:
                length, room = min(self._step, self.window.size // 2), self.window.room
            length = max(1, min(length, size - asked))
            if length > room:
                break
            self.window.asked(length)
            self._ask(FileRequest(self._execution_id, part, asked, length))
            asked += length
        return asked

    def _follow_hole(self, piece: FilePiece) -> None:
        """Asks for more at once as long as only zeros come: an agent sends them as their number."""
        most = min(REQUEST_LENGTH, max(PART_LENGTH, self._turns.largest_window // 2))
        self._step = min(most, 2 * self._step) if isinstance(piece.content, int) else PART_LENGTH

    def _must_end(self) -> bool:
        """Whether it had its time, and others wait."""
        return self._turns.waited_for and self._had() >= self._stalled_after

    def _had(self) -> float:
        """Seconds since its turn began."""
        assert self._began is not None
        return self._monotonic() - self._began

    async def _next_piece(self) -> FilePiece:
        while True:
            patience = self._stalled_after
            if self._must_end():
                patience = max(0.0, 2 * self._stalled_after - self._had())
            try:
                async with asyncio.timeout(patience):
                    return await self._came.get()
            except TimeoutError:
                if self._turns.waited_for:
                    raise StalledError from None


def _behind(piece: FilePiece, offset: int) -> bytes | int:
    """The bytes of a piece from an offset on: some may have come before, as an answer to a request
    of an earlier turn."""
    skipped = offset - piece.offset
    if isinstance(piece.content, int):
        return piece.content - skipped
    return piece.content[skipped:] if skipped else piece.content
