"""Long lists are printed window by window: the rows of a window are written, or their text is kept,
before the next one is read."""

import gc
import weakref

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tui_manager.cli.main import main
from tui_manager.cli.printing.json_rows import JsonRows
from tui_manager.cli.printing.text_table import Table
from tui_manager.client.output_lines import TaskLines
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import CommandHost, OutputChunk


class Row(list[str]):
    """Can be referred to weakly."""


def test_a_table_keeps_the_text_of_its_rows_alone() -> None:
    table = Table(("A", "B"), stretch=())
    row = Row(["one", "two"])
    table.add(row)
    kept = weakref.ref(row)
    del row
    gc.collect()
    assert kept() is None
    assert [*table.lines()] == ["A    B\n", "one  two\n"]


def test_a_hidden_column_is_not_printed() -> None:
    table = Table(("A", "B", "C"), stretch=())
    table.add(("1", "a long text", "3"))
    table.hidden = 1
    assert [*table.lines()] == ["A  C\n", "1  3\n"]


def test_rows_are_written_before_the_next_window_is_read(
    connect_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    class Recording(FakeOperator):
        async def list_command_hosts(
            self, task_id: int, window: Window, command: int | None = None
        ) -> Page[CommandHost]:
            events.append("window")
            return await super().list_command_hosts(task_id, window, command)

    def add(self: JsonRows, row: object) -> None:
        events.append("row")

    operator = Recording("web01", "web02", "web03", "web04", "web05")
    connect_to(lambda: operator)
    monkeypatch.setattr(JsonRows, "add", add)
    assert main(["run", "@all", "--detach", "--", "true"]) == 0
    assert main(["task", "show", "1", "--json"]) == 0
    assert events == ["window", "row", "row"] * 2 + ["window", "row"]


def test_a_stream_between_two_lines_is_not_kept() -> None:
    def chunk(data: bytes, host: str = "web01") -> OutputChunk:
        return OutputChunk(1, "e1", host, 0, Stream.STDOUT, 0, data)

    lines = TaskLines()
    assert lines.feed(chunk(b"one\ntw")) == ["one"]
    assert len(lines._streams) == 1
    assert lines.feed(chunk(b"o\n\xc3")) == ["two"]
    assert len(lines._streams) == 1
    assert lines.feed(chunk(b"\xa9\n")) == ["é"]
    assert lines._streams == {}
    assert [*lines.rest()] == []
