"""The one PostgreSQL server of a run of tests, which all processes of the run share.

The first process that needs it starts `python -m tests.support.databases.shared_postgresql FOLDER`.
That program starts the server and waits for a lock that every process of the run holds until it
ends, however it ends. Then it ends the server and removes its folder, so no server outlives its
run.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import IO

import psutil
import psycopg

from tests.support.databases.postgresql_server import (
    PostgresqlServer,
    folder_for_short_lived,
    short_lived,
)
from tests.support.forked_run import RUN

MANAGER = "tui_manager"  # the manager's user; not a superuser, as in production
_ROOT = Path(__file__).parents[3]
_READY = "ready"
_USES: list[IO[str]] = []  # locks of this process, open until it ends


@cache
def shared_server() -> PostgresqlServer:
    """The server of this run, which answers.

    Raises:
        AssertionError: there is no PostgreSQL, or it does not start; says what to do.
    """
    folder = folder_for_short_lived() / f"tui-pg-{_run()}"
    _USES.append(_begin_to_use(folder))
    with (folder / "starting").open("a") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if not (folder / _READY).exists():
            _start_keeper(folder)
            (folder / _READY).touch()
    return PostgresqlServer(folder)


def _run() -> str:
    """Names this run of tests. All its processes have the same."""
    process = psutil.Process()
    own = f"p{process.pid}-{process.create_time():.0f}"
    return os.environ.get(RUN) or own


def _begin_to_use(folder: Path) -> IO[str]:
    """The lock that keeps the server running. A folder whose server is just ending is not used."""
    path = folder / "users"
    while True:
        folder.mkdir(mode=0o755, exist_ok=True)
        try:
            users = path.open("a")
            fcntl.flock(users, fcntl.LOCK_SH)
            if path.stat().st_ino == os.fstat(users.fileno()).st_ino:
                return users
        except FileNotFoundError:
            continue
        users.close()


def _start_keeper(folder: Path) -> None:
    keeper = subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder)],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    assert keeper.stdout is not None
    with keeper.stdout as stdout:
        said = stdout.readline()
        if said.strip() != _READY:
            raise AssertionError(said + stdout.read())
    keeper.wait()


def _keep(folder: Path) -> None:
    """Runs the server until no process of the run is left."""
    server = PostgresqlServer(folder, short_lived())
    try:
        server.start()
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE USER {MANAGER}")
        print(_READY, flush=True)  # noqa: T201
        with (folder / "users").open() as users:
            fcntl.flock(users, fcntl.LOCK_EX)
            server.stop(signal.SIGQUIT)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder / "data", ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.fork() == 0:  # not a child of the process that runs tests, which may look at its children
        _keep(Path(sys.argv[1]))
