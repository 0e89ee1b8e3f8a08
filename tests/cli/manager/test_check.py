"""`tui-manager check` and its exit status."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.file_sets import make_set, store
from tests.support.managers.manager_parts import manager_parts
from tui_manager.cli.main import main
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.tables.manager import manager_state


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Of a manager that has run."""

    async def make() -> None:
        async with open_database(tmp_path / DATABASE) as database:
            await database.write(lambda tx: manager_state.manager_id(tx, 0))

    asyncio.run(make())
    return tmp_path


def _spoil(state_dir: Path) -> None:
    with closing(sqlite3.connect(state_dir / DATABASE)) as connection:
        connection.execute("DELETE FROM manager")
        connection.commit()


def test_a_sound_database_exits_with_0(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--state-dir", str(state_dir)]) == 0
    assert capsys.readouterr().out == (
        "0 tasks, 0 command hosts, 0 output bytes: no problem found\n"
    )


def test_findings_are_lines_and_exit_with_1(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _spoil(state_dir)
    assert main(["check", "--state-dir", str(state_dir)]) == 1
    said = capsys.readouterr()
    assert said.out == "The table of the manager holds 0 rows; it must hold one.\n"
    assert said.err == "tui-manager: 1 problem found\n"


def test_json_names_each_finding(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _spoil(state_dir)
    assert main(["check", str(state_dir / DATABASE), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"database", "tasks", "command_hosts", "output_bytes", "findings"}
    assert [item["check"] for item in found["findings"]] == ["managers"]


def test_no_database_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--state-dir", str(tmp_path / "none")]) == 2
    assert "There is no database" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_backup_passes_the_check(
    state_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = str(tmp_path / "copy.db")
    assert main(["backup", copy, "--state-dir", str(state_dir)]) == 0
    assert capsys.readouterr().out.startswith(f"{copy}: ")
    assert main(["check", copy]) == 0
    assert main(["backup", copy, "--state-dir", str(state_dir)]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["backup", copy, "--state-dir", str(state_dir), "--force"]) == 0


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_a_file_that_is_no_database_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert main(["check", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert str(path) in said.err
    assert path.read_bytes() == content


@pytest.mark.parametrize("version", [0, 9999])
def test_a_database_of_another_program_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], version: int
) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE notes (text)")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    assert main(["check", str(tmp_path / "other.db")]) == 2
    assert capsys.readouterr().out == ""


def test_files_that_are_missing_or_damaged_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_set({b"app.conf": b"x" * 100})

    async def make() -> None:
        async with manager_parts(tmp_path) as parts:
            await store(parts.files, made)

    asyncio.run(make())
    check = ["check", "--state-dir", str(tmp_path)]
    assert main(check) == 0
    data = tmp_path / "files" / f"{made.files.sha256}.data"
    data.write_bytes(b"y" * 100)
    assert main(check) == 1
    assert "is damaged: The bytes of 'app.conf' arrived" in capsys.readouterr().out
    data.unlink()
    assert main([*check, "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["check"] == "files"
    assert finding["text"].endswith(f"{data} is missing. Copy or fetch its files once more.")
    assert main([*check, str(tmp_path / DATABASE)]) == 0  # a backup, which has no files
