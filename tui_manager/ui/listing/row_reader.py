"""Reads the pages of a long list: the rows in sight, and pages where a missing row may be.

It knows no widget. What it reads goes into a `RowWindow`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import replace
from typing import Generic

from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Row, Window
from tui_manager.ui.listing.row_window import MARGIN, RowWindow

NEAR = 8  # marks that are looked for at their last numbers before the whole list is read
IN_TURN = 2  # marks that one reload looks for at their last numbers; the next one takes others


class RowReader(Generic[Row]):
    """Reads one list.

    Args:
        rows: what is held of the list.
        fetch: reads one page. May raise ManagerError.

    Attributes:
        window: how the list is filtered and sorted. A page that was asked for with another window
            is dropped.
        lock: held while several pages are read that belong together.
    """

    def __init__(
        self, rows: RowWindow[Row], fetch: Callable[[Window], Awaitable[Page[Row]]]
    ) -> None:
        self._rows = rows
        self._fetch = fetch
        self.window = Window()
        self.lock = asyncio.Lock()

    async def read(self, first: int, height: int) -> tuple[int, Page[Row]] | None:
        """The page around `height` rows from `first` on, and its offset. None if the window was
        replaced meanwhile."""
        offset, limit = self._rows.page_around(first, height)
        window = self.window
        page = await self._fetch(replace(window, offset=offset, limit=limit))
        return (offset, page) if self.window is window else None

    async def find_marks(self) -> None:
        """Reads until it is known which marked rows are in the list."""
        async with self.lock:
            window = self.window
            for key, number in [*self._rows.missing_marks.items()][:NEAR]:
                await self._read_near(window, key, number)
            await self._read_all(
                window, lambda: self._rows.missing.keys() & self._rows.marks.keys()
            )

    async def read_matching(self, limit: int) -> Sequence[Row] | None:
        """The first `limit` rows that pass the filter. None if the window was replaced meanwhile.
        A filter that has not looked at all rows is asked until it has."""
        async with self.lock:
            window, rows = self.window, list[Row]()
            while self.window is window:
                count = min(LIMIT_MAX, limit - len(rows))
                page = await self._fetch(replace(window, offset=len(rows), limit=count))
                rows += page.rows
                if len(rows) >= min(limit, page.matching) and not page.partial:
                    return rows
                if len(rows) >= limit:
                    return rows
            return None

    async def find_missing(self) -> bool:
        """Reads until the number of the selected row is known, or that it is not in the list. The
        same for marks without a last number, and for some of the other marks.

        Returns False if the window was replaced meanwhile. The caller holds the lock.
        """
        window = self.window
        if self._rows.key in self._rows.missing:
            await self._read_near(window, self._rows.key, self._rows.cursor)
        for key, number in [*self._rows.missing_marks.items()][:IN_TURN]:
            await self._read_near(window, key, number)
        await self._read_all(window, lambda: self._rows.missing_anywhere)
        return self.window is window

    async def _read_near(self, window: Window, key: str, number: int) -> None:
        if self.window is window and key in self._rows.missing:
            await self._learn(window, max(0, number - MARGIN), 2 * MARGIN + 1)

    async def _read_all(self, window: Window, keys: Callable[[], Set[str]]) -> None:
        """Reads from the first row on until no key is missing."""
        page, offset = None, 0
        while self.window is window and keys():
            if page is not None and page.partial:
                return
            if page is not None and offset >= page.matching:
                self._rows.set_missing_absent()
                return
            page = await self._learn(window, offset, LIMIT_MAX)
            offset += LIMIT_MAX

    async def _learn(self, window: Window, offset: int, limit: int) -> Page[Row]:
        page = await self._fetch(replace(window, offset=offset, limit=limit))
        if self.window is window:
            self._rows.learn(offset, page)
        return page
