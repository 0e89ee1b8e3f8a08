"""JSON for scripts is printed as `json` itself prints it with an indent."""

import io
import json
import sys
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.cli.printing.text import write_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=30,
)


class Word(StrEnum):
    ONE = "one"


def _printed(value: object, encoding: str) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", file)
        write_json(value)
    written = file.buffer
    assert isinstance(written, io.BytesIO)
    return written.getvalue().decode(encoding, "surrogatepass")


@given(value=VALUES)
def test_it_is_what_json_prints_with_an_indent(value: object) -> None:
    assert _printed(value, "utf-8") == json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    assert _printed(value, "latin-1") == json.dumps(value, indent=2) + "\n"


@pytest.mark.parametrize(
    "value", [{}, [], {"a": {}}, {"a": []}, [[], {}], {"a": Word.ONE}, {"a": {"b": [Word.ONE]}}]
)
def test_what_is_empty_and_what_is_a_word_too(value: object) -> None:
    assert _printed(value, "utf-8") == json.dumps(value, indent=2) + "\n"
