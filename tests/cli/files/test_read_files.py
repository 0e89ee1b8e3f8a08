"""The files that become part of a task: errors name the wrong one, and none hangs."""

import io
import os
import sys
from pathlib import Path

import pytest

from tui_manager.cli.options.read_files import load_task_file
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files import task_file
from tui_manager.domain.task_spec.script_and_stdin import CONTENT_LENGTH
from tui_manager.operator.local_files.sources_of_task import TaskSources

TASK = 'target = "web*"\n[[steps]]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "job.toml"
    path.write_text(f'{TASK}script = "work.sh"\n')
    return path


def test_a_file_that_names_no_other_is_kept_as_it_is(file: Path) -> None:
    text = f"# why\r\n{TASK}run = 'date'\r\n"
    file.write_bytes(text.encode())
    loaded = load_task_file(str(file), TaskSources())
    assert (loaded.name, loaded.text) == ("job.toml", text)
    assert loaded.task_file.spec.commands[0].text == "date"


def test_scripts_are_relative_to_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "work.sh").write_bytes(b"#!/bin/sh\ndate\n")
    monkeypatch.chdir("/")
    loaded = load_task_file(str(file), TaskSources())
    assert loaded.task_file.spec.commands[0].contents["script"].data == b"#!/bin/sh\ndate\n"
    assert "#!/bin/sh\ndate\n" in loaded.text


def test_a_task_file_can_come_from_stdin(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "work.sh").write_bytes(b"#!/bin/sh\ndate\n")
    monkeypatch.chdir(file.parent)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    loaded = load_task_file("-", TaskSources())
    assert loaded.name == "stdin"
    assert loaded.task_file.spec.commands[0].contents["script"].size == 15


def test_what_is_wrong_with_the_file_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        with pytest.raises(InvalidInputError) as caught:
            load_task_file(str(file), TaskSources())
        return str(caught.value)

    file.write_bytes(b'target = "\xff"')
    assert said() == "job.toml: it is not UTF-8 at byte 11."
    monkeypatch.setattr(task_file, "TASK_FILE_LENGTH", 5)
    assert said() == f"{file}: it has more than 5 bytes."
    file.unlink()
    assert said() == f"{file}: No such file or directory."
    file.mkdir()
    assert said() == f"{file}: Is a directory."
    file.rmdir()
    os.mkfifo(file)
    assert said() == f"{file}: it is not a regular file."


def test_what_is_wrong_with_a_script_is_said(file: Path) -> None:
    script = file.parent / "work.sh"

    def said() -> str:
        with pytest.raises(InvalidInputError) as caught:
            load_task_file(str(file), TaskSources())
        assert str(caught.value).startswith("job.toml, line 3: steps[0].script: ")
        return str(caught.value).removeprefix("job.toml, line 3: steps[0].script: ")

    assert said() == "work.sh: No such file or directory."
    script.write_bytes(b"#!/bin/sh\n".ljust(CONTENT_LENGTH + 1, b"#"))
    assert said() == f"work.sh: it has more than {CONTENT_LENGTH} bytes."
    script.unlink()
    os.mkfifo(script)
    assert said() == "work.sh: it is not a regular file."


def test_stdin_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_file, "TASK_FILE_LENGTH", 5)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"123456")))
    with pytest.raises(InvalidInputError, match="stdin: it has more than 5 bytes"):
        load_task_file("-", TaskSources())
