"""Makes text of a host safe for a terminal. All text of hosts passes here before it is shown.

Output, names, labels and details of a host can be hostile: escape sequences can move the cursor,
set the clipboard, send input, or reverse the reading direction. The safe text contains only
printable characters, tabs, line ends and, if asked for, colours; each line sets its colours and
resets them at its end. Carriage returns of progress lines are kept if asked for.
"""

import codecs
import re
from collections.abc import Callable
from enum import Enum, auto

from tui_manager.domain.text.output_colours import RESET, Colours

_SEQUENCE_MAX = 64  # characters of a control sequence; a longer one is shown as text
_STRING_MAX = 4096  # characters of a title, link and so on that are not shown
_MARKS_MAX = 3  # combining marks on one character

# Invisible characters that change how other characters are read: direction marks, joiners, fillers,
# invisible operators, line and paragraph separators, interlinear and tag characters.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\U0001d173-\U0001d17a"
)
_SELECTORS = "\ufe00-\ufe0f"  # of a glyph's variant: widths differ between terminals
_SPECIAL = f"\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff{_INVISIBLE}{_SELECTORS}"
# What no text on a screen may have: line ends and tabs are laid out before it is drawn.
_UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_INVISIBLE}]")
_PLAIN = re.compile(f"[^{_SPECIAL}]+")
_SELECTOR = re.compile(f"[{_SELECTORS}]")
_COMBINING = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_STACK = re.compile(f"({_COMBINING}{{{_MARKS_MAX}}}){_COMBINING}+")
_STRING_END = re.compile("[\x07\x18\x1a\x1b\x9c\n]")
_PARAMETERS = re.compile("[0-9;:]*")

_STRING_OPENERS = frozenset("]PX^_")  # OSC, DCS, SOS, PM, APC behind an escape
_C1_STRINGS = frozenset("\x9d\x90\x98\x9e\x9f")
_DROPPED = frozenset("\x00\x07\x0e\x0f\x7f")  # padding, bell, character sets: removed


class _State(Enum):
    GROUND = auto()
    RETURNED = auto()  # after a carriage return
    ESCAPED = auto()
    SEQUENCE = auto()  # ESC [ … up to its final character
    CHARSET = auto()  # ESC ( and the like: one more character
    STRING = auto()  # ESC ] … up to its terminator


