"""What `test_garbage_collection.py` runs, each function in a process of its own. There are only the
collections that it asks for."""

import gc
import math
import weakref

from tui_manager.garbage_collection import short_collections

PYTHON = (700, 10, 10)  # its own thresholds


class Knot:
    """Refers to itself: only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


def what_survives_a_long_full_collection_is_set_aside() -> None:
    with short_collections(long=0):
        before = gc.get_freeze_count()
        kept = [Knot() for _ in range(100)]
        gc.collect()
        assert gc.get_freeze_count() >= before + len(kept)


def what_survives_a_short_one_is_not() -> None:
    with short_collections(long=1e9):
        kept = [Knot() for _ in range(100)]
        before = gc.get_freeze_count()
        gc.collect()
        assert gc.get_freeze_count() <= before
        assert kept


def a_cycle_that_ends_after_it_was_set_aside_goes_when_everything_is_looked_at() -> None:
    with short_collections(long=0, freezes=2):
        knot = Knot()
        alive = weakref.ref(knot)
        gc.collect()
        del knot
        gc.collect()
        assert alive() is not None
        gc.collect()
        assert alive() is None


def everything_is_not_looked_at_again_at_once() -> None:
    with short_collections(long=0, freezes=1, clock=lambda: 0.0):
        gc.collect()
        gc.collect()  # looks at everything, and the clock stands
        knot = Knot()
        alive = weakref.ref(knot)
        gc.collect()
        del knot
        gc.collect()
        assert alive() is not None


def afterwards_all_is_as_before() -> None:
    callbacks = list(gc.callbacks)
    with short_collections():
        assert gc.get_freeze_count() > 0
    assert gc.callbacks == callbacks
    assert gc.get_freeze_count() == 0


def collections_are_rarer_and_then_as_before() -> None:
    before = gc.get_threshold()
    with short_collections():
        young, full = gc.get_threshold()[0], math.prod(gc.get_threshold())
        assert young >= 10 * PYTHON[0]
        assert full >= 10 * math.prod(PYTHON)
    assert gc.get_threshold() == before
