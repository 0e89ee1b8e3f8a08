"""Watches the changes of an operator, and always closes the iterator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from tui_manager.domain.errors import UnreachableError

if TYPE_CHECKING:
    from tui_manager.domain.manager.changes import Changes
    from tui_manager.operator.api import Operator


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
    ending: asyncio.Event, changes: AsyncIterator[Changes]
) -> AsyncIterator[AsyncIterator[Changes]]:
    """`changes`; they raise UnreachableError after `ending` is set."""
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
                    await asyncio.wait((step,))  # `changes` may be closed only after that
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
