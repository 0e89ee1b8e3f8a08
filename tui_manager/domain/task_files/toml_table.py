"""Reads TOML. Its errors name the file, the line and the key."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError

FIELD = "file"  # of the errors
Path = tuple[str | int, ...]

_POSITION = re.compile(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)")
# What the parser says, in other words.
_NO_END_OF_LINE = "the text in quotes does not end on its line"
_PLAIN_REASONS = {
    r"Illegal character '\n'": _NO_END_OF_LINE,
    r"Found invalid character '\n'": _NO_END_OF_LINE,
    """Expected "'\"""": _NO_END_OF_LINE,
    "Unterminated string": "a text between three quotes has no end",
    """Expected "'''\"""": "a text between three quotes has no end",
}
_KINDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "an array",
    dict: "a table",
}
_NAME_SHOWN = 80  # characters of an unknown key in an error
_DOTS_MAX = 100  # of one line
_KEYS_MAX = 20_000
_BITS_MAX = 64  # of a whole number


class Number(str):
    """A number with a fraction or an exponent, as it was typed but without `_`."""

    __slots__ = ()


def parse_toml(text: str, name: str) -> "Table":
    """The whole text as a table. `name` is that of the file, for errors.

    Raises:
        InvalidInputError: it is not TOML.
    """
    _check_size(text, name)
    try:
        values = tomllib.loads(text, parse_float=lambda number: Number(number.replace("_", "")))
    except RecursionError:
        raise InvalidInputError(FIELD, f"{name}: it is nested too deeply.") from None
    except ValueError as error:  # of the parser, or of a number with thousands of digits
        position = _POSITION.search(str(error))
        line = f", line {position[1]}" if position and position[1] else ""
        reason = _POSITION.sub("", str(error)).rstrip(".")
        reason = _PLAIN_REASONS.get(reason, reason)
        raise InvalidInputError(FIELD, f"{name}{line}: it is not TOML: {reason}.") from None
    return Table(Source(name, text), (), values)


@dataclass(frozen=True, slots=True)
class Source:
    """A text that is TOML, and the name of its file."""

    name: str
    text: str

    def error(self, path: Path, message: str) -> InvalidInputError:
        """An error at this key: `deploy.toml, line 12: steps[2].timeout: …`."""
        line = self._line(path)
        at = f", line {line}" if line else ""
        where = _path_text(path)
        return InvalidInputError(FIELD, f"{self.name}{at}: {where}{': ' if where else ''}{message}")

    def _line(self, path: Path) -> int | None:
        """The line of this key or table, else of the header or the one line that holds it; None: it
        is not known."""
        places = {place.path: place for place in _places(self.text)}
        if path in places:
            return places[path].line
        while path := path[:-1]:
            if place := places.get(path):
                return place.line if place.one_line else None
        return None


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a TOML file. Each method that finds a wrong value raises InvalidInputError."""

    source: Source
    path: Path
    values: Mapping[str, Any]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def error(self, key: str, message: str) -> InvalidInputError:
        """An error at a key of this table; empty: at the table itself."""
        return self.source.error((*self.path, key) if key else self.path, message)

    def check_keys(self, known: Collection[str], what: str) -> None:
        """Refuses keys that are not `known`. `what` has such keys, for the error: `a step`."""
        for key in self.values:
            if key not in known:
                close = get_close_matches(key[:_NAME_SHOWN], known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}."
                raise self.error(key, f"{what} has no such key; {hint}")

    def text(self, key: str) -> str | None:
        """The text of a key; None: it is not there."""
        value = self.values.get(key)
        if value is None or type(value) is str:
            return value
        raise self._wrong(key, value, 'text in quotes: "…"')

    def plain(self, key: str) -> str | None:
        """Text, or a number as text; None: it is not there."""
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return None if value is None else str(value)
        if type(value) is int:
            if value.bit_length() > _BITS_MAX:
                raise self.error(key, "the number is too large.")
            return str(value)
        raise self._wrong(key, value, 'text in quotes: "…"')

    def flag(self, key: str) -> bool | None:
        """True or false; None: it is not there."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(key, value, "true or false, without quotes")

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts of an array; empty if it is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or any(type(one) is not str for one in value):
            raise self._wrong(key, value, 'an array of texts: ["…", "…"]')
        return tuple(value)

    def text_or_texts(self, key: str) -> tuple[str, ...]:
        """A text alone, or the texts of an array; empty if it is not there."""
        value = self.values.get(key)
        return (value,) if type(value) is str else self.texts(key)

    def number(self, key: str) -> int:
        """A whole number, which must be there."""
        value = self.values.get(key)
        if type(value) is not int or value.bit_length() >= _BITS_MAX:
            raise (
                self._wrong(key, value, "a whole number")
                if key in self
                else self.error("", f"{key} is missing.")
            )
        return value

    def variables(self, key: str) -> dict[str, str]:
        """Names and texts; empty if it is not there."""
        table = self.table(key)
        return {name: table.text(name) or "" for name in table.values} if table else {}

    def table(self, key: str) -> "Table | None":
        """A table below this one; None: it is not there."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._wrong(key, value, f"a table: [{_path_text((*self.path, key))}]")
        return Table(self.source, (*self.path, key), value)

    def tables(self, key: str) -> list["Table"]:
        """An array of tables; empty if it is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or any(not isinstance(one, dict) for one in value):
            raise self._wrong(key, value, f"tables, each under its own [[{key}]]")
        return [
            Table(self.source, (*self.path, key, index), one) for index, one in enumerate(value)
        ]

    def _wrong(self, key: str, value: object, expected: str) -> InvalidInputError:
        kind = "a number" if isinstance(value, Number) else _KINDS.get(type(value), "a date")
        return self.error(key, f"it is {kind}; write {expected}.")


