"""Converts errors between wire and domain: which gRPC status stands for which ManagerError. Around
each call, `answering` does so, and notes who asks."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc import aio

from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    ManagerError,
    NotFoundError,
    StorageError,
    UnreachableError,
)
from tui_manager.operator.actor import ACTOR_KEY, CURRENT_ACTOR, stated_actor

log = logging.getLogger(__name__)
Context = aio.ServicerContext[Any, Any]

# Metadata of an error that the manager itself raised. Its value is the field of an
# InvalidInputError, otherwise empty.
FIELD = "tui-manager-field"
MESSAGE_MAX = 2000  # characters of an error, because it is sent in a header of limited size

# How a write ends whose connection broke, if it fails before the status of the call is known.
_BROKEN_WRITE = (grpc.StatusCode.INTERNAL, "Internal error from Core")

# CANCELLED: a manager that ends has dropped a call that it had just taken. A client that cancels
# its own call gets no status.
_GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)

CODES: dict[type[ManagerError], grpc.StatusCode] = {
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    IllegalMoveError: grpc.StatusCode.FAILED_PRECONDITION,
    StorageError: grpc.StatusCode.ABORTED,
    UnreachableError: grpc.StatusCode.UNAVAILABLE,
    InvalidInputError: grpc.StatusCode.INVALID_ARGUMENT,
}
ERRORS = {code: kind for kind, code in CODES.items() if kind is not InvalidInputError}


def code_of(error: ManagerError) -> grpc.StatusCode:
    """The status of an error; UNKNOWN if it has none."""
    return next(
        (code for kind, code in CODES.items() if isinstance(error, kind)), grpc.StatusCode.UNKNOWN
    )


def message_of(error: ManagerError) -> str:
    """The text of an error, cut if it is too long for a header."""
    message = str(error)
    return message if len(message) <= MESSAGE_MAX else f"{message[: MESSAGE_MAX - 1]}…"


def field_of(error: ManagerError) -> str:
    """The field of an InvalidInputError in ASCII, as the header needs it."""
    field = error.field if isinstance(error, InvalidInputError) else ""
    return field.encode("ascii", "replace").decode()


def error_of(failure: aio.AioRpcError, state_dir: str) -> ManagerError:
    """The error that the manager raised, or an error for what gRPC itself reports.

    Args:
        failure: how a call ended.
        state_dir: whose manager was called.
    """
    code, message = failure.code(), failure.details() or ""
    field = dict(failure.trailing_metadata()).get(FIELD)
    if field is None:
        return _of_grpc(code, message, state_dir)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return InvalidInputError(str(field), message)
    return ERRORS.get(code, ManagerError)(message)


def _of_grpc(code: grpc.StatusCode, message: str, state_dir: str) -> ManagerError:
    if code in _GONE or (code, message) == _BROKEN_WRITE:
        return UnreachableError(f"The manager on {state_dir} has gone.")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ManagerError(
            f"The manager on {state_dir} is of another version and does not know this call."
        )
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return InvalidInputError("size", f"That is too much for one call: {message}")
    return ManagerError(
        f"The manager on {state_dir} failed; its log has the details ({code.name}: {message})."
    )


@asynccontextmanager
async def answering(context: Context, call: str, asked_by: str = "") -> AsyncIterator[None]:
    """Sets the actor of a call, and converts an error into its gRPC status."""
    stated = asked_by.encode() or dict(context.invocation_metadata() or ()).get(ACTOR_KEY)
    CURRENT_ACTOR.set(stated_actor(stated if isinstance(stated, bytes) else None))
    try:
        yield
    except ManagerError as error:
        await context.abort(code_of(error), message_of(error), ((FIELD, field_of(error)),))
    except Exception as error:
        log.exception("OperatorService.%s failed", call)
        await context.abort(grpc.StatusCode.INTERNAL, type(error).__name__)
