"""The pictures of the documents: aligned in any font, and small."""

import re
import xml.etree.ElementTree as ET

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from screenshots.terminal_svg import CELL, animation, cells_of, still

GROUNDS = ("#000000", "#ffffff")
DARK, LIGHT = Style.parse("#dddddd on #000000"), Style.parse("#222222 on #ffffff")
RED = Style.parse("bold #ff0000 on #300000")


def strips(*lines: str, style: Style = DARK) -> list[Strip]:
    return [Strip([Segment(line, style)]) for line in lines]


def picture(*lines: str) -> str:
    return still(cells_of(strips(*lines), strips(*lines, style=LIGHT)), GROUNDS)


def test_each_run_of_letters_says_how_wide_it_is() -> None:
    root = ET.fromstring(picture("one two   备份 <b>"))
    texts = [(text.text, text.get("textLength")) for text in root.findall(".//{*}text")]
    assert texts == [("one two", f"{7 * CELL:.1f}"), ("备份 <b>", f"{8 * CELL:.1f}")]


def test_a_picture_has_the_colours_of_both_themes_and_fetches_nothing() -> None:
    made = picture("a")
    assert ".ground{fill:#000000}" in made
    assert re.search(r"@media \(prefers-color-scheme: light\)\{.*#222222.*#ffffff", made)
    assert "url(" not in made
    assert "http" not in made.replace("http://www.w3.org/2000/svg", "")


def test_only_another_background_is_drawn() -> None:
    strip = Strip([Segment("a", DARK), Segment("b", RED)])
    made = still(cells_of([strip], [strip]), ("#000000", "#000000"))
    assert made.count("<rect") == 2  # the ground, and that of b
    assert "#300000" in made
    assert "font-weight:bold" in made


def test_a_line_that_several_frames_have_is_drawn_once() -> None:
    frames = [
        cells_of(strips(*lines), strips(*lines, style=LIGHT))
        for lines in (("same", "first"), ("same", "second"), ("same", "first"))
    ]
    made = animation(frames, [1.0, 2.0, 1.0], GROUNDS)
    assert [made.count(f">{word}<") for word in ("same", "first", "second")] == [1, 1, 1]
    assert "0.00%{visibility:visible}25.00%{visibility:hidden}75.00%{visibility:visible}" in made
    assert "4.0s step-end infinite" in made
    ET.fromstring(made)
