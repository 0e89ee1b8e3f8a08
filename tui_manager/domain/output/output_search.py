"""What a search in output looks for: plain text, or `/a regular expression/` of RE2. Both ignore
case. Pure: bytes and texts in, places out."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.list_window import TEXT_MAX
from tui_manager.domain.status import Stream

_PATTERN_MEMORY = 8 << 20  # bytes that RE2 may use
_PASSED_MAX = 64  # matches in the beginning of a line that are passed over one by one
_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[^\n])")


@dataclass(frozen=True, slots=True)
class OutputMatch:
    """A line of output with the text, or the part of a long line that is in one piece.

    Attributes:
        position: of the piece in which the match ends.
        offset: of the first byte of the match in its stream.
        size: bytes of the match.
    """

    position: int
    execution_id: str
    host: str
    command: int
    stream: Stream
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class OutputMatches:
    """What a part of a search has found.

    Attributes:
        matches: in the direction of the search.
        position: the next part continues behind it, or before it. It is that of the last piece that
            was searched, or a number beside it if a part of that piece is left.
        searched: bytes.
        ended: whether nothing is left to search.
        offset: where the next part continues in its first piece; 0: it searches all of that.
    """

    matches: Sequence[OutputMatch]
    position: int
    searched: int
    ended: bool
    offset: int = 0


class OutputPattern:
    """A text to find. Raises InvalidInputError("text") if it is empty, too long, or not a regular
    expression."""

    def __init__(self, text: str) -> None:
        if not text or len(text) > TEXT_MAX:
            raise InvalidInputError(
                "text", f"A search has 1 to {TEXT_MAX} characters; this one has {len(text)}."
            )
        self.text = text
        self._is_regex = len(text) > 2 and text[0] == text[-1] == "/"
        self._source = text[1:-1] if self._is_regex else text
        _ = self._compiled  # an error in it is raised here

    @cached_property
    def _compiled(self) -> Any:
        import re2  # a large library, which only a search needs

        options = re2.Options()
        options.max_mem = _PATTERN_MEMORY
        options.log_errors = options.case_sensitive = False
        options.never_capture = True
        options.literal = not self._is_regex
        source = f"(?m){self._source}" if self._is_regex else self._source
        try:
            return re2.compile(source.encode(), options)
        except (re2.error, UnicodeEncodeError) as error:
            reason = error.args[0]
            said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(error)
            raise InvalidInputError(
                "text", f"{self.text!r} is not a regular expression of RE2: {said}."
            ) from None

    def in_bytes(self, before: bytes, data: bytes, limit: int) -> tuple[list[tuple[int, int]], int]:
        """The first match of each line that ends in `data`: its beginning and its end, counted from
        the first byte of `data`. `before` is the beginning of the line that `data` continues, so
        that a match may begin before 0.

        Returns at most `limit` of them, and how many bytes of `data` were searched: all, or up to
        the end of a line.
        """
        whole, removed = _without_escapes(before + data)
        begin, passed = len(before), 0
        found: list[tuple[int, int]] = []
        at = 0
        while match := self._compiled.search(whole, at):
            start, end = match.start(), match.end()
            if start == len(whole) and whole.endswith(b"\n"):
                break  # no line begins there yet
            last = _before_removal(removed, max(start, end - 1))
            if last < begin:  # it is in `before`; the rest of this line is searched
                passed += 1
                at = max(end, start + 1)
                if passed == _PASSED_MAX:
                    at = max(at, len(_without_escapes(before)[0]))
                continue
            found.append((_before_removal(removed, start) - begin, last + 1 - begin))
            at = whole.find(b"\n", end) + 1
            if not 0 < at < len(whole):
                break
            if len(found) == limit:
                return found, _before_removal(removed, at - 1) + 1 - begin
        return found, len(data)

    def in_text(self, text: str, seen: int) -> list[tuple[int, int]]:
        """The matches in a line of text that begin in its first `seen` characters: beginning and
        end of each, in characters."""
        data = text.encode(errors="replace")
        places: list[tuple[int, int]] = []
        at = characters = 0  # a byte, and how many characters are before it
        for match in self._compiled.finditer(data):
            start, end = match.span()
            characters += len(data[at:start].decode())
            at = start
            if characters >= seen:
                break
            if end > start:
                places.append((characters, characters + len(data[start:end].decode())))
        return places


def _without_escapes(data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """The bytes without escape sequences. For each place of which some were removed: where it is in
    what is left, and how many bytes were removed up to there."""
    if b"\x1b" not in data:
        return data, []
    removed: list[tuple[int, int]] = []
    total = 0
    for match in _ESCAPE.finditer(data):
        place = match.start() - total
        total += match.end() - match.start()
        removed.append((place, total))
    return _ESCAPE.sub(b"", data), removed


def _before_removal(removed: list[tuple[int, int]], place: int) -> int:
    """Where a byte was before the escape sequences were removed."""
    number = bisect_right(removed, place, key=lambda item: item[0])
    return place + (removed[number - 1][1] if number else 0)
