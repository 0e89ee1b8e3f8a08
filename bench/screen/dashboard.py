"""The dashboard on a terminal, with its manager in its own process, as an operator starts it."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.screen import app
from bench.screen.terminal import Terminal, on_terminal
from bench.under_test.fleet import enrolled_for
from bench.under_test.manager_process import options
from tui_manager.domain.errors import UnreachableError
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client.client import connect

_READY_WITHIN = 60.0  # seconds
_LOOK_EVERY = 0.1  # seconds


@dataclass(slots=True)
class Dashboard:
    """It runs, and its manager listens at `address`.

    Attributes:
        credentials: of the emulated hosts that it knows; None: no TLS.
    """

    terminal: Terminal
    operator: Operator
    address: str
    security: str
    credentials: Path | None
    folder: Path

    def lateness(self, since: float, until: float) -> Sequence[float]:
        """By how many seconds the app's loop was late, each time its clock looked, between two
        moments (monotonic seconds)."""
        lines = (self.folder / "lateness").read_text().splitlines()
        pairs = [line.split() for line in lines if line.count(" ") == 1]
        return [float(late) for due, late in pairs if since <= float(due) <= until]


@asynccontextmanager
async def dashboard(security: str, agents: int) -> AsyncIterator[Dashboard]:
    """A dashboard with a manager of its own that knows as many emulated hosts, until the block is
    left."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        state_dir = folder / "state"
        names = ("CONFIG", "STATE", "DATA", "CACHE")
        own = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in names}
        arguments = (
            *(sys.executable, "-m", app.__name__, str(folder / "lateness")),
            *(*options(security), "--listen", "127.0.0.1:0", "--state-dir", str(state_dir)),
        )
        credentials = await enrolled_for(security, state_dir, agents)
        async with on_terminal(arguments, {**os.environ, **own}) as terminal:
            async with asyncio.timeout(_READY_WITHIN):
                await _listens(state_dir)
            async with connect(state_dir) as operator:
                address = (await operator.manager_status()).address
                yield Dashboard(terminal, operator, address, security, credentials, folder)


async def _listens(state_dir: Path) -> None:
    while True:
        try:
            async with connect(state_dir):
                return
        except UnreachableError:
            await asyncio.sleep(_LOOK_EVERY)
