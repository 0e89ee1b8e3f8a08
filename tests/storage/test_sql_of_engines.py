"""SQLite and PostgreSQL have the same queries: the same files, names, notes and parameters."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

SQL = Path(str(files("tui_manager.storage"))) / "sql"
_QUERY = re.compile(r"^-- name: (\w+)\n((?:--.*\n)*)", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b")


def _queries(engine: str, file: str) -> dict[str, str]:
    """The queries of a file by name, each without the lines that say what it is for."""
    parts = _QUERY.split((SQL / engine / file).read_text(encoding="utf-8"))
    return dict(zip(parts[1::3], parts[3::3], strict=True))


def _parameters(sql: str) -> set[str]:
    return set(_PARAMETER.findall(re.sub(r"--.*", "", sql)))


def _files(engine: str) -> set[str]:
    return {path.name for path in (SQL / engine).iterdir() if not path.name[0].isdigit()}


FILES = sorted(_files("sqlite"))


def test_both_engines_have_the_same_files() -> None:
    assert len(FILES) > 20
    assert _files("postgresql") == _files("sqlite")


@pytest.mark.parametrize("file", FILES)
def test_both_engines_have_the_same_queries_in_one_order(file: str) -> None:
    assert list(_queries("postgresql", file)) == list(_queries("sqlite", file))


@pytest.mark.parametrize("file", FILES)
def test_a_query_has_the_same_parameters_on_both(file: str) -> None:
    postgresql = _queries("postgresql", file)
    for name, sql in _queries("sqlite", file).items():
        more = {"execution_id"} if file == "output.sql" else set()  # it says which partition
        parameters, of_sqlite = _parameters(postgresql[name]), _parameters(sql)
        assert of_sqlite <= parameters <= of_sqlite | more, name


@pytest.mark.parametrize("file", FILES)
def test_a_query_of_postgresql_can_be_read_as_one(file: str) -> None:
    """A colon begins a parameter, or is a cast; psycopg would take others for a parameter."""
    for name, sql in _queries("postgresql", file).items():
        literals = re.findall(r"'[^']*'", sql)
        assert not [literal for literal in literals if _PARAMETER.search(literal)], name
        assert "json_each" not in sql, name
