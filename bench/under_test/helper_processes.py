"""Processes of a benchmark that are started, asked, and ended: see `answer_questions.py` for their
side."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from bench.clean_up import end

_LINE = 64 << 20  # bytes of an answer at most


class WorkerDiedError(Exception):
    """A process of the benchmark has ended before its time; what it said is on stderr."""


class Worker:
    """One process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def ask(self, *words: object) -> Any:
        """What it answers. Raises WorkerDiedError."""
        assert self._process.stdin
        assert self._process.stdout
        line = b""
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
            await self._process.stdin.drain()
            line = await self._process.stdout.readline()
        if not line:
            status = await self._process.wait()
            raise WorkerDiedError(f"{self._name} ended with status {status} when asked: {words}")
        return json.loads(line)

    async def end(self) -> None:
        """Ends it and waits until it has."""
        await end(self._process)


@asynccontextmanager
async def worker(
    module: str, *arguments: object, python: str = sys.executable
) -> AsyncIterator[Worker]:
    """`python -m module arguments` until the block is left."""
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", module, *map(str, arguments)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "GRPC_VERBOSITY": "NONE"},
        limit=_LINE,
        start_new_session=True,  # ctrl-c is for who started it
    )
    started = Worker(module, process)
    try:
        yield started
    finally:
        await started.end()


@asynccontextmanager
async def crew(
    module: str, address: str, count: int, processes: int, *options: object
) -> AsyncIterator[Sequence[Worker]]:
    """`count` of something, shared out over processes that are told address, count and first."""
    async with AsyncExitStack() as stack:
        workers = []
        for first, size in shares(count, processes):
            arguments = (address, size, first, *options)
            workers.append(await stack.enter_async_context(worker(module, *arguments)))
        yield workers


def shares(count: int, processes: int) -> list[tuple[int, int]]:
    """First number and size of each share; none is empty."""
    used = max(1, min(processes, count))
    ends = [count * part // used for part in range(used + 1)]
    return [(ends[part], ends[part + 1] - ends[part]) for part in range(used)]


async def ask_all(workers: Sequence[Worker], *words: object) -> list[Any]:
    """Asks all at once."""
    return await asyncio.gather(*(each.ask(*words) for each in workers))
