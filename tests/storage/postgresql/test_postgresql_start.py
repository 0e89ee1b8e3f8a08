"""What a manager says at its start about a PostgreSQL server that does not let it in, and where
passwords come from. No text repeats a password."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.databases.own_postgresql import (
    PASSWORD,
    as_superuser,
    own_server,
    server_with_passwords,
    standby_of,
    taken_connections,
)
from tests.support.databases.own_postgresql import tui_url as socket_url
from tests.support.databases.postgresql import new_database
from tests.support.databases.postgresql_server import PostgresqlServer
from tests.support.databases.tls_front import tls_front
from tui_manager.domain.errors import AlreadyRunningError, StorageError
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.numbered_files import numbered_files
from tui_manager.storage.engine.postgresql import migrations


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    """One that asks for passwords."""
    with server_with_passwords() as made:
        yield made


def _url(server: PostgresqlServer, password: str = PASSWORD, more: str = "") -> str:
    user = f"tui_manager:{password}" if password else "tui_manager"
    return f"postgresql://{user}@127.0.0.1:{server.settings['port']}/tui?gssencmode=disable{more}"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (PASSWORD, "wr0ng", "does not accept the password"),
        (f":{PASSWORD}", "", "asks for a password, and none was given"),
        ("tui_manager", "nobody", "does not accept this user"),
        ("/tui?", "/postgrest?", "has no such database; create it first"),
        ("127.0.0.1", "no.host.invalid", "cannot be reached"),
        ("127.0.0.1", "127.0.0.1:1,127.0.0.1", "."),
    ],
)
async def test_a_server_that_lets_nobody_in(
    server: PostgresqlServer, old: str, new: str, words: str
) -> None:
    url = _url(server).replace(old, new)
    if words == ".":  # the second host lets it in
        await _open(url)
        return
    with pytest.raises(StorageError, match=words) as raised:
        await _open(url)
    assert "PostgreSQL database" in str(raised.value)
    assert PASSWORD not in str(raised.value)
    assert "wr0ng" not in str(raised.value)


@pytest.mark.parametrize("source", ["passfile", "variable", "service"])
async def test_a_password_from_elsewhere(
    server: PostgresqlServer, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, port = _url(server, ""), server.settings["port"]
    if source == "passfile":
        passfile = tmp_path / "pgpass"
        passfile.touch(mode=0o600)
        passfile.write_text(f"127.0.0.1:{port}:tui:tui_manager:{PASSWORD}\n")
        url += f"&passfile={passfile}"
    elif source == "variable":
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
    else:
        file = tmp_path / "service.conf"
        place = f"host=127.0.0.1\nport={port}\ndbname=tui\nuser=tui_manager"
        file.write_text(f"[fleet]\n{place}\npassword={PASSWORD}\n")
        monkeypatch.setenv("PGSERVICEFILE", str(file))
        url = "postgresql://?service=fleet"
    await _open(url)


async def test_a_certificate_that_does_not_fit(server: PostgresqlServer, tmp_path: Path) -> None:
    port = server.settings["port"]
    with tls_front(int(port), tmp_path, "db.example") as (front, certificate):
        url = _url(server).replace(port, str(front))
        await _open(f"{url}&sslmode=verify-ca&sslrootcert={certificate}")
        for more in ("", "missing"):  # another name; no certificate to check by
            refused = f"{url}&sslmode=verify-full&sslrootcert={certificate}{more}"
            with pytest.raises(StorageError, match="Its certificate is not the expected one"):
                await _open(refused)
        await _open(
            f"{url.replace('127.0.0.1', 'db.example')}&hostaddr=127.0.0.1"
            f"&sslmode=verify-full&sslrootcert={certificate}"
        )
    with pytest.raises(StorageError, match="does not speak TLS, which sslmode asks for"):
        await _open(_url(server, more="&sslmode=require"))


async def test_a_server_without_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    with own_server(max_connections="4", superuser_reserved_connections="1") as server:
        async with taken_connections(server, 3):
            with pytest.raises(StorageError, match="has no connection left; raise max_connections"):
                await _open(socket_url(server))


async def test_a_database_that_is_read_only() -> None:
    with own_server() as server:
        await _open(socket_url(server))
        as_superuser(server, "ALTER DATABASE tui SET default_transaction_read_only = on")
        with pytest.raises(StorageError, match="takes no writes: it is a standby, or set to read"):
            await _open(socket_url(server))
        as_superuser(server, "ALTER DATABASE tui RESET default_transaction_read_only")
        with standby_of(server) as standby:
            with pytest.raises(StorageError, match="takes no writes: it is a standby"):
                await _open(socket_url(standby))
            both = f"{server.folder},{standby.folder}"
            url = socket_url(server).replace(str(server.folder), both)
            await _open(url.replace(both, ",".join(both.split(",")[::-1])))


async def test_a_server_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "OLDEST_SERVER", 990000)
    with new_database() as url:
        with pytest.raises(StorageError, match=r"is on PostgreSQL \d+; tui-manager needs 99"):
            await _open(url)
        assert not _tables(url)


async def test_a_database_of_a_newer_program_is_refused_and_left_alone() -> None:
    newest = len(numbered_files("postgresql"))
    with new_database() as url:
        await _open(url)
        with psycopg.connect(url) as other:
            other.execute("INSERT INTO schema_version VALUES (%s, 0)", (newest + 1,))
        with pytest.raises(StorageError, match=f"newer tui-manager .schema {newest + 1}"):
            await _open(url)


async def test_a_database_of_another_program_is_refused_and_left_alone() -> None:
    with new_database() as url:
        with psycopg.connect(url) as other:
            other.execute("CREATE TABLE tasks (mine text)")
        with pytest.raises(StorageError, match=r"is of another program\. Name another one"):
            await _open(url)
        assert _tables(url) == ["tasks"]


async def test_of_two_managers_that_start_at_once_one_is_refused() -> None:
    with new_database() as url:
        began = asyncio.Event()

        async def hold() -> None:
            async with open_database(url):
                if began.is_set():
                    return
                began.set()
                await asyncio.wait([two], timeout=None)

        one = asyncio.ensure_future(hold())
        two = asyncio.ensure_future(_open(url))
        await asyncio.wait([one, two])
        outcomes = [task.exception() for task in (one, two)]
        refused = [error for error in outcomes if isinstance(error, AlreadyRunningError)]
        assert len(refused) == sum(error is not None for error in outcomes) <= 1
        await _open(url)


async def test_migrations_that_fail_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [*numbered_files("postgresql"), (2, "CREATE TABLE half (x bigint); SELECT 1 / 0;")]
    monkeypatch.setattr(migrations, "numbered_files", lambda engine: files)
    with new_database() as url:
        with pytest.raises(StorageError, match="division by zero"):
            await _open(url)
        assert not _tables(url)
        monkeypatch.undo()
        await _open(url)


async def _open(url: str) -> None:
    async with open_database(url) as database:
        await database.read(lambda tx: tx.execute("SELECT 1").fetchone())


def _tables(url: str) -> list[str]:
    with psycopg.connect(url) as other:
        found = other.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p') ORDER BY relname"
        )
        return [row[0] for row in found]
