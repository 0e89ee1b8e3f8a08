"""The facts that the host's owner adds in a file, `facts.toml`.

It is read again when it has changed. A fact that cannot be used is left out; if the file cannot be
read, understood or trusted, all of them are. The fact `facts_error` then says why.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path

from tui_manager_protos.rules.facts import VALUE_LIMIT, cut_value, is_fact_name

from tui_manager_agent.facts import machine_facts
from tui_manager_agent.policy.trusted_file import (
    UntrustedFileError,
    configuration_folder,
    read_trusted,
    signature,
)

FILE = "facts.toml"
OWN_LIMIT = 100  # facts in the file
ERROR = "facts_error"
_PROBLEMS_SHOWN = 5
_LOG = logging.getLogger(__name__)


class OwnerFacts:
    """The facts of the file as it is now. May be used by one thread at a time."""

    def __init__(self, path: Path | None) -> None:
        """`path` is the file that the owner names; None: the default one, if it exists."""
        self.path = path.absolute() if path else configuration_folder() / FILE
        self._must_be_there = path is not None
        self._signature: tuple[int, ...] | None = None
        self._facts: Mapping[str, str] = {}
        self._logged = ""

    def current(self) -> Mapping[str, str]:
        """The facts, read again if the file has changed."""
        try:
            found: tuple[int, ...] = signature(os.stat(self.path))
        except OSError as error:
            absent = isinstance(error, FileNotFoundError) and not self._must_be_there
            found = () if absent else (error.errno or 0,)
        if found != self._signature:
            self._signature = found
            self._facts = self._read() if found else {}
        return self._facts

    def _read(self) -> Mapping[str, str]:
        facts: dict[str, str] = {}
        try:
            text, self._signature = read_trusted(self.path)
            facts, problems = parse(text)
        except OSError as error:
            problems = [f"It cannot be read: {error.strerror}."]
        except ValueError as error:
            problems = [str(error)]
        except UntrustedFileError as error:
            self._signature = None  # the folders above it count too
            problems = [str(error)]
        shown = " ".join(problems[:_PROBLEMS_SHOWN])
        self._log(f"file={self.path} count={len(facts)} problems={shown!r}", shown)
        return {**facts, ERROR: cut_value(f"{self.path.name}: {shown}")} if shown else facts

    def _log(self, state: str, problems: str) -> None:
        if state != self._logged:
            self._logged = state
            _LOG.log(logging.WARNING if problems else logging.INFO, "own facts: %s", state)


def parse(text: str) -> tuple[dict[str, str], list[str]]:
    """The facts in the text of a file, and a sentence for each that cannot be used.

    Raises ValueError if it is not TOML.
    """
    import tomllib  # for hosts that have such a file

    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{error}.") from error
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None
    facts: dict[str, str] = {}
    problems = []
    for name, value in _flatten(fields):
        problem = _problem(name, value)
        if not problem and len(facts) == OWN_LIMIT:
            problem = f"{name} and what follows are left out: a file has at most {OWN_LIMIT} facts."
        if problem:
            problems.append(problem)
        else:
            facts[name] = _text(value)
        if len(facts) == OWN_LIMIT and problem:
            break
    return facts, problems


def _flatten(fields: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    """`[rack]` with `row = 3` is the fact `rack.row`."""
    for key, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _problem(name: str, value: object) -> str:
    """Why this is no fact; empty: it is one."""
    shown = name[:80]
    if not is_fact_name(name):
        return (
            f"{shown!r} is not a fact's name: up to 63 letters, digits, '.', '_', '/' and '-', "
            "of which the first is a letter or a digit."
        )
    if name in machine_facts.NAMES or name == ERROR or name.startswith(machine_facts.PREFIXES):
        return f"{shown} is a fact that the agent itself finds out; take another name."
    if not isinstance(value, (str, bool, int, float, date, time)):
        return f"{shown} must be a text, a number, a time, true or false."
    text = _text(value)
    if not text.isprintable():
        return f"{shown} has characters that cannot be printed."
    if len(text.encode()) > VALUE_LIMIT:
        return f"{shown} is longer than {VALUE_LIMIT} bytes."
    return ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return str(value)
