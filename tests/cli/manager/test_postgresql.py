"""What the plain commands do with a manager whose database is in PostgreSQL."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.support.databases.postgresql import new_database, unused_database
from tests.support.programs.programs import wait_for
from tui_manager.cli.commands import serve
from tui_manager.cli.main import main
from tui_manager.domain.errors import StorageError
from tui_manager.run_manager import run_manager
from tui_manager.settings import Settings
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.tables.manager import manager_state

_WITHOUT_CLIENT = """
import sys
sys.modules["psycopg"] = None
from tui_manager.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty database, which is in the environment."""
    with new_database() as made:
        monkeypatch.setenv("TUI_MANAGER_DATABASE", made)
        yield made


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same, with tables and without rows."""
    with unused_database() as made:
        monkeypatch.setenv("TUI_MANAGER_DATABASE", made)
        yield made


def _settings(folder: Path, url: str) -> Settings:
    return Settings(state_dir=folder, database=url, listen="127.0.0.1:0", insecure=True)


async def test_a_manager_runs_on_it_and_says_where_its_data_are(tmp_path: Path, empty: str) -> None:
    async with run_manager(_settings(tmp_path, empty)) as manager:
        status = await manager.operator.manager_status()
        first = manager.manager_id
    assert status.database.startswith("PostgreSQL 1")
    assert " at /" in status.database
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"files", "gateway", "manager.lock", "postgresql"}
    async with run_manager(_settings(tmp_path, empty)) as manager:
        assert manager.manager_id == first


@pytest.mark.parametrize(
    ("chosen", "used"), [("off", "local"), ("local", "local"), ("remote_apply", "remote_apply")]
)
async def test_a_commit_is_on_a_disk_whatever_the_server_says(
    url: str, chosen: str, used: str
) -> None:
    with psycopg.connect(url) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = {chosen}".encode())
    async with open_database(url) as database:
        shown = "SELECT current_setting('synchronous_commit')"
        assert await database.write(lambda tx: tx.execute(shown).fetchone()[0]) == used


async def test_a_second_manager_on_it_is_part_of_the_same_system(tmp_path: Path, url: str) -> None:
    one, other = (_settings(tmp_path / name, url) for name in ("a", "b"))
    async with run_manager(one) as first, run_manager(other) as second:
        assert second.manager_id == first.manager_id


async def test_it_does_not_begin_with_an_empty_file(tmp_path: Path, url: str) -> None:
    async with run_manager(_settings(tmp_path, url)):
        pass
    with pytest.raises(StorageError, match="keeps its data in PostgreSQL"):
        async with run_manager(_settings(tmp_path, "")):
            raise AssertionError("it has started")
    assert not (tmp_path / "manager.db").exists()


async def test_it_does_not_begin_in_another_database(tmp_path: Path, url: str) -> None:
    async with run_manager(_settings(tmp_path, url)):
        pass
    with new_database() as other:
        with pytest.raises(StorageError, match="The database of the settings is empty"):
            async with run_manager(_settings(tmp_path, other)):
                raise AssertionError("it has started")
        with psycopg.connect(other) as connection:  # nothing was written there
            tables = connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            )
            assert not tables.fetchall()


async def test_a_refused_start_leaves_the_database_of_another_manager_alone(
    tmp_path: Path, url: str
) -> None:
    async with run_manager(_settings(tmp_path / "a", url)):
        pass
    with unused_database() as other:
        async with run_manager(_settings(tmp_path / "b", other)):
            pass
        with psycopg.connect(other) as connection:
            stored = connection.execute("SELECT * FROM last_write").fetchall()
        with pytest.raises(StorageError, match="The database of the settings is another manager's"):
            async with run_manager(_settings(tmp_path / "a", other)):
                raise AssertionError("it has started")
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT * FROM last_write").fetchall() == stored


