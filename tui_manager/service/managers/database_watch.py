"""DatabaseWatch: lets the agents of this manager go to others while it cannot write."""

import asyncio
import logging

from tui_manager.service.core.core import Core
from tui_manager.service.dispatch.task_dispatcher import AgentConnections

log = logging.getLogger(__name__)
_LOOK_EVERY = 1.0  # seconds
LOOKS_MAX = 10  # without an answer of the database; each manager beats more often
_WHY = "Another manager may reach it."


class DatabaseWatch:
    """A manager whose machine is cut off from the database can store nothing that agents report.
    Its agents are not cut off from the other managers, perhaps. If nobody can reach the database,
    all managers send their agents away: so all hosts that were connected then are waited for
    afterwards. A database that is locked can be reached, so the agents stay.

    It counts looks, not seconds: a process that was stopped for a minute has not been cut off.
    """

    def __init__(self, core: Core, agents: AgentConnections) -> None:
        self._core = core
        self._agents = agents
        self._answers = -1
        self._looks = 0  # since the last answer
        self._others = False  # whether others were alive at the last answer
        self._away = False
        self._connected = frozenset[int]()  # row ids, when the agents were sent away

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.run_once()

    def run_once(self) -> None:
        """Looks once."""
        answers = self._core.database.answers
        if answers != self._answers:
            self._answers, self._looks = answers, 0
            self._others = bool(self._core.directory.alive)
            self._accept_again()
            return
        self._looks += 1
        if self._looks >= LOOKS_MAX and self._others and not self._away:
            self._away = True
            self._connected = self._core.directory.online_rows()
            log.error("the database is out of reach: the agents are sent to other managers")
            self._agents.disconnect_all(_WHY)

    def _accept_again(self) -> None:
        if self._away:
            self._away = False
            log.info("agents are accepted again")
            self._core.directory.expect(self._connected, self._core.clock.monotonic())
            self._agents.accept_again()
