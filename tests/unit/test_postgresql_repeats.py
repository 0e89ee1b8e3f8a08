"""Which repeats on PostgreSQL a short run needs."""

import json
from pathlib import Path

import pytest

from tests.support import run_length
from tests.support.databases.postgresql_repeats import Executed, not_needed, read_notes
from tests.support.run_length import REPEATS, repeats

ROOT = Path(__file__).parents[2]


def executed(things: str, *, seconds: float = 1.0, repeats: bool = True) -> Executed:
    """Each letter is something that a test executes."""
    return Executed(set(things), seconds, repeats=repeats)


def test_a_repeat_is_needed_if_it_alone_executes_something() -> None:
    tests = {"one": executed("ab"), "part": executed("a"), "other": executed("ac")}
    assert not_needed(tests, times=1) == ["part"]


def test_what_is_for_postgresql_alone_runs_in_any_case() -> None:
    tests = {"only": executed("abc", repeats=False), "same": executed("ab"), "more": executed("ad")}
    assert not_needed(tests, times=1) == ["same"]


def test_of_two_that_execute_the_same_the_short_one_is_taken() -> None:
    tests = {"long": executed("ab", seconds=9), "short": executed("ab", seconds=1)}
    assert not_needed(tests, times=1) == ["long"]


def test_each_thing_is_executed_by_two_tests_if_there_are_so_many() -> None:
    tests = {name: executed("ab", seconds=number) for number, name in enumerate(("x", "y", "z"))}
    assert not_needed(tests | {"alone": executed("c")}) == ["z"]


def test_the_parameters_of_a_test_are_taken_together() -> None:
    def note(parameter: int, *executed: str) -> str:
        test = f"f.py::test_it[postgresql-{parameter}]"
        return json.dumps({"test": test, "executed": executed, "seconds": 2, "repeats": True})

    found = read_notes([note(1, "a"), note(2, "a", "b")])
    assert found == {"f.py::test_it": Executed({"a", "b"}, 4.0)}


def test_the_list_names_tests() -> None:
    _, *names = REPEATS.read_text().splitlines()
    missing = []
    for name in names:
        file, _, test = name.partition("::")
        path = ROOT / file
        if not path.is_file() or f"def {test}(" not in path.read_text():
            missing.append(name)
    assert names
    assert not missing, "`make repeats` writes the list anew"


def test_after_a_change_of_the_engine_all_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_length, "hash_of_engine", lambda: "another")
    assert repeats.__wrapped__() == frozenset()
