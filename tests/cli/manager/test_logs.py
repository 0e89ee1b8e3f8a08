"""Logs: one line a record, private rotating files, and a file descriptor 2 off the screen."""

import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui_manager import logs
from tui_manager.domain.errors import StorageError
from tui_manager.logs import FieldFormatter, flush_log, log_to_file
from tui_manager.settings import Settings


@pytest.fixture(autouse=True)
def root_logger_as_before() -> Iterator[None]:
    """Gives the root logger its handlers back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level


def render(message: str, *values: object, **fields: object) -> str:
    """The line of a record without its time."""
    record = logging.LogRecord("tui_manager.x", logging.INFO, "f", 1, message, values, None)
    vars(record).update(fields)
    return FieldFormatter().format(record).split(" ", 1)[1]


def test_a_record_is_time_level_logger_message_and_fields() -> None:
    record = logging.makeLogRecord(
        {"created": 1772366400.25, "name": "a", "levelname": "WARNING", "msg": "m", "task": 7}
    )
    assert FieldFormatter().format(record) == "2026-03-01T12:00:00.250Z warning a m task=7"


def test_every_extra_is_a_field_and_quoted_when_needed() -> None:
    line = render("sent to %s", "web01", task=7, host="web01", detail='no "x"', empty="", e="a=b")
    assert line == (
        'info tui_manager.x sent to web01 task=7 host=web01 detail="no \\"x\\"" empty="" e="a=b"'
    )


def test_what_a_host_says_makes_no_records_of_its_own() -> None:
    line = render("said %s", "x\n2026 error forged\x1b[2J", name_of_host="a\nb")
    assert "\n" not in line
    assert "\x1b" not in line
    assert line.endswith('name_of_host="a\\nb"')


def test_a_traceback_follows_indented() -> None:
    try:
        raise ValueError("bad\nvalue")
    except ValueError:
        text = render("failed", exc_info=sys.exc_info(), task=7)
    first, *rest = text.split("\n")
    assert first == "info tui_manager.x failed task=7"
    assert all(line.startswith("    ") for line in rest)


def test_the_file_is_private_and_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 200)
    path = log_to_file(Settings(log_dir=tmp_path / "a" / "log"))
    for number in range(50):
        logging.getLogger("tui_manager").info("line", extra={"number": number})
        flush_log()
    names = sorted(found.name for found in path.parent.iterdir())
    assert names == ["tui-manager.log", *(f"tui-manager.log.{old}" for old in range(1, 6))]
    assert {found.stat().st_mode & 0o777 for found in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.read_text().splitlines()[-1].endswith("info tui_manager line number=49")


def test_a_line_of_the_file_is_rendered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = []
    render_one = logs.FieldFormatter.format

    def count(formatter: logs.FieldFormatter, record: logging.LogRecord) -> str:
        rendered.append(record.getMessage())
        return render_one(formatter, record)

    monkeypatch.setattr(logs.FieldFormatter, "format", count)
    log_to_file(Settings(log_dir=tmp_path))
    logging.getLogger("tui_manager").info("line")
    flush_log()
    assert rendered == ["line"]


def test_an_older_file_is_closed_to_others_but_its_folder_is_not_ours(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "tui-manager.log").touch()
    (tmp_path / "tui-manager.log").chmod(0o644)
    assert log_to_file(Settings(log_dir=tmp_path)).stat().st_mode & 0o777 == 0o600
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_log_folder_away_for_a_moment_says_nothing_on_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 1)  # a new file for each line
    path = log_to_file(Settings(log_dir=tmp_path / "log"))
    for line in ("first", "second"):
        logging.getLogger("tui_manager").info(line)
        flush_log()
    (tmp_path / "log").rename(tmp_path / "away")
    logging.getLogger("tui_manager").info("dropped")
    flush_log()
    (tmp_path / "away").rename(tmp_path / "log")
    logging.getLogger("tui_manager").info("third")
    flush_log()
    said = path.read_text()
    assert "1 log line was dropped: the log could not be written" in said
    assert said.endswith("third\n")
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"The log file .* cannot be written"):
        log_to_file(Settings(log_dir=tmp_path / "file" / "log"))


_DASHBOARD = """
import json, os, sys
from pathlib import Path
from tui_manager.logs import redirect_stderr_for_dashboard
with redirect_stderr_for_dashboard(Path(sys.argv[1])):
    os.write(2, b"from the C core\\n")
    sys.__stderr__.write("drawn\\n")
    sys.stderr.write("last words\\n")
    verbosity = os.environ["GRPC_VERBOSITY"]
os.write(2, b"after\\n")
sys.__stderr__.write("also after\\n")
print(json.dumps([verbosity, "grpc" in sys.modules]))
"""


@pytest.mark.parametrize(("given", "expected"), [(None, "NONE"), ("DEBUG", "DEBUG")])
def test_file_descriptor_2_goes_to_the_log_and_the_drawing_to_the_terminal(
    tmp_path: Path, given: str | None, expected: str
) -> None:
    log = tmp_path / "log"
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    if given:
        environment["GRPC_VERBOSITY"] = given
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", _DASHBOARD, log],
            stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environment, check=True,
        )  # fmt: skip
        shown = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown.splitlines() == ["drawn", "last words", "after", "also after"]
    assert log.read_text() == "from the C core\n"
    assert log.stat().st_mode & 0o777 == 0o600
    assert json.loads(done.stdout) == [expected, False]
