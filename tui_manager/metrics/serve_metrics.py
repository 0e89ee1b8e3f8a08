"""Serves the metrics of one manager: `/metrics` for Prometheus, `/healthz` for whoever restarts or
balances managers."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import TypeVar

from tui_manager.metrics.all_metrics import read_all
from tui_manager.metrics.exposition import Exposition
from tui_manager.metrics.http_server import Answer, HttpServer, Timeouts, listen
from tui_manager.metrics.manager_source import ManagerSource

T = TypeVar("T")
log = logging.getLogger(__name__)
LOOP_TIMEOUT = 5.0  # seconds for the manager's loop to answer; a scrape gives up after 10 s
WRITE_MAX = 30.0  # seconds that a change may wait for its transaction to end


class LoopStalledError(Exception):
    """The manager's loop does not answer."""


class ManagerPages:
    """What is answered. Called on the loop of the server, asks the manager's loop."""

    def __init__(
        self, source: ManagerSource, loop: asyncio.AbstractEventLoop, timeout: float = LOOP_TIMEOUT
    ) -> None:
        """
        Args:
            loop: the manager's.
            timeout: seconds for it to answer.
        """
        self._source = source
        self._loop = loop
        self._timeout = timeout
        self._exposition = Exposition()

    async def metrics(self, accept: str) -> Answer:
        """All metrics, in the format that is asked for."""
        try:
            readings = await self._ask(lambda: read_all(self._source))
        except LoopStalledError as error:
            return _unavailable(str(error))
        body, content_type = self._exposition.text(readings, accept)
        return Answer(body, content_type=content_type)

    async def health(self, _accept: str) -> Answer:
        """Whether the manager works."""
        try:
            problem = await self._ask(lambda: health_problem(self._source))
        except LoopStalledError as error:
            problem = str(error)
        return _unavailable(problem) if problem else Answer(b"ok\n")

    async def _ask(self, read: Callable[[], T]) -> T:
        """What `read` returns on the manager's loop. Raises LoopStalledError."""

        async def on_loop() -> T:
            return read()

        reading = on_loop()
        try:
            asked = asyncio.run_coroutine_threadsafe(reading, self._loop)
        except RuntimeError:  # the loop is closed
            reading.close()
            raise LoopStalledError("The manager has stopped.") from None
        try:
            return await asyncio.wait_for(asyncio.wrap_future(asked), self._timeout)
        except TimeoutError:
            raise LoopStalledError(
                f"The manager has not answered for {self._timeout:g} seconds."
            ) from None


def _unavailable(problem: str) -> Answer:
    return Answer(f"{problem}\n".encode(), HTTPStatus.SERVICE_UNAVAILABLE)


def health_problem(source: ManagerSource) -> str:
    """Why the manager cannot do its work, as a sentence; empty: it can."""
    statistics, database = source.core.statistics, source.core.database
    if problem := statistics.storage_error or statistics.gauges.storage_problem():
        return f"The database cannot be written: {problem}"
    if (waited := database.waiting_for) > WRITE_MAX:
        return f"The database has not stored a change for {waited:.0f} seconds."
    return ""


@contextlib.asynccontextmanager
async def serve_metrics(
    address: str, source: ManagerSource, timeouts: Timeouts | None = None
) -> AsyncIterator[str]:
    """Serves metrics until the block is left, and yields the address with the real port. To be used
    on the manager's loop.

    Args:
        address: HOST:PORT; port 0 takes a free one.
        timeouts: for tests; None: the usual ones.

    Raises:
        InvalidInputError: the address cannot be listened on.
    """
    listening, real = await asyncio.to_thread(listen, address, "metrics")
    pages = ManagerPages(source, asyncio.get_running_loop())
    paths = {"/metrics": pages.metrics, "/healthz": pages.health}
    server = HttpServer(listening, paths, timeouts or Timeouts())
    await asyncio.to_thread(server.start)
    following = asyncio.create_task(source.work.run(), name="metrics")
    log.info("metrics are served", extra={"address": real})
    try:
        yield real
    finally:
        # The server may wait for this loop, which therefore must go on.
        await asyncio.to_thread(server.stop)
        following.cancel()
        await asyncio.wait([following])
