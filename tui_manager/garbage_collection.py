"""Keeps Python's full garbage collections short and rare, because each stops all threads.

A full collection examines every object that may be part of a cycle. This takes 80 ms for what the
dashboard imports, and 400 ms with 5,000 hosts, every few seconds while they answer. Nearly all of
these objects live as long as the process. Therefore objects that survive a long collection are
frozen (`gc.freeze`), and later collections examine only newer objects. A frozen object is still
freed when nothing refers to it. To free frozen cycles, all objects are examined again from time to
time.

The work of 5,000 hosts still takes 100 ms or more to examine, and nearly all of it is freed without
the collector. Therefore full collections are also made rare. Collections of new objects are made
rare too. Python's default is one for each 700 new objects, and a transaction with the results of
many hosts holds more than that, all of them in use.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_FULL = 2  # the generation of a full collection
# New objects until a collection of them (which takes 0.6 ms), such collections until one of the
# middle generation (5 ms at most), and such until a full one. Python's defaults are 700, 10 and 10.
_THRESHOLDS = (20_000, 5, 20)
_LONG = 0.01  # seconds of CPU; a full collection that takes longer is followed by a freeze
_FREEZES = 32  # before all objects are examined again
_START = 100_000  # new objects until a collection of a command; imports make 60,000 that all stay
_SHARE = 0.005  # highest share of the time for examining all objects


@contextmanager
def short_collections(
    long: float = _LONG,
    freezes: int = _FREEZES,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Within the block, older objects are frozen and collections are rare.

    Args:
        long: seconds of CPU; a full collection that takes longer is followed by a freeze.
        freezes: before all objects are examined again.
        clock: monotonic seconds.
    """
    freezer = _Freezer(long, freezes, clock)
    before = gc.get_threshold()
    gc.set_threshold(*_THRESHOLDS)
    gc.freeze()
    gc.callbacks.append(freezer)
    try:
        yield
    finally:
        gc.callbacks.remove(freezer)
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def rare_collections() -> Iterator[None]:
    """Within the block, there are few collections: a short command imports more than it makes."""
    threshold = gc.get_threshold()
    gc.set_threshold(_START, *threshold[1:])
    try:
        yield
    finally:
        gc.set_threshold(*threshold)


class _Freezer:
    """The callback of the collector, called before and after each collection in any thread."""

    def __init__(self, long: float, freezes: int, clock: Callable[[], float]) -> None:
        self._long = long
        self._freezes = freezes
        self._clock = clock
        self._count = 0
        self._began = 0.0
        self._examines_all = False
        self._next_examination = 0.0  # earliest time for all objects

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < _FULL:
            return
        if phase == "start":
            self._examines_all = (
                self._count >= self._freezes and self._clock() >= self._next_examination
            )
            if self._examines_all:
                gc.unfreeze()
            self._began = time.thread_time()
            return
        took = time.thread_time() - self._began
        if self._examines_all:
            self._count = 0
            self._next_examination = self._clock() + took / _SHARE
            gc.freeze()
        elif took >= self._long:
            self._count += 1
            gc.freeze()
