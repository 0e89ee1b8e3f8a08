"""Makes keys, clicks and pastes of the bytes that a terminal sends."""

import codecs
import re
from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.message import Message

_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_PASTE_MAY_END = re.compile("\x1b(\\[(2(01?)?)?)?\\Z")
# An escape, and behind it what begins no sequence of a terminal. Terminals of macOS send b and f
# behind it for alt+left and alt+right.
_ESCAPE_AND_KEY = re.compile(r"\x1b(?=[^\x00-\x1f\x7fNOPX\[\\\]^_bf])")
_ESCAPE = "\x1b[27u"  # as the keyboard protocol of kitty has it, never the beginning of another key


class TerminalInput:
    """Reads as Textual does, with three differences:

    - A byte that is not UTF-8, such as an é from a terminal that is set to Latin-1, becomes a
      replacement character.
    - An escape and a key that come together, as on a slow line or while the app is busy, are two
      keys. Textual makes an unknown one of them, or types `^` and the key into a field.
    - Escapes in a paste are dropped. Textual ends the paste at the second one, and what follows are
      keys, with all that they do.
    """

    def __init__(self, *, debug: bool) -> None:
        self._debug = debug
        self.reset()

    def reset(self) -> None:
        """Forgets what has begun and not ended."""
        self._parser = XTermParser(self._debug)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pastes = False  # a paste has begun and not ended
        self._held = ""  # the end of what was pasted, which may be the beginning of the paste's end
        self._typed = ""  # the end of what was typed, which may be the beginning of a paste's

    def feed(self, data: bytes) -> Iterable[Message]:
        """The messages that end with these bytes, or have ended before they came."""
        text = self._decoder.decode(data)
        if self.waits and _ESCAPE_AND_KEY.match(self._typed[-1:] + text):
            self._parser._timeout_time = 0.0
        yield from self.tick()
        if text := self._unambiguous(text):  # no text would end the parser
            yield from self._parser.feed(text)

    def _unambiguous(self, text: str) -> str:
        text, self._held, pieces = self._held + text, "", list[str]()
        while text:
            if self._pastes:
                pasted, ends, text = text.partition(_PASTE_ENDS)
                if not ends and (may_end := _PASTE_MAY_END.search(pasted)):
                    self._held = may_end[0]
                pieces.append(pasted.removesuffix(self._held).replace("\x1b", "") + ends)
                self._pastes = not ends
            else:
                old = len(self._typed)
                typed, begins, text = (self._typed + text).partition(_PASTE_BEGINS)
                pieces.append(_ESCAPE_AND_KEY.sub(_ESCAPE, (typed + begins)[old:]))
                self._pastes = bool(begins)
                self._typed = "" if begins else typed[1 - len(_PASTE_BEGINS) :]
        return "".join(pieces)

    @property
    def waits(self) -> bool:
        """Whether an escape has come that is a key of its own if nothing follows for a moment."""
        return self._parser._timeout_time is not None

    def tick(self) -> Iterable[Message]:
        """The messages that end because nothing has followed."""
        return self._parser.tick()
