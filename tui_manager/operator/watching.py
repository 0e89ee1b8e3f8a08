"""Watches the changes of an operator, and always closes the iterator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from tui_manager.domain.errors import UnreachableError

if TYPE_CHECKING:
    from tui_manager.domain.manager.changes import Changes
    from tui_manager.operator.api import Operator

_Event = TypeVar("_Event")


@asynccontextmanager
async def watching(operator: Operator) -> AsyncIterator[AsyncIterator[Changes]]:
    """`operator.watch()`; it is closed when the block ends."""
    changes = operator.watch()
    try:
        yield changes
    finally:
        # Only a generator has something to close.
        if isinstance(changes, AsyncGenerator):
            await changes.aclose()


@asynccontextmanager
async def until(
    ending: asyncio.Event, events: AsyncIterator[_Event]
) -> AsyncIterator[AsyncIterator[_Event]]:
    """`events`; they raise UnreachableError after `ending` is set."""
    async with aclosing(_until(ending, events)) as coming:
        yield coming


async def _until(
    ending: asyncio.Event, events: AsyncIterator[_Event]
) -> AsyncGenerator[_Event, None]:
    ended = asyncio.ensure_future(ending.wait())
    try:
        while not ending.is_set():
            step = asyncio.ensure_future(_next(events))
            try:
                await asyncio.wait((ended, step), return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not step.done():
                    step.cancel()
                    await asyncio.wait((step,))  # `events` may be closed only after that
            if step.cancelled():
                break
            event = step.result()
            if event is None:
                return
            yield event
        raise UnreachableError("The manager ends.")
    finally:
        ended.cancel()


async def _next(events: AsyncIterator[_Event]) -> _Event | None:
    return await anext(events, None)
