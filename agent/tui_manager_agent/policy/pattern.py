"""The patterns of a policy: literal text, with `*` and `**` for characters that are harmless.

`*` stands for any run of letters, digits and `_ , : / @ % + = . -`, within one word: no character
that has a meaning for a shell. `**` stands for the same with spaces, so for any number of words.
Neither matches two dots in a row, which would lead out of a folder, nor a `-`, `+`, `@` or `%` at
the beginning of a word. Many programs read such a word as an option, an editor's command, a file
with arguments, or a job, which the owner did not allow. Quotes do not change that.

Matching takes time in proportion to the text, whatever the pattern: the text comes from outside.
"""

import string
from collections.abc import Iterator

_HARMLESS = frozenset(string.ascii_letters + string.digits + "_,:/@%+=")
_WITHIN_A_WORD = _HARMLESS | {".", "-"}
_NOT_FIRST = frozenset("-+@%")  # in a word
_WORD = "*"
_WORDS = "**"


class Pattern:
    """One pattern. A text matches only as a whole."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = _split(text)

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        return any(end == len(text) for end in self.ends(text))

    def ends(self, text: str) -> Iterator[int]:
        """The lengths of the beginnings of a text that match, the shortest first."""
        reached = self._with_empty_runs({0})
        for at, character in enumerate(text):
            if len(self._parts) in reached:
                yield at
            harmless = _is_harmless(text, at)
            reached = self._with_empty_runs(
                {
                    following
                    for position in reached
                    if (following := self._after(position, character, harmless)) >= 0
                }
            )
            if not reached:
                return
        if len(self._parts) in reached:
            yield len(text)

    def _after(self, position: int, character: str, harmless: bool) -> int:
        """Where in the pattern a character leads from `position`; -1: nowhere."""
        part = self._parts[position] if position < len(self._parts) else ""
        if part == _WORDS:
            return position if harmless or character == " " else -1
        if part == _WORD:
            return position if harmless else -1
        return position + 1 if part == character else -1

    def _with_empty_runs(self, positions: set[int]) -> set[int]:
        """These positions, and those behind a run that may be empty."""
        reached = set(positions)
        for position in positions:
            while position < len(self._parts) and self._parts[position] in (_WORD, _WORDS):
                position += 1
                reached.add(position)
        return reached


def _split(text: str) -> list[str]:
    """The pattern as `**`, `*` and single characters, which stand for themselves."""
    parts = []
    at = 0
    while at < len(text):
        run = _WORDS if text.startswith(_WORDS, at) else text[at]
        parts.append(run)
        at += len(run)
    return parts


def _is_harmless(text: str, at: int) -> bool:
    character = text[at]
    if character == ".":
        return (at == 0 or text[at - 1] != ".") and text[at + 1 : at + 2] != "."
    if character in _NOT_FIRST:
        return at > 0 and text[at - 1] in _WITHIN_A_WORD
    return character in _HARMLESS
