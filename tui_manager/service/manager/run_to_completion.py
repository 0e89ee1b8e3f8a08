"""Acts that are not left half done: what follows a commit happens also when the caller has gone."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def whole(act: Coroutine[Any, Any, T]) -> T:
    """Runs `act` to its end, also when its caller is cancelled meanwhile; that follows then."""
    acting = asyncio.ensure_future(act)
    try:
        return await asyncio.shield(acting)
    except asyncio.CancelledError:
        await asyncio.wait([acting])
        if not acting.cancelled():
            acting.exception()  # nobody is left to be told
        raise