class SafeTextDecoder:
    """Converts the bytes of one stream, piece by piece, into safe text.

    Args:
        colours: keep colours and weights, in one canonical form.
        rewrites: keep "\\r", for a reader that replaces the line; otherwise it is shown as "␍".
    """

    def __init__(self, *, colours: bool = True, rewrites: bool = False) -> None:
        self._keep_colours = colours
        self._rewrites = rewrites
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._state = _State.GROUND
        self._held = ""
        self._wanted = Colours()
        self._shown = ""  # the colour sequence that is set at the end of the text
        self._pieces: list[str] = []

    @property
    def is_plain(self) -> bool:
        """Whether printable ASCII characters that come now are a text as they are."""
        return (
            self._state is _State.GROUND
            and not self._shown
            and not self._wanted.sequence
            and not self._utf8.getstate()[0]
        )

    def feed(self, data: bytes | str) -> list[str]:
        """The safe pieces of this data: texts, colour sequences, "\\n" and "\\r"."""
        self._run(data if isinstance(data, str) else self._utf8.decode(data))
        pieces, self._pieces = self._pieces, []
        return pieces

    def close(self) -> list[str]:
        """The last pieces, with a reset of the colours that are set."""
        self._run(self._utf8.decode(b"", final=True))
        if self._state is _State.RETURNED:
            self._return()
        elif self._state is not _State.GROUND:
            self._text("␛")
        self._state = _State.GROUND
        self._reset()
        pieces, self._pieces = self._pieces, []
        return pieces

    def _run(self, text: str) -> None:
        at = 0
        while at < len(text):
            if self._state is _State.GROUND:
                if run := _PLAIN.match(text, at):
                    self._text(run.group())
                    at = run.end()
                else:
                    self._special(text[at])
                    at += 1
            elif self._state is _State.STRING:
                at = self._skip_string(text, at)
            else:
                at += self._step(text[at])

    def _special(self, char: str) -> None:
        if char == "\n":
            self._reset()
            self._pieces.append("\n")
        elif char == "\r":
            self._state = _State.RETURNED
        elif char == "\x1b":
            self._state = _State.ESCAPED
        elif char == "\x9b":
            self._state, self._held = _State.SEQUENCE, ""
        elif char in _C1_STRINGS:
            self._state, self._held = _State.STRING, ""
        elif char not in _DROPPED and not _SELECTOR.match(char):
            self._text(visible(char))

    def _step(self, char: str) -> int:
        """Handles one character after a control character. Returns how many were consumed."""
        match self._state:
            case _State.RETURNED:
                self._state = _State.GROUND
                if char == "\r":
                    self._state = _State.RETURNED
                    return 1
                if char != "\n":
                    self._return()
                return 0
            case _State.ESCAPED:
                return self._escape(char)
            case _State.CHARSET:
                return self._end(keep=not "0" <= char <= "~")
            case _:
                return self._sequence(char)

    def _escape(self, char: str) -> int:
        if char == "[":
            self._state, self._held = _State.SEQUENCE, ""
        elif char in _STRING_OPENERS:
            self._state, self._held = _State.STRING, ""
        elif " " <= char <= "/":
            self._state = _State.CHARSET
        else:
            return self._end(keep=not "0" <= char <= "~")
        return 1

    def _sequence(self, char: str) -> int:
        if " " <= char <= "?" and len(self._held) < _SEQUENCE_MAX:
            self._held += char
            return 1
        if char == "m" and self._keep_colours and _PARAMETERS.fullmatch(self._held):
            self._wanted = self._wanted.changed(self._held)
        return self._end(keep=not "@" <= char <= "~")

    def _skip_string(self, text: str, at: int) -> int:
        end = _STRING_END.search(text, at)
        stop = end.start() if end else len(text)
        self._held += text[at:stop]
        if len(self._held) > _STRING_MAX:  # too long for a title: show it
            hidden, self._held = self._held, ""
            self._end(keep=True)
            self._run(hidden)
            return stop
        if end is None:
            return stop
        if end.group() == "\x1b":  # ESC \ ends it; what else follows an escape is a new one
            self._state = _State.ESCAPED
            return stop + 1
        return stop + self._end(keep=end.group() == "\n")

    def _end(self, *, keep: bool) -> int:
        """Returns to plain text. A character that cannot belong to the sequence is kept and
        shown."""
        self._state = _State.GROUND
        if keep:
            self._text("␛")
        return 0 if keep else 1

    def _return(self) -> None:
        if self._rewrites:
            self._reset()
            self._pieces.append("\r")
        else:
            self._text("␍")

    def _text(self, text: str) -> None:
        if (sequence := self._wanted.sequence) != self._shown:
            self._reset()
            if sequence:
                self._pieces.append(sequence)
            self._shown = sequence
        self._pieces.append(text if text.isascii() else _STACK.sub(r"\1", text))

    def _reset(self) -> None:
        if self._shown:
            self._pieces.append(RESET)
            self._shown = ""


def visible(char: str) -> str:
    """A visible replacement for a character that must not reach a terminal."""
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"<U+{code:04X}>"


def replace_unsafe(text: str, replacement: Callable[[str], str]) -> str:
    """A text of one line, with each character replaced that a terminal must not get."""
    if text.isprintable():  # the usual case, as a screen has thousands of texts
        return text
    return _UNSAFE.sub(lambda match: replacement(match[0]), text)


def safe_text(data: bytes | str) -> str:
    """`data` without colours. Characters that are not printable are removed or made visible; tabs
    and line ends stay."""
    decoder = SafeTextDecoder(colours=False)
    return "".join(decoder.feed(data) + decoder.close())


def safe_line(data: bytes | str) -> str:
    """The same on one line, for names, labels and details."""
    if isinstance(data, str) and data.isascii() and data.isprintable():
        return data  # the usual case; a table has hundreds of texts
    return safe_text(data).replace("\n", "␊").replace("\t", "␉")
