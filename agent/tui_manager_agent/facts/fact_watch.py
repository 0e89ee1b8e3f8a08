"""Knows the facts of this host at any time, and notices when one changes.

A thread of its own reads them. So a disk that does not answer delays neither the agent nor its end.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tui_manager_agent.facts.machine_facts import MachineFacts
from tui_manager_agent.facts.owner_facts import OwnerFacts

LOOK_EVERY = 5.0  # seconds, at the owner's file
COLLECT_EVERY = 300.0  # seconds, at the machine
LOOK_AGAIN_AFTER = 60.0  # seconds, when a look has failed
FIRST_WITHIN = 2.0  # seconds
_LOG = logging.getLogger(__name__)


class FactWatch:
    """The facts of this host: those of the machine, and those of the owner's file.

    Attributes:
        facts: as they were seen last; empty: not yet.
    """

    def __init__(self, path: Path | None) -> None:
        """`path` is the file that the owner names; None: the default one, if it exists."""
        self.facts: Mapping[str, str] = {}
        self._machine = MachineFacts()
        self._own = OwnerFacts(path)
        self._on_change: Callable[[Mapping[str, str]], None] | None = None
        self._known = asyncio.Event()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Reads the facts until `stop` is called. Call it on the loop that is to be told of
        changes."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._look, args=(loop,), name="facts", daemon=True).start()

    def stop(self) -> None:
        """Does not wait for the thread."""
        self._stopped.set()

    async def wait_for_first(self) -> None:
        """Returns when the facts are known, or after a short time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_WITHIN):
                await self._known.wait()

    def begin_session(self, on_change: Callable[[Mapping[str, str]], None]) -> Mapping[str, str]:
        """Returns the facts; from now on `on_change` is called with all of them when one has
        changed."""
        self._on_change = on_change
        return self.facts

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Works in the thread."""
        seen: Mapping[str, str] | None = None
        collected: Mapping[str, str] = {}
        due = 0.0
        while True:
            try:
                if time.monotonic() >= due:
                    collected = self._machine.collect()
                    due = time.monotonic() + COLLECT_EVERY
                facts = {**self._own.current(), **collected}
            except Exception:
                _LOG.exception("facts not known")
                if self._stopped.wait(LOOK_AGAIN_AFTER):
                    return
                continue
            if facts != seen:
                seen = facts
                try:
                    loop.call_soon_threadsafe(self._set, facts)
                except RuntimeError:  # the loop has ended
                    return
            if self._stopped.wait(LOOK_EVERY):
                return

    def _set(self, facts: Mapping[str, str]) -> None:
        self.facts = facts
        self._known.set()
        if self._on_change is not None:
            self._on_change(facts)
