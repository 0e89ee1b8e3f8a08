"""PostgreSQL servers of a test of its own, which it may stop, stall and lose."""

import asyncio
import contextlib
import fcntl
import functools
import itertools
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg

from tests.support.databases.postgresql_server import PostgresqlServer, short_lived
from tests.support.databases.shared_postgresql import shared_server
from tests.support.waiting import wait_until

PASSWORD = "a5ecret"
T = TypeVar("T")
_NUMBERS = itertools.count()
_DATA = "data.tar"
_ACCESS = """
local all,replication all trust
host all tui_manager 127.0.0.1/32 scram-sha-256
"""


@contextlib.contextmanager
def own_server(access: str = "", **settings: str) -> Iterator[PostgresqlServer]:
    """A server with a database `tui` of the user `tui_manager`.

    Args:
        access: who may connect, and how: lines of `pg_hba.conf`; by default everybody.
    """
    with _server(**settings) as server:
        _copy_data(_made_data(), server)
        if access:
            (server.folder / "data" / "pg_hba.conf").write_text(access)
        server.start()
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
    with own_server(_ACCESS, port=str(port), listen_addresses="127.0.0.1") as server:
        yield server


@contextlib.contextmanager
def standby_of(server: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """A standby that follows a server."""
    with _server() as standby:
        standby.folder.mkdir(mode=0o755)
        os.chown(standby.folder, *_owner(server.folder))
        words, arguments = server.as_its_user()
        subprocess.run(
            [
                *words,
                server._programs() / "pg_basebackup",
                *("-D", standby.folder / "data", "-h", server.folder),
                *("-p", server.settings["port"], "-U", "postgres", "-R", "-c", "fast"),
            ],
            check=True,
            cwd=standby.folder,
            **arguments,
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
    connections stay. One of them may just have ended."""
    assert server.process is not None
    processes = [psutil.Process(server.process.pid)]
    processes += processes[0].children(recursive=True)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
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


@functools.cache
def _made_data() -> Path:
    """The folder of a server that was stopped, with its data in one file. It is made once in a run,
    as `initdb` takes longer than all else that a server of a test does."""
    run = shared_server().folder
    made = run / "own"
    with (run / "making").open("a") as making:
        fcntl.flock(making, fcntl.LOCK_EX)
        if not (made / _DATA).exists():
            server = PostgresqlServer(made, short_lived())
            server.initdb_options = ("--wal-segsize=1",)  # megabyte; less to copy
            try:
                server.start()
                as_superuser(server, f"CREATE USER tui_manager PASSWORD '{PASSWORD}'")
                as_superuser(server, "CREATE DATABASE tui OWNER tui_manager")
            finally:
                server.stop()
            packed = made / f"{_DATA}.part"
            subprocess.run(["tar", "-C", made, "-cf", packed, "data"], check=True)
            packed.rename(made / _DATA)
    return made


def _copy_data(made: Path, server: PostgresqlServer) -> None:
    """Gives a new server the data of another one, with owners and modes. `cp -a` takes four times
    as long, because it looks for holes in files that are not yet on the disk."""
    server.folder.mkdir(mode=0o755)
    os.chown(server.folder, *_owner(made))
    subprocess.run(["tar", "-C", server.folder, "-xpf", made / _DATA], check=True)
    if (made / "programs").exists():
        (server.folder / "programs").symlink_to(made / "programs")


@contextlib.contextmanager
def _server(**settings: str) -> Iterator[PostgresqlServer]:
    folder = shared_server().folder / f"own-{os.getpid()}-{next(_NUMBERS)}"
    server = PostgresqlServer(folder, {**short_lived(), **settings})
    try:
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


def _owner(folder: Path) -> tuple[int, int]:
    owner = (folder / "data").stat()
    return owner.st_uid, owner.st_gid
