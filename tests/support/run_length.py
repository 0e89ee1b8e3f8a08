"""How long a run of the tests is. `make test` takes fewer examples of what is random, and repeats
fewer tests on PostgreSQL; `make test-all` takes all of them."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

ALL = os.environ.get("TESTS_ALL", "") == "1"
EACH_PARAMETER = "each_parameter"  # a mark
EACH_ENGINE = "each_engine"  # a mark
_EVERY = 5  # odd, so that both of two values of the last parameter come
_OF_SERVICE = "tests/service/"  # where a short run leaves something out
REPEATS = Path(__file__).with_name("databases") / "postgresql_repeats.txt"
_STORAGE = Path(__file__).parents[2] / "tui_manager" / "storage"
_ENGINE = ("engine/postgresql", "sql/postgresql")
EACH_REPEAT = os.environ.get("TESTS_EACH_REPEAT", "") == "1"  # for `postgresql_repeats.py`


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


@cache
def repeats() -> frozenset[str]:
    """The tests that execute nothing of PostgreSQL's engine that others do not, without their
    parameters: `databases/postgresql_repeats.py` has found them. None, if the engine has changed
    since then."""
    of_engine, *tests = REPEATS.read_text().splitlines()
    return frozenset(tests) if of_engine == hash_of_engine() else frozenset()


def hash_of_engine() -> str:
    """Changes with PostgreSQL's engine and SQL."""
    found = hashlib.sha256()
    for folder in _ENGINE:
        for file in sorted((_STORAGE / folder).rglob("*")):
            if file.suffix in (".py", ".sql"):
                found.update(file.read_bytes())
    return found.hexdigest()


def may_be_left_out(item: pytest.Item) -> bool:
    """Whether its repeat on PostgreSQL may be left out, if others execute the same there."""
    return item.nodeid.startswith(_OF_SERVICE) and not item.get_closest_marker(EACH_ENGINE)


def without_parameters(test: str) -> str:
    """The name of a test without what pytest puts in brackets."""
    return test.partition("[")[0]


def left_out(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Tests on PostgreSQL that a short run leaves out: `repeats`, and of each other test of
    `tests/service` with parameters all but every fifth. These run the same statements with other
    values, as they do on SQLite. A test whose parameters make other SQL has the mark
    `each_parameter`."""
    found: list[pytest.Item] = []
    seen: Counter[str] = Counter()
    for item in items:
        if ALL or not item.get_closest_marker("postgresql"):
            continue
        test = without_parameters(item.nodeid)
        if not EACH_REPEAT and may_be_left_out(item) and test in repeats():
            found.append(item)
        elif test.startswith(_OF_SERVICE) and not item.get_closest_marker(EACH_PARAMETER):
            if seen[test] % _EVERY:
                found.append(item)
            seen[test] += 1
    return found
