"""How long a client waits for an answer. A stopped manager keeps its socket open and never answers;
a manager with a slow database answers late. To find out which it is, the client asks something that
needs no database."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from grpc import aio
from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.errors import NoAnswerError

_Reply = TypeVar("_Reply")

ANSWER_TIMEOUT = 10.0  # seconds without an answer
PROBE_TIMEOUT = 2.0  # the last of these seconds, in which the client asks whether it answers at all


class _Stub(Protocol):
    """The part of the generated stub that is used."""

    def WatchChanges(  # noqa: N802
        self, request: wire.WatchChangesRequest
    ) -> "aio.UnaryStreamCall[wire.WatchChangesRequest, wire.Changes]": ...


class AnswerTimeout:
    """Waits for the answers of one manager.

    Args:
        state_dir: whose manager it is, for the error.
    """

    def __init__(self, stub: _Stub, state_dir: str) -> None:
        self._stub = stub
        self._state_dir = state_dir

    async def reply(
        self, call: Awaitable[_Reply], *, follows: bool = False, unclear: str = ""
    ) -> _Reply:
        """Waits for the answer of a call.

        Args:
            follows: wait as long as the manager answers the probe.
            unclear: a sentence that says what the call may have done already.

        Raises:
            NoAnswerError: it has not answered within the limit; the call is cancelled.
        """
        waiting = asyncio.ensure_future(call)
        try:
            while True:
                await asyncio.wait((waiting,), timeout=ANSWER_TIMEOUT - PROBE_TIMEOUT)
                if waiting.done():
                    return await waiting
                answers = await self._answers(waiting)
                if not waiting.done() and not (answers and follows):
                    raise self._no_answer(answers, unclear)
        finally:
            if not waiting.done():
                waiting.cancel()
                await asyncio.wait((waiting,))
            if not waiting.cancelled():
                waiting.exception()  # the caller may be cancelled; asyncio must not log the error

    async def _answers(self, waiting: "asyncio.Future[_Reply]") -> bool:
        """Whether the manager answers the probe; meanwhile `waiting` may be done."""
        asking = asyncio.ensure_future(self._first_change())
        try:
            await asyncio.wait((waiting,), timeout=PROBE_TIMEOUT)
            return asking.done() and asking.result()
        finally:
            if not asking.done():
                asking.cancel()
                await asyncio.wait((asking,))

    async def _first_change(self) -> bool:
        """Asks for the first change of a watch, which comes at once."""
        stream = self._stub.WatchChanges(wire.WatchChangesRequest())
        try:
            return await stream.read() is not aio.EOF
        except aio.AioRpcError:
            return False
        finally:
            stream.cancel()

    def _no_answer(self, answers: bool, unclear: str) -> NoAnswerError:
        if answers:
            said = f"runs, but its database has not answered for {ANSWER_TIMEOUT:g} s."
        else:
            said = f"has not answered for {ANSWER_TIMEOUT:g} s; it may be stopped or overloaded."
        return NoAnswerError(f"The manager on {self._state_dir} {said} {unclear}".rstrip())
