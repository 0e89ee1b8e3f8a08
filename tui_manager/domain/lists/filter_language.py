"""The language in which lists are filtered. Terms are separated by blanks, and a row must fit all.

term  = ["!"] (WORD | QUOTED | PATTERN | key=value | key!=value)     "!": what does not fit
WORD, QUOTED    `nginx`, `"two words"`: the row contains it, ignoring case
PATTERN         `/err(or)?s/`: a regular expression of RE2 that is found in the row, ignoring case
key=value       the row has this value, in which `*` and `?` are wildcards: `name=web*`; or one
                of several: `status=failed,timeout`

Which keys a list has, and what its rows are, is said by its `FilteredFields`. In lists of hosts a
term may also be a target; see `filter_by_target.py`.
"""

import re
from collections.abc import Callable, Collection, Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Any, Generic

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.list_window import TEXT_MAX, Row
from tui_manager.domain.text.regular_expressions import compile_pattern

_SHOWN = 80  # characters of a term in an error
_TERM = re.compile(
    r"""\s*(?P<not>!?)(?:
        "(?P<quoted>(?:[^"\\]|\\.)*)"(?=\s|$)
      | /(?P<pattern>(?:[^/\\]|\\.)+)/(?=\s|$)
      | (?P<key>[A-Za-z][A-Za-z0-9._/-]*)(?P<operator>!?=)
        (?:"(?P<exact>(?:[^"\\]|\\.)*)"(?=\s|$)|(?P<value>[^\s"][^\s]*|(?=\s|$)))
      | (?P<word>(?![A-Za-z][A-Za-z0-9._/-]*!?=")[^\s"/!][^\s]*)
    )""",
    re.VERBOSE | re.DOTALL,
)
_BLANKS = re.compile(r"(?<=[^\s!])\s*([&,])\s*(?=\S)")  # around what joins the parts of a target
_OUTSIDE_QUOTES = re.compile(r'("(?:[^"\\]|\\.)*"|/(?:[^/\\]|\\.)+/(?=\s|$))', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FilterTerm:
    """One term.

    Attributes:
        text: as it was typed, without `!`.
        negated: it begins with `!`.
        absent: it is `key!=value`.
        key: of `key=value`; empty for words and patterns.
        value: the word, the pattern, or the value.
        kind: "word", "quoted", "pattern", "value" or "exact"; `exact` is a value in quotes, which
            has no wildcards.
    """

    text: str
    negated: bool
    absent: bool
    key: str
    value: str
    kind: str


@dataclass(frozen=True, slots=True)
class FilteredFields(Generic[Row]):
    """What a filter looks at in the rows of a list.

    Attributes:
        noun: what the rows are, for errors: "tasks".
        text: the texts of a row in which words and patterns are looked for, a line each.
        values: of each key, the values of a row; each of them fits.
        exact: texts that a word fits only as a whole, such as the number of a task.
        may_be_exact: whether a word can be one of these at all.
    """

    noun: str
    text: Callable[[Row], str]
    values: Mapping[str, Callable[[Row], Collection[str]]]
    exact: Callable[[Row], Collection[str]] = lambda row: ()
    may_be_exact: Callable[[str], Any] = lambda word: True


def quote(text: str) -> str:
    """A filter of the rows that contain this text, whatever it is; empty for none."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if text else ""


@lru_cache(maxsize=64)  # a list is read again and again with the same filter
def parse_filter(text: str) -> tuple[FilterTerm, ...]:
    """The terms of a filter.

    Raises InvalidInputError("text"): a quote or a pattern is not closed, something is missing, a
    pattern is wrong, or it is too long.
    """
    if len(text) > TEXT_MAX:
        raise _wrong(f"A filter has at most {TEXT_MAX} characters; this one has {len(text)}.")
    pieces = _OUTSIDE_QUOTES.split(text)
    pieces[::2] = (_BLANKS.sub(r"\1", piece) for piece in pieces[::2])
    joined = "".join(pieces).rstrip()
    terms, at = [], 0
    while at < len(joined):
        match = _TERM.match(joined, at)
        if match is None:
            raise _wrong(_what_is_wrong(joined[at:].strip()))
        terms.append(_term(match))
        at = match.end()
    return tuple(terms)


def _term(match: "re.Match[str]") -> FilterTerm:
    negated, text = bool(match["not"]), match[0].strip().removeprefix("!")
    for kind in ("quoted", "pattern", "word"):
        if (value := match[kind]) is not None:
            if kind == "pattern":
                compile_pattern(value, "text", of_filter=True)
            elif kind == "quoted":
                value = _ESCAPED.sub(r"\1", value)
            return FilterTerm(text, negated, False, "", value, kind)
    key, absent = match["key"], match["operator"] == "!="
    if (value := match["exact"]) is not None:
        return FilterTerm(text, negated, absent, key, _ESCAPED.sub(r"\1", value), "exact")
    return FilterTerm(text, negated, absent, key, match["value"] or "", "value")


def _what_is_wrong(rest: str) -> str:
    body = rest.removeprefix("!")
    if not body or body[0].isspace() or body[0] == "!":
        return "Something is missing behind the '!'."
    if body.startswith("/"):
        quoted = f'"{_shown(body)}"'
        return f"A /pattern/ ends with a slash. To look for a slash, put it in quotes: {quoted}"
    return 'A text in quotes ends with a "; a quote within it is written \\".'


def fits(terms: Collection[FilterTerm], fields: FilteredFields[Row]) -> Callable[[Row], bool]:
    """Whether a row fits all terms.

    Raises InvalidInputError("text"): the list does not have such a key.
    """
    checks = [_check(term, fields) for term in terms]
    if len(checks) == 1:
        return checks[0]
    return lambda row: all(check(row) for check in checks)


def _check(term: FilterTerm, fields: FilteredFields[Row]) -> Callable[[Row], bool]:
    wanted = term.negated is term.absent
    if term.key:
        values = fields.values.get(term.key)
        if values is None:
            raise _wrong(
                f"A list of {fields.noun} has no key {_shown(term.key)!r}; it has "
                f"{', '.join(fields.values)}. To look for this text, put it in quotes."
            )
        has = value_check(term)
        return lambda row: any(map(has, values(row))) is wanted
    text = fields.text
    if term.kind == "pattern":
        found = compile_pattern(term.value, "text", of_filter=True).search
        return lambda row: (found(text(row)) is not None) is wanted
    word, exact = term.value.casefold(), fields.exact
    if not fields.may_be_exact(word):
        return lambda row: (word in text(row).casefold()) is wanted
    return lambda row: (word in text(row).casefold() or word in exact(row)) is wanted


def value_check(term: FilterTerm) -> Callable[[str], Any]:
    """Whether a value is that of a term `key=value`, or one of `key=a,b`; what is true says so."""
    if term.kind == "exact":
        return term.value.__eq__
    return re.compile("|".join(map(translate, term.value.split(",")))).match


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _wrong(message: str) -> InvalidInputError:
    return InvalidInputError("text", message)
