"""How long a run of the tests is. `make test` takes fewer examples of what is random, and fewer
parameters on PostgreSQL; `make test-all` takes all of them."""

import os
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

ALL = os.environ.get("TESTS_ALL", "") == "1"
EACH_PARAMETER = "each_parameter"  # a mark
_EVERY = 5  # odd, so that both of two values of the last parameter come


def examples(number: int, *, few: int) -> int:
    """How many examples a test has: `number` in a long run."""
    return number if ALL else few


def draw_no_constants_of_our_code() -> None:
    """In a short run, hypothesis draws what is random without the constants in our sources, as each
    process of the run would parse all of them for it."""
    if not ALL:
        providers._get_local_constants = _no_constants


def _no_constants() -> Constants:
    return providers._local_constants


def left_out(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Tests on PostgreSQL that a short run leaves out: of each test with parameters, it takes every
    fifth one. The others run the same statements with other values, as they do on SQLite. A test
    whose parameters make other SQL has the mark `each_parameter`."""
    found: list[pytest.Item] = []
    seen: Counter[str] = Counter()
    for item in items:
        if ALL or not item.get_closest_marker("postgresql"):
            continue
        if not item.get_closest_marker(EACH_PARAMETER):
            test = item.nodeid.partition("[")[0]
            if seen[test] % _EVERY:
                found.append(item)
            seen[test] += 1
    return found
