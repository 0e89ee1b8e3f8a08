"""Keeps Python's full garbage collections short: each stops every thread of the process.

A full collection looks at every object that may be part of a cycle: 80 ms for what the dashboard
imports, 400 ms with 5,000 hosts beside it, every few seconds while they answer. Nearly all of these
objects live as long as the process. What has survived a long collection is therefore set aside, and
the next ones look only at what has come since. Objects that were set aside still go when nothing
refers to them; for those in cycles everything is looked at now and then.

What 5,000 hosts have under way still takes 100 ms or more to look at, and nearly all of it goes by
itself. So full collections are rare as well.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_FULL = 2  # the generation of a full collection
_RARELY = 100  # collections of the generation before it until a full one; Python says 10
_LONG = 0.01  # seconds of CPU from which on a full collection is too long
_EVERY = 32  # times that something is set aside before everything is looked at again
_SHARE = 0.005  # of the time, at most, that goes into looking at everything


@contextmanager
def short_collections(
    long: float = _LONG,
    every: int = _EVERY,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Within the block; what exists when it begins is set aside, and full collections are rare.

    Args:
        long: seconds of CPU from which on what a full collection leaves is set aside.
        every: times that something is set aside before everything is looked at again.
        clock: monotonic seconds.
    """
    setting_aside = _SettingAside(long, every, clock)
    youngest, young, full = gc.get_threshold()
    gc.set_threshold(youngest, young, _RARELY)
    gc.freeze()
    gc.callbacks.append(setting_aside)
    try:
        yield
    finally:
        gc.callbacks.remove(setting_aside)
        gc.set_threshold(youngest, young, full)
        gc.unfreeze()


class _SettingAside:
    """Called at the beginning and at the end of each collection, in whichever thread it runs."""

    def __init__(self, long: float, every: int, clock: Callable[[], float]) -> None:
        self._long = long
        self._every = every
        self._clock = clock
        self._times = 0
        self._began = 0.0
        self._looks_at_all = False
        self._next_look = 0.0  # at everything, at the earliest

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < _FULL:
            return
        if phase == "start":
            self._looks_at_all = self._times >= self._every and self._clock() >= self._next_look
            if self._looks_at_all:
                gc.unfreeze()
            self._began = time.thread_time()
            return
        took = time.thread_time() - self._began
        if self._looks_at_all:
            self._times = 0
            self._next_look = self._clock() + took / _SHARE
            gc.freeze()
        elif took >= self._long:
            self._times += 1
            gc.freeze()
