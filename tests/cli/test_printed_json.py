"""JSON for scripts is printed as `json` itself prints it with an indent."""

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.cli.printing.json_rows import JsonRows
from tui_manager.cli.printing.write_text import write_json

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
    return _printed_by(lambda: write_json(value), encoding)


def _rows_printed(
    rows: Sequence[object], around: Mapping[str, object] | None, encoding: str
) -> str:
    def write() -> None:
        shown = JsonRows(around, "rows")
        for row in rows:
            shown.add(row)
        shown.end()

    return _printed_by(write, encoding)


def _printed_by(write: Callable[[], None], encoding: str) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", file)
        write()
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


@given(rows=st.lists(VALUES, max_size=4), around=st.dictionaries(st.text(max_size=5), VALUES))
def test_rows_that_are_written_as_they_come_are_the_same_bytes(
    rows: list[object], around: dict[str, object]
) -> None:
    around.pop("rows", None)
    for encoding in ("utf-8", "latin-1"):
        assert _rows_printed(rows, None, encoding) == _printed(rows, encoding)
        whole = {**around, "rows": rows}
        assert _rows_printed(rows, around, encoding) == _printed(whole, encoding)
