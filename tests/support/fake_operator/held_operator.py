"""An operator whose answers come when a test lets them."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.fake_operator.fake_operator import FakeOperator


class HeldOperator:
    """Answers as another one does, at once until `hold` is called."""

    def __init__(self, operator: FakeOperator) -> None:
        self._operator = operator
        self._released = asyncio.Event()
        self._released.set()
        self.asked: list[str] = []  # the calls that wait

    def hold(self) -> None:
        """From here on calls wait."""
        self.asked.clear()
        self._released.clear()

    def release(self) -> None:
        """All calls that wait are answered, and later ones at once."""
        self._released.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["HeldOperator"]:
        """What the app opens on mount."""
        async with self._operator.open():
            yield self

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._operator, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def held(*given: Any, **named: Any) -> Any:
            if not self._released.is_set():
                self.asked.append(name)
                await self._released.wait()
            return await found(*given, **named)

        return held
