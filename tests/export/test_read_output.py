"""Output that is read once into a temporary file: documents are as with a call for each host."""

import sqlite3
import tempfile
from contextlib import closing

import pytest

from tests.export.conftest import HOSTS, Operator, exported
from tui_manager.domain.errors import StorageError
from tui_manager.domain.presentation.export_format import Format
from tui_manager.domain.status import Stream
from tui_manager.export import read_output

WITH_OUTPUT = (Format.JSON, Format.JUNIT, Format.HTML)


@pytest.fixture(autouse=True)
def more_output(operator: Operator) -> None:
    """Both streams in turn, a gap, and characters that are cut between chunks."""
    for number, host in enumerate(HOSTS):
        execution_id = operator.execution(1, host, 0)
        for stream in (Stream.STDERR, Stream.STDOUT, Stream.STDERR):
            for data in ("é".encode()[:1], "é".encode()[1:], b"%d\n" % (number % 2), b"x" * 50):
                operator.emit(execution_id, data, stream)
        operator.say(host, b"", gap=7)
        operator.emit(execution_id, b"after\n")


@pytest.mark.parametrize("wanted", WITH_OUTPUT)
@pytest.mark.parametrize(
    "bounds",
    [{}, {"KEPT": 1}, {"KEPT": 60}, {"READ_MAX": 1}, {"READ_MAX": 2000}, {"READ_MAX": 0}],
    ids=str,
)
def test_the_document_is_the_same(
    operator: Operator,
    wanted: Format,
    bounds: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_calls = exported(operator, wanted)
    monkeypatch.setattr(read_output, "MANY", 1)
    for name, value in bounds.items():
        monkeypatch.setattr(read_output, name, value)
    assert exported(operator, wanted) == with_calls


@pytest.mark.parametrize("wanted", WITH_OUTPUT)
def test_many_hosts_need_no_call_each(
    operator: Operator, wanted: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_output, "MANY", 1)
    operator.calls.clear()
    exported(operator, wanted)
    assert operator.calls.count("read_output") == 0
    chunks = len(operator.tasks[1].output)
    assert operator.calls.count("follow_output") <= chunks // 2 + 2  # two chunks a call here


def test_without_room_for_the_file_there_is_none(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_calls = exported(operator, Format.JSON)
    monkeypatch.setattr(read_output, "MANY", 1)
    monkeypatch.setattr(read_output, "_TABLE", "CREATE TABLE kept (only TEXT)")
    with closing(sqlite3.connect("")) as file, pytest.raises(sqlite3.Error):
        file.execute(read_output._INSERT, ("",) * 8)
    assert exported(operator, Format.JSON) == with_calls


def test_no_room_for_a_report_is_said(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(tempfile.SpooledTemporaryFile[str]):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tui_manager.export.junit_document._Spool", Full)
    with pytest.raises(StorageError, match="temporary files cannot be written: No space left"):
        exported(operator, Format.JUNIT)
