"""Which control characters, such as line breaks, a regex of the owner names.

A command may have a control character only if the regex names it. That the regex matches it, as `.`
or `[^;]` may, is not enough.
"""

import re
import unicodedata

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([nrtfva]))")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a"}
_NEGATED = re.compile(r"\[\^\]?(?:\\.|[^\]\\])*\]")
_WIDE = re.compile(_NEGATED.pattern + r"|\\[sWD]")
_CONTROLS_END = 0xA0  # there are no control characters from here on


def controls(text: str) -> set[str]:
    """Those in a text."""
    return {character for character in text if unicodedata.category(character) == "Cc"}


def named_controls(regex: "re.Pattern[str]") -> set[str]:
    """The control characters that a regex names: as they are, as an escape such as `\\n`, or all of
    them by `(?s)`, which says that a dot means every character."""
    if regex.flags & re.DOTALL:
        return controls("".join(map(chr, range(_CONTROLS_END))))
    pattern = _NEGATED.sub("", regex.pattern)  # which excludes what stands in it
    named = controls(pattern)
    for escape in _ESCAPE.finditer(pattern):
        two, four, letter = escape.groups()
        named |= controls(_LETTERS[letter] if letter else chr(int(two or four, 16)))
    return named


def may_match_line_break(regex: "re.Pattern[str]") -> bool:
    """Whether a regex has a part that matches line breaks without naming them, as `[^;]` does."""
    return not regex.flags & re.DOTALL and any(
        not (part.startswith("[^") and re.search(r"\\[nsWD]", part))
        for part in _WIDE.findall(regex.pattern)
    )
