"""Parses the TARGET notation into the terms of `target_terms.py`.

target  = part *("," part)              union, from left to right
part    = ["!"] term *("&" term)        "!" takes the part away from everything so far
term    = "@all" | "@online" | "@offline" | "@maintenance" | "@" GROUP
        | ["fact."] KEY ("=" | "!=") GLOB | "task:" ID ":" CLASS
        | NAME with ranges | GLOB with ranges
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.targets.target_terms import (
    Everything,
    Fact,
    Glob,
    Group,
    HostState,
    InState,
    Label,
    Names,
    Notation,
    Part,
    TaskHosts,
    Term,
)
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.domain.text.host_name_ranges import NAMES_MAX, unfold_names

LENGTH_MAX = 10_000  # characters of a target
RESERVED_GROUPS = ("all", *HostState)  # words after `@` that are not groups
_DEPTH_MAX = 20  # groups in groups
_GLOBS_MAX = 100  # globs of one term after its ranges are expanded

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")  # hosts of older managers may begin with any of these
_NAME_LIKE = re.compile(r"[][A-Za-z0-9._*?,/-]+")
_LABEL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._/-]*)\s*(!?=)\s*([A-Za-z0-9._:/@+*?-]*)")
_GROUP = re.compile(r"@([A-Za-z0-9._-]+)")
_FACT = "fact."  # before a key: it is of a fact, not of a label
TASK_PREFIX = "task:"
_TASK_HOSTS = re.compile(r"task:([1-9][0-9]{0,17}):([a-z]+)")
_BRACKETED = re.compile(r"\[([^\[\]]*)\]")
_SPLIT = {operator: re.compile(rf"{operator}(?![^\[\]]*\])") for operator in ",&"}


def read_notation(target: str, groups: Mapping[str, str]) -> Notation:
    """Parses a target, the groups that it names, and the groups that these name.

    Raises InvalidInputError("target"): the notation is wrong, a group is not known or holds
    itself, or ranges spell out more than 100,000 names.
    """
    reader = _Reader(groups)
    parts = reader.read(target)
    reader.follow(parts, ())
    return Notation(parts, reader.read_groups)


def check_notation(target: str) -> None:
    """Raises InvalidInputError("target") if the notation is wrong, whatever hosts and groups there
    are."""
    _Reader({}).read(target)


class _Reader:
    """Parses one target; counts the names in it."""

    def __init__(self, groups: Mapping[str, str]) -> None:
        self._groups = groups
        self._names_left = NAMES_MAX
        self.read_groups: dict[str, tuple[Part, ...]] = {}

    def follow(self, parts: Iterable[Part], path: tuple[str, ...]) -> None:
        """Reads the groups that `parts` name; `path` is the groups that led here."""
        names = dict.fromkeys(t.name for p in parts for t in p.terms if isinstance(t, Group))
        for name in names:
            if name in path:
                steps = " → ".join(f"@{step}" for step in (*path[path.index(name) :], name))
                raise _wrong(f"The group @{name} holds itself: {steps}.")
            if name not in self.read_groups:
                self._enter(name, (*path, name))

    def _enter(self, name: str, path: tuple[str, ...]) -> None:
        if name not in self._groups:
            raise _wrong(f"There is no group @{name}.{self._known_groups()}")
        if len(path) > _DEPTH_MAX:
            raise _wrong(f"Groups lie in each other at most {_DEPTH_MAX} deep, at @{name}.")
        try:
            parts = self.read(self._groups[name])
        except InvalidInputError as error:
            raise _wrong(f"In group @{name}: {error}") from error
        self.follow(parts, path)
        # Only now: a group that names itself while it is parsed is a cycle.
        self.read_groups[name] = parts

    def _known_groups(self) -> str:
        known = sorted(self._groups)
        more = f" and {len(known) - 10} more" if len(known) > 10 else ""
        return f" Groups: {', '.join('@' + name for name in known[:10])}{more}." if known else ""

    def read(self, text: str) -> tuple[Part, ...]:
        """The parts of one text."""
        if len(text) > LENGTH_MAX:
            raise _wrong(f"A target has at most {LENGTH_MAX} characters, not {len(text)}.")
        if not text.strip():
            raise _wrong("The target is empty; name hosts, or @all.")
        parts = tuple(self._part(piece.strip()) for piece in _split(",", text))
        if parts[0].excludes:
            raise _wrong(
                f"{_shown(parts[0].text)} excludes from nothing; begin with what it is excluded "
                f"from, as in @all,{_shown(parts[0].text)}"
            )
        return parts

    def _part(self, text: str) -> Part:
        excludes = text.startswith("!")
        body = text[1:] if excludes else text
        terms = tuple(self._term(piece.strip()) for piece in _split("&", body))
        return Part(text, excludes, terms)

    def _term(self, text: str) -> Term:
        if not text:
            raise _wrong("Something is missing beside a ',', '&' or '!'.")
        if text.startswith("!"):
            raise _wrong(
                f"A '!' stands at the beginning of a part: write ',{_shown(text)}' instead of "
                f"'&{_shown(text)}', or KEY!=VALUE for a label."
            )
        if text.startswith("@"):
            return _group(text)
        if text.startswith(TASK_PREFIX):
            return _task_hosts(text)
        return _label(text) if "=" in text else self._name(text)

    def _name(self, text: str) -> Names | Glob:
        text = _BRACKETED.sub(lambda match: f"[{_without_blanks(match[1])}]", text)
        if not _NAME_LIKE.fullmatch(text):
            raise _wrong(
                f"{_shown(text)} is not a host's name, a pattern (web*), a label (env=prod), a "
                "group (@web) or a task's hosts (task:62:failed)."
            )
        glob = "*" in text or "?" in text
        names = unfold_names(text, min(self._names_left, _GLOBS_MAX) if glob else self._names_left)
        self._names_left -= len(names)
        for name in names:
            if not _NAME.fullmatch(name.translate(_WITHOUT_WILDCARDS) if glob else name):
                raise _wrong(f"{_shown(name)} cannot be a host's name.")
        return Glob(text, _globs(names)) if glob else Names(text, names)


_WITHOUT_WILDCARDS = str.maketrans("*?", "xx")


def _split(operator: str, text: str) -> list[str]:
    """Splits at the operator, but not inside brackets."""
    return _SPLIT[operator].split(text) if "[" in text else text.split(operator)


def _without_blanks(bracket: str) -> str:
    """`1 - 3, 5` → `1-3,5`; a blank inside a number stays and is an error."""
    return ",".join(
        "-".join(bound.strip() for bound in part.split("-")) for part in bracket.split(",")
    )


def _group(text: str) -> Everything | InState | Group:
    match = _GROUP.fullmatch(text)
    if match is None:
        raise _wrong(f"{_shown(text)} is not a group: @ and letters, digits, '.', '_', '-'.")
    name = match[1]
    if name == "all":
        return Everything()
    return InState(text, HostState(name)) if name in tuple(HostState) else Group(text, name)


def _label(text: str) -> Label | Fact:
    match = _LABEL.fullmatch(text)
    if match is None:
        raise _wrong(
            f"{_shown(text)} is not a label: KEY=VALUE or KEY!=VALUE, in which VALUE may hold * "
            "and ?."
        )
    key, operator, value = match.groups()
    pattern, absent = _globs([value]), operator == "!="
    if not key.startswith(_FACT):
        return Label(text, key, pattern, absent)
    if key == _FACT:
        raise _wrong(f"{_shown(text)} names no fact: write fact.KEY=VALUE, as in fact.os=debian.")
    return Fact(text, key.removeprefix(_FACT), pattern, absent)


def _task_hosts(text: str) -> TaskHosts:
    match = _TASK_HOSTS.fullmatch(text)
    if match is None or match[2] not in tuple(HostClass):
        raise _wrong(
            f"{_shown(text)} does not say which hosts of which task: write task:ID:CLASS, as in "
            f"task:62:failed; CLASS is {', '.join(HostClass)}."
        )
    return TaskHosts(text, int(match[1]), HostClass(match[2]))


def _globs(globs: Iterable[str]) -> re.Pattern[str]:
    """One pattern for all; fnmatch's translation takes linear time however many `*` there are."""
    return re.compile("|".join(map(translate, globs)))


def _shown(text: str) -> str:
    return repr(text)[1:-1] if len(text) <= 80 else repr(text[:77])[1:-1] + "…"


def _wrong(message: str) -> InvalidInputError:
    return InvalidInputError("target", message)