def test_a_backup_is_made_with_the_tools_of_postgresql(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", str(tmp_path / "copy.db")]) == 2
    said = capsys.readouterr().err
    assert f"pg_dump --format=custom --file={tmp_path}/copy.db" in said
    assert not (tmp_path / "copy.db").exists()


async def test_check_reads_it(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_database(url) as database:
        await database.write(lambda tx: manager_state.manager_id(tx, 0))
    assert main(["check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "database": url,
        "tasks": 0,
        "command_hosts": 0,
        "output_bytes": 0,
        "findings": [],
    }
    async with open_database(url) as database:
        await database.write(lambda tx: tx.execute("DELETE FROM manager"))
    assert main(["check"]) == 1
    assert "The table of the manager holds 0 rows" in capsys.readouterr().out


def test_check_of_what_is_no_database_of_ours(
    empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_a_service_that_is_not_known_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "none"))
    monkeypatch.setenv("TUI_MANAGER_DATABASE", "postgresql:///?service=tui")
    assert main(["check"]) == 1
    assert "PostgreSQL database of the service tui cannot be" in capsys.readouterr().err


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


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Of a manager that has run on SQLite."""

    async def make() -> None:
        settings = Settings(state_dir=tmp_path, listen="127.0.0.1:0", insecure=True)
        async with run_manager(settings):
            pass

    asyncio.run(make())
    return tmp_path


def test_migrate_says_what_it_has_carried_over(
    state_dir: Path,
    empty: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve, "short_collections", nullcontext)  # see `tests/conftest.py`
    source = state_dir / "manager.db"
    command = ["database", "migrate", "--from", str(source), "--state-dir", str(state_dir)]
    assert main(["serve", "--state-dir", str(state_dir), "--listen", "127.0.0.1:0"]) == 2
    assert "`tui-manager database migrate --from FILE` migrates them" in capsys.readouterr().err
    assert main([*command, "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found.keys() == {"from", "database", "rows", "replaced", "recounted", "seconds"}
    assert found["rows"]["manager"] == 1
    assert found["database"] == empty
    assert "tui-manager: migrating manager: 1 of 1 rows\n" in said.err
    assert "tui-manager: comparing manager: 1 of 1 rows\n" in said.err
    assert main(["check", "--state-dir", str(state_dir)]) == 0
    assert main(command) == 2
    assert "is not empty: there are rows in manager" in capsys.readouterr().err


async def test_after_it_the_manager_is_the_same_one(state_dir: Path, url: str) -> None:
    settings = Settings(state_dir=state_dir, listen="127.0.0.1:0", insecure=True)
    async with run_manager(settings) as manager:
        before = manager.manager_id
    source = str(state_dir / "manager.db")
    command = ["database", "migrate", "--from", source, "--state-dir", str(state_dir)]
    assert main(command) == 0
    with pytest.raises(StorageError, match="keeps its data in PostgreSQL"):
        async with run_manager(settings):
            raise AssertionError("it has started with the old file")
    async with run_manager(replace(settings, database=url)) as manager:
        assert manager.manager_id == before


async def test_it_does_not_migrate_while_the_manager_runs(
    state_dir: Path, tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(state_dir / "manager.db")
    settings = Settings(state_dir=state_dir, listen="127.0.0.1:0", insecure=True)
    async with run_manager(settings):
        for folder in (state_dir, tmp_path / "other"):
            command = ["database", "migrate", "--from", source, "--state-dir", str(folder)]
            assert main(command) == 2
            assert f"A manager already runs on {state_dir}" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_migration_that_is_interrupted_leaves_nothing_behind(
    state_dir: Path, empty: str, number: signal.Signals
) -> None:
    program = [
        sys.executable,
        "-c",
        "from tui_manager.cli.main import main; raise SystemExit(main())",
    ]
    command = ["database", "migrate", "--from", str(state_dir / "manager.db")]
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(7443001)")  # it waits for this one
        migrating = subprocess.Popen(
            [*program, "--state-dir", str(state_dir), *command], stderr=subprocess.PIPE, text=True
        )
        waits = (  # in this database; other tests have theirs on the same server
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
        )
        wait_for(
            "it to wait for the lock",
            lambda: connection.execute(waits).fetchone(),
            lambda row: row == (1,),
            explain=lambda: f"{migrating.poll()}",
        )
        migrating.send_signal(number)
        _, said = migrating.communicate()
        assert migrating.returncode == 128 + number
        assert said == ""
        tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert connection.execute(tables).fetchone() == (0,)
    assert not (state_dir / "postgresql").exists()


def test_without_the_setting_it_says_what_to_set(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["database", "migrate", "--from", str(state_dir / "manager.db")]) == 2
    assert "TUI_MANAGER_DATABASE" in capsys.readouterr().err
