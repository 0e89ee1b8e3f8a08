"""Makes keys, clicks and pastes of the bytes that a terminal sends."""

import codecs
import re
from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.message import Message

_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_PASTE_MAY_END = re.compile("\x1b(\\[(2(01?)?)?)?\\Z")
# Between an escape and what continues no sequence of a terminal. Tab and delete do, for shift+tab
# and alt+backspace, and so do b and f: terminals of macOS send them for alt+left and alt+right.
_AFTER_ESCAPE = re.compile(r"(?<=\x1b)(?=[^\t\x1b\x7fNOPX\[\\\]^_bf])")


class TerminalInput:
    """Reads as Textual does, with three differences:

    - A byte that is not UTF-8, such as an é from a terminal that is set to Latin-1, becomes a
      replacement character.
    - An escape and a key that come together, as on a slow line or while the app is busy, are two
      keys, unless a sequence of a terminal begins with both. So alt and a key are two. Textual
      makes an unknown key of them, or types `^` and the key into a field.
    - Escapes in a paste are dropped. Textual reads up to 32 characters after each one as keys. Keys
      are only read again when the end of the paste has come.
    """

    def __init__(self, *, debug: bool) -> None:
        self._debug = debug
        self.reset()

    def reset(self) -> None:
        """Forgets what has begun and not ended."""
        self._parser = XTermParser(self._debug)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._in_paste = False
        self._paste_tail = ""  # it may be the beginning of the paste's end, and is not read yet
        self._typed_tail = ""  # it may be the beginning of a paste's beginning, and is read

    def feed(self, data: bytes) -> Iterable[Message]:
        """The messages that end with these bytes."""
        text, self._paste_tail = self._paste_tail + self._decoder.decode(data), ""
        while text:
            if self._in_paste:
                pasted, ends, text = text.partition(_PASTE_ENDS)
                if not ends and (may_end := _PASTE_MAY_END.search(pasted)):
                    self._paste_tail = may_end[0]
                    pasted = pasted[: may_end.start()]
                yield from self._parse(pasted.replace("\x1b", "") + ends)
                self._in_paste = not ends
            else:
                read = len(self._typed_tail)
                typed, begins, text = (self._typed_tail + text).partition(_PASTE_BEGINS)
                yield from self._type(typed + begins, read)
                self._in_paste = bool(begins)
                self._typed_tail = "" if begins else typed[1 - len(_PASTE_BEGINS) :]

    def _type(self, text: str, at: int) -> Iterable[Message]:
        """What is typed with the text from a place on. What is before it was read."""
        for key in _AFTER_ESCAPE.finditer(text, at):
            yield from self._parse(text[at : key.start()])
            if self.waits:
                self._parser._timeout_time = 0.0  # nothing more belongs to the escape
                yield from self.tick()
            at = key.start()
        yield from self._parse(text[at:])

    def _parse(self, text: str) -> Iterable[Message]:
        return self._parser.feed(text) if text else ()  # no text would end the parser

    @property
    def waits(self) -> bool:
        """Whether an escape has come that is a key of its own if nothing follows for a moment."""
        return self._parser._timeout_time is not None

    def tick(self) -> Iterable[Message]:
        """The messages that end because nothing has followed."""
        waited = self.waits
        yield from self._parser.tick()
        if waited and not self.waits:
            self._typed_tail = ""  # what follows does not belong to it
