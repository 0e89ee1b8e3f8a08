"""What the two processes weigh, every few seconds."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.process_memory import Weight, weigh
from bench.under_test.manager_process import Manager
from tui_manager.domain.errors import ManagerError
from tui_manager.operator.socket.client.client import connect
from tui_manager.state_files import DATABASE

_EVERY = 5.0  # seconds


@dataclass(slots=True)
class Sample:
    """One look. `at` in seconds since the start; `life` counts the manager's processes."""

    at: float
    life: int
    manager: Weight | None
    fleet: Weight | None
    database_bytes: int
    commit_seconds: float | None


@dataclass(slots=True)
class Sampler:
    """Looks until it is cancelled."""

    manager: Manager
    fleet_pid: int
    began: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)

    async def run(self) -> None:
        """Looks every few seconds."""
        while True:
            self.samples.append(await self._look())
            await asyncio.sleep(_EVERY)

    async def _look(self) -> Sample:
        at, life, pid = time.monotonic() - self.began, self.manager.life, self.manager.pid
        database = self.manager.state_dir / DATABASE
        return Sample(
            at=round(at, 1),
            life=life,
            manager=weigh(pid) if pid else None,
            fleet=weigh(self.fleet_pid),
            database_bytes=database.stat().st_size if database.exists() else 0,
            commit_seconds=await _commit_seconds(self.manager.state_dir),
        )


async def _commit_seconds(state_dir: Path) -> float | None:
    with suppress(ManagerError, TimeoutError):
        async with asyncio.timeout(2), connect(state_dir) as operator:
            return (await operator.manager_status()).health.commit_seconds
    return None