def _path_text(path: Path) -> str:
    """`steps[2].timeout`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if len(part) <= _NAME_SHOWN else f"{part[:_NAME_SHOWN]}…"
            text += f"{'.' if text else ''}{shown if _BARE.fullmatch(shown) else repr(shown)}"
    return text


_BARE = re.compile(r"[A-Za-z0-9_-]+")
# Also one that does not end, so that it is looked at only once.
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""{1,3}|\Z)'
    r"|'''.*?(?:'''{1,3}|\Z)"
    r'|"(?:\\[^\n]|[^"\\\n])*"?'
    r"|'[^'\n]*'?",
    re.DOTALL,
)
_KEY_PART = re.compile(rf"[ \t]*(?:({_BARE.pattern})|({_STRING.pattern}))[ \t]*", re.DOTALL)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
# A text, a comment, the end of a line, a bracket, or what stands between these.
_TOKEN = re.compile(rf"{_STRING.pattern}|#[^\n]*|[\[\]{{}}\n]|[^\"'#\[\]{{}}\n]+|.", re.DOTALL)


def _check_size(text: str, name: str) -> None:
    """Refuses what takes the parser long: very many keys, and a key of very many parts, for which
    it needs time quadratic in their number."""
    line, dots, keys = 1, 0, 0
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word[0] not in "\"'#":
            dots = 0 if word == "\n" else dots + word.count(".")
            keys += word.count("=") + word.count("[")
        if dots > _DOTS_MAX:
            raise InvalidInputError(
                FIELD, f"{name}, line {line}: it has more than {_DOTS_MAX} dots outside of texts."
            )
        if keys > _KEYS_MAX:
            raise InvalidInputError(FIELD, f"{name}: it has more than {_KEYS_MAX} keys.")
        line += word.count("\n")


class _Place(NamedTuple):
    """Where a table or a key begins, in lines from 1. A header is one line."""

    path: Path
    line: int
    one_line: bool


def _places(text: str) -> Iterator[_Place]:
    """Where each table and each key outside of values begins, in a text that is TOML."""
    position, line = 0, 1
    table: Path = ()
    counts: dict[Path, int] = {}  # of the tables in each array of tables, less one
    while position < len(text):
        start = position
        if blank := _BLANK.match(text, position):
            position = blank.end()
        elif text[position] == "[":
            array = text.startswith("[[", position)
            keys, position = _keys(text, position + 1 + array)
            table = _resolved(keys, counts)
            if array:
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            position += 1 + array
            yield _Place(table, line, one_line=True)
        else:
            keys, position = _keys(text, position)
            position = _end_of_value(text, position + 1)
            yield _Place((*table, *keys), line, one_line="\n" not in text[start:position])
        line += text.count("\n", start, position)


def _resolved(keys: Path, counts: Mapping[Path, int]) -> Path:
    """The path of a header, in which each array of tables stands for its last table."""
    path: Path = ()
    for key in keys[:-1]:
        path = (*path, key)
        if path in counts:
            path = (*path, counts[path])
    return (*path, *keys[-1:])


def _keys(text: str, position: int) -> tuple[Path, int]:
    """The parts of a dotted key, and where it ends."""
    keys: list[str] = []
    while part := _KEY_PART.match(text, position):
        bare, quoted = part[1], part[2]
        keys.append(bare or next(iter(tomllib.loads(f"{quoted} = 0"))))
        position = part.end()
        if not text.startswith(".", position):
            break
        position += 1
    return tuple(keys), position


def _end_of_value(text: str, position: int) -> int:
    """Where the line of a value ends; arrays and texts may have several lines."""
    depth = 0
    for token in _TOKEN.finditer(text, position):
        if token[0] == "\n" and not depth:
            return token.start()
        depth += token[0] in ("[", "{")
        depth -= token[0] in ("]", "}")
    return len(text)
