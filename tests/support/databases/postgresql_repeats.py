"""Which tests a short run repeats on PostgreSQL.

Tests of `tests/service` and `tests/storage` run on SQLite, and again on PostgreSQL. A repeat is for
`make test-all` only, if other tests execute all that it executes of PostgreSQL's engine: the same
lines of its code, and the same statements with as many rows in the answer. The file
`postgresql_repeats.txt` lists the tests whose repeats these are: a new test is repeated. Its first
line is a hash of the engine: after a change of that, all tests are repeated until the list is new.
`python -m tests.support.databases.postgresql_repeats` writes it:

- It runs all tests on PostgreSQL, and notes what each executes (`executed_on_postgresql.py`).
- Tests that are for PostgreSQL alone run in any case. So do those of `tests/storage`, which compare
  what SQL decides with the rules of the domain, and those with the mark `each_engine`.
- Of the others it takes the one that adds most for its time, again and again, until `_TIMES` tests
  were taken for each thing that was executed, or all that execute it: some things are executed by
  chance, or not any more after a change of the test.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.databases import executed_on_postgresql
from tests.support.run_length import REPEATS, hash_of_engine, without_parameters

_ROOT = Path(__file__).parents[3]
_TIMES = 2
_START = 0.05  # seconds that each test takes at least
_TESTS = (
    ("-m", "postgresql", "tests/service", "tests/storage"),
    ("tests/storage/postgresql",),  # on PostgreSQL alone, and so without the mark
)


@dataclass(slots=True)
class Executed:
    """What a test executes of PostgreSQL's engine.

    Attributes:
        seconds: of the processor, for all its parameters.
        repeats: whether it runs on SQLite too.
    """

    things: set[str] = field(default_factory=set)
    seconds: float = 0.0
    repeats: bool = True


def not_needed(tests: Mapping[str, Executed], times: int = _TIMES) -> list[str]:
    """The tests that repeat only what so many others execute."""
    executing = Counter(thing for test in tests.values() for thing in test.things)
    missing = {thing: min(times, number) for thing, number in executing.items()}
    left = sorted(name for name, test in tests.items() if test.repeats)
    for test in tests.values():
        if not test.repeats:
            _take(test, missing)
    while missing:
        best = max(
            left,
            key=lambda name: (
                len(tests[name].things & missing.keys()) / (tests[name].seconds + _START)
            ),
        )
        left.remove(best)
        _take(tests[best], missing)
    return left


def _take(test: Executed, missing: dict[str, int]) -> None:
    for thing in test.things & missing.keys():
        missing[thing] -= 1
        if not missing[thing]:
            del missing[thing]


def read_notes(lines: Iterable[str]) -> dict[str, Executed]:
    """What tests have executed, each with all its parameters."""
    found: dict[str, Executed] = defaultdict(Executed)
    for note in map(json.loads, lines):
        test = found[without_parameters(note["test"])]
        test.things |= set(note["executed"])
        test.seconds += note["seconds"]
        test.repeats &= note["repeats"]
    return found


def _run() -> list[str]:
    """Runs the tests on PostgreSQL, and returns the notes of them."""
    plugin = ("-q", "-p", executed_on_postgresql.__name__)
    with tempfile.TemporaryDirectory() as folder:
        variables = {executed_on_postgresql.NOTES: folder, "TESTS_EACH_REPEAT": "1"}
        for words in _TESTS:
            subprocess.run(
                [sys.executable, "-m", "pytest", *plugin, *sys.argv[1:], *words],
                cwd=_ROOT,
                env={**os.environ, **variables},
                check=True,
            )
        return [line for file in Path(folder).iterdir() for line in file.open()]


def _main() -> None:
    tests = read_notes(_run())
    left_out = not_needed(tests)
    REPEATS.write_text("".join(f"{line}\n" for line in (hash_of_engine(), *left_out)))
    repeats = [test for test in tests.values() if test.repeats]
    took = sum(tests[name].seconds for name in left_out)
    print(  # noqa: T201
        f"{len(left_out)} of {len(repeats)} repeats are left out of a short run, "
        f"{took:.0f} of {sum(test.seconds for test in repeats):.0f} s"
    )


if __name__ == "__main__":
    _main()
