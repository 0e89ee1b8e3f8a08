"""The parts of a TOML text that an editor colours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.ui.drawing.toml_parts import toml_parts

TEXT = '''\
name = "a # b" # why
target = 'web*'
retries = 3

[params.KEY]
"default" = true

[[steps]]
run = """
set -e # no comment
[ -f x ] || exit 1
"""
args = ["a", 'b']
'''


def words(text: str) -> list[list[tuple[str, str]]]:
    """The parts of each line as texts, with their kinds."""
    lines = text.split("\n")
    return [
        [(line[part.start : part.end], str(part.kind)) for part in parts]
        for line, parts in zip(lines, toml_parts(text), strict=True)
    ]


def test_parts_are_told_apart() -> None:
    found = words(TEXT)
    assert found[:3] == [
        [("name", "key"), ('"a # b"', "text"), ("# why", "comment")],
        [("target", "key"), ("'web*'", "text")],
        [("retries", "key"), ("3", "value")],
    ]
    assert found[4:6] == [
        [("[params.KEY]", "header")],
        [('"default"', "key"), ("true", "value")],
    ]
    assert found[7] == [("[[steps]]", "header")]
    assert found[12] == [("args", "key"), ('"a"', "text"), ("'b'", "text")]


def test_a_text_of_several_lines_is_one_on_each() -> None:
    found = words(TEXT)
    assert found[8] == [("run", "key"), ('"""', "text")]
    assert found[9:12] == [
        [("set -e # no comment", "text")],
        [("[ -f x ] || exit 1", "text")],
        [('"""', "text")],
    ]


@pytest.mark.parametrize("cut", range(0, len(TEXT), 3))
def test_a_text_that_is_typed_has_parts_too(cut: int) -> None:
    text = TEXT[:cut]
    for line, parts in zip(text.split("\n"), toml_parts(text), strict=True):
        ends = [0]
        for part in parts:
            assert ends[-1] <= part.start < part.end <= len(line)
            ends.append(part.end)


def test_a_long_text_takes_time_in_proportion_to_its_length() -> None:
    for odd in (
        "K=1\n" * 150_000,
        '"' * 50_000,
        "'''" + "x\n" * 20_000,
        "[" * 50_000,
        'a = "\\' * 9_000,
    ):
        assert len(toml_parts(odd)) == odd.count("\n") + 1


@given(
    st.text(alphabet=st.sampled_from("[]\"'\\\r\n\x0c\x85\u2028\ufeff\t #=a1é漢") | st.characters())
)
def test_any_text_has_parts_within_its_lines(text: str) -> None:
    for line, parts in zip(text.split("\n"), toml_parts(text), strict=True):
        ends = [0]
        for part in parts:
            assert ends[-1] <= part.start < part.end <= len(line)
            ends.append(part.end)
