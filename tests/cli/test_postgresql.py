"""What the plain commands do with a manager whose database is in PostgreSQL."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgresql import postgresql_database
from tui_manager.cli.main import main

_WITHOUT_CLIENT = """
import sys
sys.modules["psycopg"] = None
from tui_manager.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of an empty database, which is in the environment."""
    with postgresql_database() as made:
        monkeypatch.setenv("TUI_MANAGER_DATABASE", made)
        yield made


def test_a_backup_is_made_with_the_tools_of_postgresql(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", str(tmp_path / "copy.db")]) == 2
    said = capsys.readouterr().err
    assert f"pg_dump --format=custom --file={tmp_path}/copy.db" in said
    assert not (tmp_path / "copy.db").exists()


def test_check_of_what_is_no_database_of_ours(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2
    assert "is empty, and no database of tui-manager" in capsys.readouterr().err


def test_check_of_a_server_that_is_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUI_MANAGER_DATABASE", "postgresql://tui:s3cret@127.0.0.1:1/tui")
    assert main(["check"]) == 1
    said = capsys.readouterr().err
    assert "PostgreSQL database tui at 127.0.0.1 cannot be reached" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("command", [("serve", "--insecure"), ("check",)])
def test_without_the_client_it_says_what_to_install(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_CLIENT, "--state-dir", str(tmp_path), *command],
        env={"TUI_MANAGER_DATABASE": "postgresql://tui:s3cret@db1/tui", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'tui-manager[postgresql]'" in done.stderr
    assert "s3cret" not in done.stderr
