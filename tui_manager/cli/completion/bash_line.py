"""Reads the line that bash completes, and quotes what bash puts there. bash gives the text of the
line, and replaces only what follows the last character that separates words for it, such as `=` or
a quote. The other shells say themselves which words there are."""

from collections.abc import Sequence

from tui_manager_protos.lazy_dataclass import dataclass

_ESCAPED_IN_DOUBLE = '"$`\\'
_KEPT_WITH_WORD = "$@"  # separate words for bash, and belong to the one that follows
_PLAIN = frozenset("%+,-./0123456789:=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class BashWord:
    """The word that is being typed.

    Attributes:
        words: those before it, without the program.
        prefix: of the word, without quotes.
        kept: how many characters of the prefix bash leaves as they are.
        quote: the quote that is open in it, or nothing.
    """

    words: Sequence[str]
    prefix: str
    kept: int
    quote: str

    def quoted(self, value: str) -> str:
        """What bash is to insert so that the word becomes `value`."""
        rest = value[self.kept :]
        if self.quote == "'":
            return rest.replace("'", r"'\''")
        if self.quote:
            return "".join(f"\\{one}" if one in _ESCAPED_IN_DOUBLE else one for one in rest)
        return "".join(one if one in _PLAIN or not one.isascii() else f"\\{one}" for one in rest)


def read_line(line: str, breaks: str = "", program: str = "") -> BashWord:
    """The words of a line up to the cursor.

    Args:
        breaks: the characters that separate words for bash, its COMP_WORDBREAKS.
        program: its name as it is typed; what stands before it, such as `sudo`, does not count.
    """
    words: list[str] = []
    word: str | None = None
    kept, quote = 0, ""
    characters = iter(line)
    for one in characters:
        if quote:
            if one == quote:
                quote, kept = "", len(word or "")
            elif one == "\\" and quote == '"':
                after = next(characters, "")
                word = (word or "") + (after if after in _ESCAPED_IN_DOUBLE else one + after)
            else:
                word = (word or "") + one
        elif one in " \t\n":
            if word is not None:
                words.append(word)
            word, kept = None, 0
        elif one in "'\"":
            word, quote = word or "", one
            kept = len(word)
        elif one == "\\":
            word = (word or "") + next(characters, "")
        else:
            word = (word or "") + one
            if one in breaks:
                kept = len(word) - (one in _KEPT_WITH_WORD)
    begin = words.index(program) + 1 if program in words else 1
    return BashWord(words[begin:], word or "", kept, quote)
