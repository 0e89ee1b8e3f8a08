"""Watching an operator's changes so that the iterator behind is always closed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import UnreachableError
from tui_manager.operator.api import Operator


@asynccontextmanager
async def watching(operator: Operator) -> AsyncIterator[AsyncIterator[Changes]]:
    """`operator.watch()`, closed when the block is left."""
    changes = operator.watch()
    try:
        yield changes
    finally:
        # An iterator with something to clean up is a generator.
        if isinstance(changes, AsyncGenerator):
            await changes.aclose()


@asynccontextmanager
async def until(
    ending: asyncio.Event, changes: AsyncIterator[Changes]
) -> AsyncIterator[AsyncIterator[Changes]]:
    """`changes`, which raise UnreachableError once `ending` is set."""
    async with aclosing(_until(ending, changes)) as coming:
        yield coming


async def _until(
    ending: asyncio.Event, changes: AsyncIterator[Changes]
) -> AsyncGenerator[Changes, None]:
    ended = asyncio.ensure_future(ending.wait())
    try:
        while True:
            step = asyncio.ensure_future(_next(changes))
            try:
                await asyncio.wait((ended, step), return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not step.done():
                    step.cancel()
                    await asyncio.wait((step,))  # only then may `changes` be closed
            if step.cancelled():
                raise UnreachableError("The manager ends.")
            change = step.result()
            if change is None:
                return
            yield change
    finally:
        ended.cancel()


async def _next(changes: AsyncIterator[Changes]) -> Changes | None:
    return await anext(changes, None)
