"""A PostgreSQL server for the benchmarks, which keeps what it confirms, as one of an operator."""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg

from tests.support.databases.postgresql_server import PostgresqlServer, folder_for_servers

_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_connections": "50",
}
_DATABASE = "bench"


@asynccontextmanager
async def postgresql() -> AsyncIterator[tuple[int, str]]:
    """A server with an empty database: its process, and the URL of the database."""
    with new_server() as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {_DATABASE}")
        assert server.process
        yield server.process.pid, server.url(_DATABASE)


@contextmanager
def new_server() -> Iterator[PostgresqlServer]:
    """A server on the disk, until the block is left."""
    folder = folder_for_servers() / f"bench-pg-{os.getpid()}"
    server = PostgresqlServer(folder, _SETTINGS)
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
