"""The file parts that one stream may bring: only what the manager has asked for, in that order."""

from collections import deque

from tui_manager.domain.hosts.file_transfer import FilePiece, FileRequest

_ENDED_MAX = 1000  # executions whose requests have ended and may still be answered


class RequestedParts:
    """What was asked for and has not come.

    The requests of an execution may end before they are answered. Their answers may then still come
    for a while, or not, and are dropped.
    """

    def __init__(self) -> None:
        self._asked: dict[str, deque[FileRequest]] = {}
        self._ended: dict[str, None] = {}

    def ask(self, request: FileRequest) -> None:
        """This was asked for. What was asked before its requests ended may come all the same."""
        self._asked.setdefault(request.execution_id, deque()).append(request)

    def end(self, execution_id: str) -> None:
        """What was asked for this execution is not wanted any more."""
        if self._asked.pop(execution_id, None) is not None:
            self._ended[execution_id] = None
            if len(self._ended) > _ENDED_MAX:
                del self._ended[next(iter(self._ended))]

    def has_ended(self, execution_id: str) -> bool:
        """Whether answers may come that nobody wants."""
        return execution_id in self._ended

    def take(self, piece: FilePiece) -> bool:
        """Takes an answer; False: it is not the next one of its execution. One with a problem
        ends all requests of its execution."""
        asked = self._asked.get(piece.execution_id)
        if not asked:
            return False
        first = asked[0]
        if piece.part is not first.part or piece.offset != first.offset:
            return False
        if piece.problem:
            del self._asked[piece.execution_id]
            return True
        if not 0 < piece.length <= first.length:
            return False
        asked.popleft()
        if left := first.length - piece.length:
            asked.appendleft(
                FileRequest(piece.execution_id, first.part, first.offset + piece.length, left)
            )
        elif not asked:
            del self._asked[piece.execution_id]
        return True
