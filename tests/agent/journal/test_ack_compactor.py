"""Acknowledged executions are compacted together, and again later if the disk fails."""

import asyncio
import errno
from collections.abc import Mapping
from pathlib import Path

import pytest
from tui_manager_agent.journal import ack_compactor
from tui_manager_agent.journal.ack_compactor import AckCompactor
from tui_manager_agent.journal.disk_thread import DiskThread
from tui_manager_agent.journal.journal import Journal
from tui_manager_agent.journal.order_and_result import Result

from tests.support.waiting import wait_until

RESULT = Result(status="completed")


class Recording(Journal):
    """Remembers what it was asked to compact; its disk is full the first `failures` times."""

    def __init__(self, folder: Path, failures: int = 0) -> None:
        super().__init__(folder)
        self.failures = failures
        self.asked: list[set[str]] = []

    def compact(self, results: Mapping[str, Result]) -> None:
        self.asked.append(set(results))
        if len(self.asked) <= self.failures:
            raise OSError(errno.ENOSPC, "No space left on device")


async def until_empty(compactor: AckCompactor, *ids: str) -> None:
    working = asyncio.create_task(compactor.serve())

    async def left() -> list[str]:
        return [word for word in ids if compactor.find(word)]

    await wait_until(left, lambda words: not words)
    working.cancel()
    await asyncio.wait((working,))


@pytest.mark.parametrize("failures", [0, 2])
async def test_all_of_a_moment_are_compacted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    monkeypatch.setattr(ack_compactor, "DELAY", 0.01)
    monkeypatch.setattr(ack_compactor, "RETRY_AFTER", 0.01)
    journal = Recording(tmp_path, failures)
    disk = DiskThread()
    compactor = AckCompactor(journal, disk)
    for word in ("one", "two", "three"):
        compactor.add(word, RESULT)
    await until_empty(compactor, "one", "two", "three")
    assert journal.asked == [{"one", "two", "three"}] * (failures + 1)
    disk.close()
    journal.close()


async def test_what_is_left_at_the_end_is_compacted_then(tmp_path: Path) -> None:
    journal = Recording(tmp_path)
    compactor = AckCompactor(journal, DiskThread())
    compactor.add("one", RESULT)
    assert compactor.find("one") == RESULT
    compactor.close()
    assert journal.asked == [{"one"}]
    journal.close()
