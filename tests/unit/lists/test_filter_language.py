"""The language of filters: how terms are read, and which rows they fit."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.filter_language import FilteredFields, fits, parse_filter, quote

Row = tuple[str, str]  # a name and a status
FIELDS: FilteredFields[Row] = FilteredFields(
    "rows",
    "\n".join,
    {"name": lambda row: (row[0],), "status": lambda row: (row[1],)},
    lambda row: (f"#{len(row[0])}",),
)
ROWS: tuple[Row, ...] = (
    ("deploy web", "failed"),
    ("Deploy [db]", "completed"),
    ('say "hi" /now/', "timeout"),
    ("check ntp", "failed"),
)


def kept(text: str) -> list[int]:
    return [n for n, row in enumerate(ROWS) if fits(parse_filter(text), FIELDS)(row)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0, 1, 2, 3]),
        ("  ", [0, 1, 2, 3]),
        ("DEPLOY", [0, 1]),
        ("deploy web", [0]),
        ("web deploy", [0]),
        ('"y web"', [0]),
        ('"web deploy"', []),
        ("!deploy", [2, 3]),
        ("!deploy !ntp", [2]),
        ("[db]", [1]),
        (r'"say \"hi\""', [2]),
        ('"/now/"', [2]),
        ("/^check|web$/", [0, 3]),
        ("/^COMPLETED$/", [1]),
        (r"/\/now/", [2]),
        ("!/e/", []),
        ("status=failed", [0, 3]),
        ("status=failed !ntp", [0]),
        ("status=failed,timeout", [0, 2, 3]),
        ("status!=failed", [1, 2]),
        ("!status=failed", [1, 2]),
        ("!status!=failed", [0, 3]),
        ("status=*e*", [0, 1, 2, 3]),
        ("status=Failed", []),
        ("name=deploy*", [0]),
        ("name=deploy", []),
        ('name="deploy web"', [0]),
        ('name="deploy*"', []),
        ("name=", []),
        ("#9", [3]),
        ("#1", []),
    ],
)
def test_a_filter_keeps_the_rows_that_fit_all_terms(text: str, expected: list[int]) -> None:
    assert kept(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"web', 'A text in quotes ends with a "'),
        ('name="web', 'A text in quotes ends with a "'),
        ("/web", 'A /pattern/ ends with a slash. To look for a slash, put it in quotes: "/web"'),
        ("/etc/nginx", "A /pattern/ ends with a slash."),
        ("!", "Something is missing behind the '!'."),
        ("a ! b", "Something is missing behind the '!'."),
        ("!!a", "Something is missing behind the '!'."),
        ("/(/", "'(' is not a regular expression of RE2: missing ): (."),
        ("x" * 1001, "A filter has at most 1000 characters; this one has 1001."),
        ("hots=web", "A list of rows has no key 'hots'; it has name, status. To look for this"),
    ],
)
def test_a_wrong_filter_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        kept(text)
    assert caught.value.field == "text"
    assert said in str(caught.value)


def test_blanks_around_a_comma_or_ampersand_join_a_target() -> None:
    terms = parse_filter('role=web & zone=eu  db1, db2 "a & b"')
    assert [term.text for term in terms] == ["role=web&zone=eu", "db1,db2", '"a & b"']


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_quoted_text_is_looked_for_as_it_is(text: str, name: str) -> None:
    passes = fits(parse_filter(quote(text)), FIELDS)
    row = (name, "failed")
    assert passes(row) == (
        text.casefold() in f"{name}\nfailed".casefold() or text == f"#{len(name)}"
    )


TEXTS = st.text(alphabet=' !"/\\=&,*[a#', max_size=12) | st.text(max_size=12)


@given(TEXTS)
def test_any_text_is_a_filter_or_an_error_of_the_text(text: str) -> None:
    with suppress(InvalidInputError):
        assert len(kept(text)) <= len(ROWS)


@given(TEXTS)
def test_a_term_and_its_negation_part_the_rows(text: str) -> None:
    try:
        terms = parse_filter(text)
        negated = parse_filter(f"!{text}") if len(terms) == 1 and not terms[0].negated else ()
        one, other = fits(terms, FIELDS), fits(negated, FIELDS)
    except InvalidInputError:
        return
    if negated:
        assert all(one(row) is not other(row) for row in ROWS)


def test_what_fits_only_as_a_whole_is_looked_at_for_some_words_only() -> None:
    asked = []

    def exact(row: Row) -> tuple[str, ...]:
        asked.append(row)
        return (f"#{len(row[0])}",)

    fields: FilteredFields[Row] = FilteredFields(
        "rows", "\n".join, {}, exact, may_be_exact=lambda word: word.startswith("#")
    )
    row = ("deploy web", "failed")
    assert not fits(parse_filter("nothing"), fields)(row)
    assert fits(parse_filter("!nothing"), fields)(row)
    assert asked == []
    assert fits(parse_filter("#10"), fields)(row)
    assert asked == [row]
