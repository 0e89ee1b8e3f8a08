"""What a search in output looks for, and where it is in a text."""

import pytest

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.output.output_search import OutputPattern


@pytest.mark.parametrize("text", ["", "/(/", "x" * 1001, "/\ud800/"])
def test_what_cannot_be_searched_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        OutputPattern(text)
    assert caught.value.field == "text"


@pytest.mark.parametrize(
    ("text", "line", "places"),
    [
        ("b", "abcB", [(1, 2), (3, 4)]),
        ("ü", "grün ÜBER", [(2, 3), (5, 6)]),
        ("/x*/", "axxb", [(1, 3)]),
        ("(", "f(x)", [(1, 2)]),
        ("/é+/", "ééxé é", [(0, 2), (3, 4), (5, 6)]),
    ],
)
def test_places_in_a_text_are_characters(
    text: str, line: str, places: list[tuple[int, int]]
) -> None:
    assert OutputPattern(text).in_text(line, len(line)) == places


@pytest.mark.parametrize("line", ["b" * 9000, "é" + "b" * 9000])
def test_only_matches_that_are_seen_are_looked_for(line: str) -> None:
    assert OutputPattern("b").in_text(line, 4)[-1] == (3, 4)
    assert OutputPattern("/b+$/").in_text(line, 4)[-1][1] == len(line)
