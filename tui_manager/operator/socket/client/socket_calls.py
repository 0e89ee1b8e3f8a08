"""One call of the client over its gRPC channel: who asks, how long it waits, how errors come back.
The parts of the client in `client.py` and beside it make their calls through this class."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from grpc import aio
from tui_manager_protos.v1.operator_pb2_grpc import OperatorServiceStub

from tui_manager.domain.errors import InvalidInputError, UnreachableError
from tui_manager.operator.actor import ACTOR_KEY, this_actor
from tui_manager.operator.socket.client.answer_timeout import AnswerTimeout
from tui_manager.operator.socket.convert_errors import error_of

_Request = TypeVar("_Request")
_Reply = TypeVar("_Reply")


class SocketCalls:
    """Calls the manager at the other end of a channel."""

    def __init__(self, channel: aio.Channel, state_dir: str) -> None:
        self._stub = OperatorServiceStub(channel)
        self._answer_timeout = AnswerTimeout(self._stub, state_dir)
        self._metadata = ((ACTOR_KEY, this_actor().encode()),)
        self._state_dir = state_dir

    async def _call(
        self,
        call: Callable[..., Awaitable[_Reply]],
        make: Callable[[], _Request],
        *,
        follows: bool = False,
        unclear: str = "",
    ) -> _Reply:
        """One call; a request that cannot be encoded is an InvalidInputError. `follows`
        and `unclear`: see AnswerTimeout."""
        request = _made(make)
        with self._errors():
            answer = call(request, metadata=self._metadata)
            return await self._answer_timeout.reply(answer, follows=follows, unclear=unclear)

    async def _messages(
        self,
        call: Callable[[_Request], aio.UnaryStreamCall[_Request, _Reply]],
        make: Callable[[], _Request],
    ) -> AsyncGenerator[_Reply, None]:
        """The messages of a call that ends when the manager ends. UnreachableError at their
        end."""
        request = _made(make)
        with self._errors():
            stream = call(request)
        try:
            with self._errors():
                while True:
                    message = await self._answer_timeout.reply(stream.read(), follows=True)
                    if message is aio.EOF:
                        break
                    yield cast("_Reply", message)
        finally:
            stream.cancel()
        raise UnreachableError(f"The manager on {self._state_dir} has gone.")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except aio.AioRpcError as failure:
            raise error_of(failure, self._state_dir) from failure
        except aio.UsageError as error:
            raise UnreachableError(
                "The connection to the manager is closed. Call its methods within `async with`."
            ) from error


def _made(make: Callable[[], _Request]) -> _Request:
    """A request. Raises InvalidInputError if it cannot be encoded."""
    try:
        return make()
    except (ValueError, OverflowError) as error:  # not UTF-8, or a number out of bounds
        raise InvalidInputError("request", f"That cannot be sent: {error}.") from error
