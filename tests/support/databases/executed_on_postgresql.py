"""A plugin of pytest that notes what each test executes of PostgreSQL's engine: the lines of its
code, and the statements of the product, each with how much it answered: nothing, one row, more rows
or an error. `postgresql_repeats.py` reads the notes.

What is not noted: the SQL of tests, and the values of statements.
"""

import importlib
import json
import os
import pkgutil
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import pytest

from tests.support.databases.engines import POSTGRESQL
from tests.support.run_length import may_be_left_out
from tui_manager.storage.engine import postgresql
from tui_manager.storage.engine.postgresql import postgresql_transaction

NOTES = "NOTES_OF_POSTGRESQL"  # the variable with the folder for the notes
_ROOT = Path(__file__).parents[3]
_PRODUCT = f"{_ROOT}/tui_manager/"
_ENGINE = f"{_PRODUCT}storage/engine/postgresql/"
_CALLS = postgresql_transaction.__file__  # sends the SQL of others
_TESTS = f"{_ROOT}/tests/"
_MANY = 2  # rows
# Numbers and names that differ from run to run.
_VARYING = re.compile(r'"[^"]*\d[^"]*"|\d+')
_noted: set[str] = set()  # of the test that runs


def _trace(frame: FrameType, event: str, value: object) -> "Callable[..., Any] | None":
    """Notes lines of the engine, in each thread."""
    file = frame.f_code.co_filename
    if not file.startswith(_ENGINE):
        return None
    name = file.removeprefix(_ENGINE)

    def note(frame: FrameType, event: str, value: object) -> "Callable[..., Any]":
        if event == "line":
            _noted.add(f"line {name}:{frame.f_lineno}")
        return note

    return note


def _is_of_product() -> bool:
    """Whether the statement that is being sent is one of the product."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_TESTS):
            return False
        if file.startswith(_PRODUCT) and file != _CALLS:
            return True
        frame = frame.f_back
    return False


def _watch(name: str) -> None:
    """Notes the statements that a method of cursors sends."""
    send = getattr(psycopg.Cursor, name)

    def watched(cursor: Any, query: Any, *arguments: Any, **keywords: Any) -> Any:
        if not _is_of_product():
            return send(cursor, query, *arguments, **keywords)
        text = query.decode() if isinstance(query, bytes) else str(query)
        text = _VARYING.sub("#", text)
        try:
            result = send(cursor, query, *arguments, **keywords)
        except psycopg.Error as error:
            _noted.add(f"sql {text} failed: {error.sqlstate}")
            raise
        rows = min(cursor.rowcount, _MANY) if name != "copy" else 0
        _noted.add(f"sql {text} rows: {rows}")
        return result

    setattr(psycopg.Cursor, name, watched)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Notes one test."""
    _noted.clear()
    sys.settrace(_trace)
    threading.settrace(_trace)
    began = time.process_time()
    try:
        return (yield)
    finally:
        took = time.process_time() - began
        sys.settrace(None)
        note = {
            "test": item.nodeid,
            "repeats": _runs_on_sqlite_too(item) and may_be_left_out(item),
            "seconds": took,
            "executed": sorted(_noted),
        }
        with Path(os.environ[NOTES], f"{os.getpid()}.json").open("a") as file:
            file.write(json.dumps(note) + "\n")


def _runs_on_sqlite_too(item: Any) -> bool:
    """Whether its mark comes from its parameter `engine` alone."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or callspec.params.get("engine") != POSTGRESQL:
        return False
    of_parameters = [mark for mark in callspec.marks if mark.name == POSTGRESQL]
    return len(list(item.iter_markers(POSTGRESQL))) == len(of_parameters)


# A module is executed when it is first imported, in whichever test that is.
for _module in pkgutil.walk_packages(postgresql.__path__, f"{postgresql.__name__}."):
    importlib.import_module(_module.name)
for _name in ("execute", "executemany", "copy"):
    _watch(_name)
