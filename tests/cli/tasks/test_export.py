"""`tui-manager export`: where the document goes, and what can go wrong."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.export.conftest import Operator
from tests.export.conftest import operator as operator
from tui_manager.cli.main import main
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.tasks.task import CommandHost

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def connected(operator: Operator, connect_to: Connect) -> None:
    """The commands talk to this manager."""
    connect_to(lambda: operator)


@pytest.mark.parametrize(
    ("wanted", "begin"),
    [("json", "{\n"), ("csv", "task_id,task,host,"), ("junit", "<?xml "), ("html", "<!doctype ")],
)
def test_each_format_on_stdout(wanted: str, begin: str, capsys: Capture) -> None:
    assert main(["export", "1", "--format", wanted]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(begin)
    assert err == ""


def test_into_a_file(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "task.json"
    assert main(["export", "--format=json", "1", "--output", str(path)]) == 0
    assert capsys.readouterr() == ("", "")
    assert json.loads(path.read_bytes())["task_id"] == 1


def test_the_ending_of_the_file_chooses_the_format(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "report.XML"
    assert main(["export", "1", "--output", str(path)]) == 0
    assert path.read_text().startswith("<?xml ")
    assert main(["export", "1", "--format", "csv", "--output", str(path)]) == 0
    assert path.read_text().startswith("task_id,")


def test_a_failed_export_leaves_no_file(
    operator: Operator, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = operator.list_command_hosts

    async def fail_later(
        task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        if window.offset:
            raise UnreachableError("The manager has ended.")
        return await read(task_id, window, command)

    monkeypatch.setattr(operator, "list_command_hosts", fail_later)
    assert main(["export", "1", "--format", "csv", "--output", str(tmp_path / "a.csv")]) == 3
    assert [path for path in tmp_path.iterdir() if path.name.startswith((".", "a"))] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["1"], 2, "Give --format json|csv|html|junit"),
        (["1", "--output", "task.pdf"], 2, "ends in .json, .csv, .html, .xml"),
        (["1", "--format", "pdf"], 2, "pdf"),
        (["9", "--format", "csv"], 2, "no task 9"),
        (["1", "--format", "csv", "--output", "no/such"], 2, "There is no folder no"),
        (["1", "--format", "csv", "--output", "/dev/full"], 4, "/dev/full cannot be written: No"),
    ],
)
def test_what_can_be_wrong(arguments: list[str], code: int, words: str, capsys: Capture) -> None:
    assert main(["export", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
