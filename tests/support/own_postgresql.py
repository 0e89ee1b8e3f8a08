"""PostgreSQL servers of a test of its own, which it may stop, stall and lose."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import psutil
import psycopg

from tests.support.postgresql_server import PostgresqlServer, folder_for_servers
from tests.support.waiting import wait_until

PASSWORD = "a5ecret"
T = TypeVar("T")
_NUMBERS = itertools.count()
_ACCESS = """
local all,replication all trust
host all tui_manager 127.0.0.1/32 scram-sha-256
"""


@contextlib.contextmanager
def own_server(**settings: str) -> Iterator[PostgresqlServer]:
    """A server with a database `tui` of the user `tui_manager`."""
    with _server(**settings) as server:
        server.start()
        as_superuser(server, f"CREATE USER tui_manager PASSWORD '{PASSWORD}'")
        as_superuser(server, "CREATE DATABASE tui OWNER tui_manager")
        yield server


@contextlib.asynccontextmanager
async def taken_connections(server: PostgresqlServer, number: int) -> AsyncIterator[None]:
    """So many connections of `tui_manager` are open for the block. That of whoever waited until the
    server was ready may still be ending."""

    async def take() -> "psycopg.Connection[Any] | None":
        with contextlib.suppress(psycopg.OperationalError):
            return stack.enter_context(contextlib.closing(psycopg.connect(tui_url(server))))
        return None

    with contextlib.ExitStack() as stack:
        for _ in range(number):
            await wait_until(take, lambda connection: connection is not None)
        yield


@contextlib.contextmanager
def server_with_passwords() -> Iterator[PostgresqlServer]:
    """One that listens on 127.0.0.1, and asks for the password there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with own_server(port=str(port)) as server:
        server.stop()
        (server.folder / "data" / "pg_hba.conf").write_text(_ACCESS)
        server.settings["listen_addresses"] = "127.0.0.1"
        server.start()
        yield server


@contextlib.contextmanager
def standby_of(server: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """A standby that follows a server."""
    with _server() as standby:
        standby.folder.mkdir(mode=0o755)
        os.chown(standby.folder, *_owner(server))
        subprocess.run(
            [
                server._programs() / "pg_basebackup",
                *("-D", standby.folder / "data", "-h", server.folder),
                *("-p", server.settings["port"], "-U", "postgres", "-R", "-c", "fast"),
            ],
            check=True,
            cwd=standby.folder,
            **server._user,
        )
        standby.start()
        yield standby


def follow_nobody(standby: PostgresqlServer) -> None:
    """The standby, which follows a server, does not get what is written from now on."""
    while not as_superuser(standby, "SELECT count(*) FROM pg_stat_wal_receiver"):
        pass  # else the end of it would not be seen
    as_superuser(standby, "ALTER SYSTEM SET primary_conninfo = ''")
    as_superuser(standby, "SELECT pg_reload_conf()")
    while as_superuser(standby, "SELECT count(*) FROM pg_stat_wal_receiver"):
        pass


def require_standby(server: PostgresqlServer, name: str) -> None:
    """A commit waits for this standby from some moment after the call on, when the server has taken
    the setting over; `held_commit` waits for that.

    Args:
        name: empty: commits wait for none, and those that wait are answered.
    """
    with psycopg.connect(server.url(), autocommit=True) as superuser:
        superuser.execute("SET synchronous_commit = local")
        superuser.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'".encode())
        superuser.execute("SELECT pg_reload_conf()")


async def waiting_for_standby(server: PostgresqlServer) -> object:
    """The session that waits for a standby; 0: there is none."""
    statement = "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    return as_superuser(server, statement)


async def held_commit(
    server: PostgresqlServer, commit: Callable[[int], Awaitable[T]]
) -> "asyncio.Future[T]":
    """A commit that waits for a standby which there is not, until `require_standby(server, "")`.
    The first ones do not wait: the server takes the setting over when it likes.

    Args:
        commit: makes one; its argument counts from 0.
    """
    require_standby(server, "nobody")
    for number in itertools.count():
        committing = asyncio.ensure_future(commit(number))

        async def look(committing: "asyncio.Future[T]" = committing) -> object:
            return committing.done() or await waiting_for_standby(server)

        await wait_until(look, bool)
        if not committing.done():
            break
        await committing
    return committing


@contextlib.contextmanager
def stalled(server: PostgresqlServer) -> Iterator[None]:
    """All processes of the server are stopped for the block: it answers nothing, and its
    connections stay."""
    assert server.process is not None
    processes = [psutil.Process(server.process.pid)]
    processes += processes[0].children(recursive=True)
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def as_superuser(server: PostgresqlServer, statement: str, database: str = "postgres") -> object:
    """Runs a statement; returns the first value of the answer, if there is one."""
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def tui_url(server: PostgresqlServer) -> str:
    """The URL of the manager's database, through the socket."""
    return server.url("tui", "tui_manager")


@contextlib.contextmanager
def _server(**settings: str) -> Iterator[PostgresqlServer]:
    folder = folder_for_servers() / f"tui-own-{os.getpid()}-{next(_NUMBERS)}"
    server = PostgresqlServer(folder, settings)
    try:
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


def _owner(server: PostgresqlServer) -> tuple[int, int]:
    owner = (server.folder / "data").stat()
    return owner.st_uid, owner.st_gid
