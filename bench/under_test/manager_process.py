"""The manager under test: a real `tui-manager serve`, ended and started again."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.figures import INSECURE

_READY_WITHIN = 60.0  # seconds
_HOST = "127.0.0.1"
_PORTS = (20_000, 32_000)


def options(security: str) -> Sequence[str]:
    """Of `tui-manager`, for streams of this security."""
    return ("--insecure",) if security == INSECURE else ("--enroll-listen", "127.0.0.1:0")


def free_port() -> int:
    """A port that nobody listens on, below those that a system gives to connections that go out:
    while a manager is down, one of thousands that dial it would else get its port, and meet
    itself."""
    while True:
        port = random.randrange(*_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((_HOST, port))
            return port


def program() -> Path:
    """The program `tui-manager` of this environment."""
    return Path(sys.executable).with_name("tui-manager")


class Manager:
    """One state folder, one port, one process after the other.

    Attributes:
        life: counts its processes.
        start_seconds: how long the newest took until it listened.
    """

    def __init__(
        self, folder: Path, security: str = INSECURE, database: str = "", change_feed: str = ""
    ) -> None:
        """
        Args:
            database: of PostgreSQL; empty: the file in the state folder.
            change_feed: of several managers; see the setting.
        """
        self.folder = folder
        self.security = security
        self.database = database
        self.change_feed = change_feed
        self.state_dir = folder / "state"
        self.address = f"{_HOST}:{free_port()}"
        self.life = 0
        self.start_seconds = 0.0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """Of its process."""
        return {
            **os.environ,
            "XDG_CONFIG_HOME": str(self.folder),
            "TUI_MANAGER_DATABASE": self.database,
            "TUI_MANAGER_CHANGE_FEED": self.change_feed,
        }

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    @property
    def running(self) -> int:
        """The pid of the process, which must run."""
        if self.pid is None:
            raise ProcessLookupError(f"The manager has ended; see {self.folder}/manager.log.")
        return self.pid

    async def start(self) -> None:
        """Starts it and waits until it listens, each time at the same address."""
        began = time.monotonic()
        with (self.folder / "manager.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(str(program()), "serve", *options(self.security)),
                *("--listen", self.address, "--state-dir", str(self.state_dir)),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self.environment,
                start_new_session=True,  # ctrl-c is for who started it
            )
        assert self._process.stdout
        async with asyncio.timeout(_READY_WITHIN):
            line = (await self._process.stdout.readline()).decode()
        if not line.startswith("listening on "):
            raise RuntimeError(f"the manager does not listen: {line!r}")
        self.start_seconds = time.monotonic() - began
        self.life += 1

    async def end(self, with_signal: signal.Signals) -> None:
        """Ends it and waits until it has."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(with_signal)
            await self._process.wait()

    async def stop(self) -> None:
        """Ends it in order."""
        await self.end(signal.SIGTERM)

    async def kill(self) -> None:
        """Ends it at once, without its goodbyes."""
        await self.end(signal.SIGKILL)
