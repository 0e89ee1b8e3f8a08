"""A task as CSV, read by Python's own reader."""

import csv
import io

import pytest

from tests.export.conftest import FORMULA, HOSTS, Operator, exported
from tui_manager.domain.presentation.export_format import Format
from tui_manager.export.csv_document import Cell, without_formula


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_line_for_each_command_host(operator: Operator) -> None:
    text = exported(operator, Format.CSV)
    assert text.count("\r\n") == text.count("\n") == 15
    rows = read(text)
    assert [row["host"] for row in rows] == [*HOSTS, *HOSTS]
    done, failed, skipped = rows[0], rows[3], rows[-1]
    assert (done["task_id"], done["task"], done["step"]) == ("1", "rolling <restart>", "restart")
    assert (done["status"], done["exit_code"], done["seconds"]) == ("completed", "0", "1.0")
    assert (done["started_at"], done["last_line"]) == ("2026-03-01T12:00:00.250Z", "ok")
    assert (failed["reason"], failed["exit_code"]) == ("exit_code", "3")
    assert (failed["stdout_bytes"], failed["stderr_bytes"]) == ("22", "12")
    assert (skipped["status"], skipped["started_at"], skipped["seconds"]) == ("skipped", "", "")
    assert (skipped["step"], skipped["kind"]) == ("curl -f localhost/health", "run")


def test_no_cell_is_executed(operator: Operator) -> None:
    rows = read(exported(operator, Format.CSV))
    assert rows[3]["detail"] == f"'{FORMULA}"
    assert rows[3]["last_line"] == "'=1+1 failed"
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum(a1)", "'@sum(a1)"),
        ("  =1", "'  =1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\uff1d1", "'\uff1d1"),
        ("\t=1", "␉=1"),
        ("\r=1", "␍=1"),
        ("a\n=1", "a␊=1"),
        ("\x1b[31m=1", "'=1"),
        ("\u200b=1", "<U+200B>=1"),
        ("a-b", "a-b"),
        ("", ""),
        (-1.5, -1.5),
        (None, None),
    ],
)
def test_a_cell(cell: Cell, shown: Cell) -> None:
    assert without_formula(cell) == shown
