"""What the agent hears of its supervisors' rings."""

import asyncio
import os
import uuid
from pathlib import Path

import pytest
from tui_manager_agent.executions import supervisors


async def test_an_id_that_a_read_cuts_in_two_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "_READ", 50)
    ids = [str(uuid.uuid4()) for _ in range(3)]
    heard: list[str] = []
    all_read = asyncio.Event()

    def hear(word: str) -> None:
        heard.append(word)
        if ids[-1].endswith(word):
            all_read.set()

    ringing = supervisors.FifoListener(tmp_path, hear)
    fifo = os.open(ringing.path, os.O_WRONLY | os.O_NONBLOCK)
    os.write(fifo, "".join(f"{word}\n" for word in ids).encode())
    os.close(fifo)
    await all_read.wait()
    ringing.close()
    assert heard == ids
