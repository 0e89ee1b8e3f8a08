"""The colours and weights that the output of a host may set, in one canonical form.

Colours, bold, faint, italic, underline, reverse and strike are kept. Blinking, concealed text,
fonts and unknown codes are removed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

RESET = "\x1b[0m"

_SET = {
    1: "bold",
    2: "faint",
    3: "italic",
    4: "underline",
    7: "reverse",
    9: "strike",
    21: "underline",
}
_UNSET = {
    22: ("bold", "faint"),
    23: ("italic",),
    24: ("underline",),
    27: ("reverse",),
    29: ("strike",),
    39: ("foreground",),
    49: ("background",),
}
_EXTENDED = {
    38: "foreground",
    48: "background",
    58: "",
}  # 58 colours underlines: ignored


@dataclass(frozen=True)
class Colours:
    """The colours and weights that are set: kind → parameters of the escape sequence."""

    kinds: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def sequence(self) -> str:
        """The escape sequence that sets them after a reset; empty if nothing is set."""
        return f"\x1b[{';'.join(self.kinds.values())}m" if self.kinds else ""

    def changed(self, parameters: str) -> "Colours":
        """The colours after a sequence with these parameters (`1;38;5;208`)."""
        kinds = dict(self.kinds)
        for code, extended in _codes(parameters):
            if code == 0:
                kinds.clear()
            elif code in _EXTENDED:
                if extended and (kind := _EXTENDED[code]):
                    kinds[kind] = f"{code};{extended}"
            elif code in _SET:
                kinds[_SET[code]] = str(4 if code == 21 else code)
            elif code in _UNSET:
                for kind in _UNSET[code]:
                    kinds.pop(kind, None)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                kinds["foreground"] = str(code)
            elif 40 <= code <= 47 or 100 <= code <= 107:
                kinds["background"] = str(code)
        return Colours(kinds)


def _codes(parameters: str) -> Iterator[tuple[int, str]]:
    """Each code, with the colour that follows a 38 or 48 (`5;208`, `2;255;0;0`)."""
    fields = iter(parameters.split(";"))
    for item in fields:
        head, *parts = item.split(":")
        code = _number(head)
        if code not in _EXTENDED:
            if code != 4 or parts != ["0"]:  # 4:0 is no underline
                yield code, ""
            else:
                yield 24, ""
        elif parts:
            yield code, _colon_colour(parts)
        else:
            yield code, _semicolon_colour(fields)


def _semicolon_colour(fields: Iterator[str]) -> str:
    mode = _number(next(fields, ""))
    count = {5: 1, 2: 3}.get(mode, 0)
    return _colour(mode, [next(fields, "") for _ in range(count)])


def _colon_colour(parts: list[str]) -> str:
    mode = _number(parts[0])
    # 38:2:COLOURSPACE:R:G:B, or without the colour space as many programs write it.
    return _colour(mode, parts[-3:] if mode == 2 and len(parts) > 3 else parts[1:2])


def _colour(mode: int, values: list[str]) -> str:
    numbers = [_number(value) for value in values]
    if mode not in (2, 5) or len(numbers) != (3 if mode == 2 else 1) or max(numbers) > 255:
        return ""
    return ";".join(str(number) for number in (mode, *numbers))


def _number(text: str) -> int:
    return int(text[:4]) if text.isdigit() else 0
