"""The threads in which the store reads, writes and checks files, and locks for sets."""

import asyncio
from asyncio import sleep
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from tui_manager.open_in_thread import open_in_thread
from tui_manager.service.core.core import run_to_completion
from tui_manager.service.files.files_folder import FolderMissingError

_THREADS = 4
_CHECKS = 2  # sets that are checked at one time; a check of 1 GB takes seconds
_ATTEMPTS = 20
PAUSE = 0.5  # seconds between two attempts while the folder is missing


class _Closable(Protocol):
    def close(self) -> None: ...


T = TypeVar("T")
F = TypeVar("F", bound=_Closable | None)


class FileThreads:
    """Runs what blocks. A caller that is cancelled waits until its call has ended, so that nothing
    is closed under it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "files")
        self._checks = ThreadPoolExecutor(_CHECKS, "files-check")

    async def run(self, call: Callable[..., T], *arguments: Any, long: bool = False) -> T:
        """Runs `call` with these arguments. While the folder is missing, it tries again for 10 s.

        Args:
            long: it reads all bytes of a set.

        Raises:
            FolderMissingError: the folder is missing still.
            Exception: what `call` raises.
        """
        threads = self._checks if long else self._threads
        return await run_to_completion(self._run(lambda: call(*arguments), threads))

    async def open(self, call: Callable[..., F], *arguments: Any, long: bool = False) -> F:
        """Runs `call` as `run` does. If the caller is cancelled meanwhile, what was opened is
        closed."""
        return await open_in_thread(
            lambda: call(*arguments), _close, lambda work: self.run(work, long=long)
        )

    async def _run(self, call: Callable[[], T], threads: ThreadPoolExecutor) -> T:
        loop = asyncio.get_running_loop()
        for _ in range(_ATTEMPTS):
            try:
                return await loop.run_in_executor(threads, call)
            except FolderMissingError:
                await sleep(PAUSE)
        return await loop.run_in_executor(threads, call)

    def submit(self, call: Callable[[], T]) -> "asyncio.Future[T]":
        """Runs `call` once, and goes on if nobody waits for it any more."""
        return asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def close(self) -> None:
        """Waits for what runs."""
        for threads in (self._threads, self._checks):
            await asyncio.to_thread(threads.shutdown)


def _close(opened: _Closable | None) -> None:
    if opened is not None:
        opened.close()


class SetLocks:
    """A lock for each set: who has it may move the set into its place, or remove it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, sha256: str) -> asyncio.Lock:
        """The lock of a set."""
        lock = self._locks.get(sha256)
        if lock is None:
            lock = self._locks[sha256] = asyncio.Lock()
        return lock
