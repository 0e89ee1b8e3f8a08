"""The PostgreSQL server of the tests: one a run, an empty database a test, nothing left behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.support.databases import postgresql_server
from tests.support.databases.postgresql import new_database, postgresql_database, url_as_superuser
from tests.support.databases.postgresql_server import (
    PostgresqlServer,
    find_programs,
    folder_for_servers,
)
from tests.support.forked_run import RUN
from tests.support.programs.programs import wait_for

_ROOT = Path(__file__).parents[3]
_USER = """
import sys
from tests.support.databases.postgresql import postgresql_database
with postgresql_database() as url:
    print(url.rpartition("host=")[2], flush=True)
    sys.stdin.read()
"""


def test_a_test_gets_an_empty_database_of_its_own() -> None:
    with new_database() as one, new_database() as other:
        for url in (one, other):
            with psycopg.connect(url) as connection:
                connection.execute("CREATE TABLE mine (x bigint)")
        with psycopg.connect(one) as connection:
            rows = connection.execute("SELECT current_user, usesuper FROM pg_user").fetchall()
            assert ("tui_manager", False) in rows
        with psycopg.connect(url_as_superuser(one)) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("postgres",)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(one)


def test_the_next_test_finds_the_database_as_the_migrations_leave_it() -> None:
    enter = "INSERT INTO audit (at, actor, action) VALUES (0, '', 'noted') RETURNING id"
    write = "UPDATE leader SET epoch = 7"
    begin_at = "ALTER SEQUENCE output_chunks_id RESTART WITH 6"  # as `database migrate` does
    with postgresql_database() as url, psycopg.connect(url) as connection:
        assert connection.execute(enter).fetchone() == (1,)
        assert connection.execute(write).rowcount == 1
        connection.execute(begin_at)
    with postgresql_database() as again, psycopg.connect(again) as connection:
        assert again == url
        assert connection.execute("SELECT epoch FROM leader").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM audit").fetchone() == (0,)
        assert connection.execute(enter).fetchone() == (1,)
        assert connection.execute("SELECT nextval('output_chunks_id')").fetchone() == (1,)


@pytest.mark.parametrize("crash", [False, True])
def test_the_server_ends_with_the_last_process_of_its_run(crash: bool) -> None:
    environment = os.environ | {RUN: f"own{os.getpid()}{crash:d}"}
    users = [
        subprocess.Popen(
            [sys.executable, "-c", _USER],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    folders = {_first_line(user) for user in users}
    (folder,) = map(Path, folders)
    assert len(_servers(folder)) == 1
    for user in users:
        assert _servers(folder)
        if crash:
            user.kill()
        user.communicate()
    wait_for("the server to end", lambda: [_servers(folder), folder.exists()], _is_gone)


def test_a_killed_keeper_takes_the_server_with_it() -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux ends a program whose parent is killed")
    environment = os.environ | {RUN: f"kept{os.getpid()}"}
    with subprocess.Popen(
        [sys.executable, "-c", _USER],
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as user:
        folder = Path(_first_line(user))
        (server,) = _servers(folder)
        keeper = server.parent()
        assert keeper is not None
        keeper.kill()
        wait_for("the server to end", lambda: _servers(folder), lambda seen: not seen)
        user.communicate()
    shutil.rmtree(folder)


def test_a_server_of_ones_own_starts_again_with_its_data() -> None:
    server = PostgresqlServer(folder_for_servers() / f"tui-own-{os.getpid()}")
    try:
        server.start()
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS x")
        server.stop(signal.SIGQUIT)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url())
        server.start()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT x FROM kept").fetchone() == (1,)
    finally:
        server.stop()
        shutil.rmtree(server.folder)


def test_a_missing_server_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(postgresql_server.VARIABLE, "/nowhere")
    with pytest.raises(AssertionError, match=r"Run `make setup`.*install PostgreSQL"):
        find_programs()


def _first_line(user: "subprocess.Popen[str]") -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def _servers(folder: Path) -> list[psutil.Process]:
    """The processes that have the server's data, without those that the server started."""
    found = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(folder / "data") in (process.info["cmdline"] or ())
    ]
    return found


def _is_gone(seen: list[object]) -> bool:
    return not any(seen)
