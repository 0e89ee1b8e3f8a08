"""The parts of a TOML text that an editor shows in different ways. Pure. An incomplete text is
divided as far as possible."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a part is."""

    HEADER = "header"  # [rollout]
    KEY = "key"
    TEXT = "text"
    VALUE = "value"  # a number, true, false
    COMMENT = "comment"


class Part(NamedTuple):
    """Columns of a line, from 0; the last one is not part of it."""

    start: int
    end: int
    kind: Kind


_TOKEN = re.compile(
    r"(?P<header>^[ \t]*\[\[?[^\]\n]*\]?\]?)"
    r"|(?P<key>^[ \t]*[A-Za-z0-9_.\"'-]+(?=[ \t]*=))"
    r'|(?P<text>"""(?:\\.|[^\\])*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)'
    r"|\"(?:\\.|[^\"\\\n])*\"?|'[^'\n]*'?)"
    r"|(?P<comment>#[^\n]*)"
    r"|(?P<value>\b(?:true|false)\b|(?<![\w.])[+-]?[0-9][0-9_.:eETZ+-]*)",
    re.MULTILINE | re.DOTALL,
)


def toml_parts(text: str) -> Sequence[Sequence[Part]]:
    """The parts of each line. Only "\\n" ends a line. A text of several lines is a part of each of
    these."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    parts: list[list[Part]] = [[] for _ in lines]
    number = 0
    for token in _TOKEN.finditer(text):
        kind = Kind(str(token.lastgroup))
        while starts[number + 1] <= token.start():
            number += 1
        at = number
        while at < len(lines) and starts[at] < token.end():
            begin, after = starts[at], starts[at + 1] - 1
            start, end = max(token.start(), begin) - begin, min(token.end(), after) - begin
            if end > start:
                parts[at].append(Part(start, end, kind))
            at += 1
    return parts
