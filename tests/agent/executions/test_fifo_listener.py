"""How the agent reads the notifications of its supervisors."""

import asyncio
import os
import uuid
from pathlib import Path

import pytest
from tui_manager_agent.executions import supervisors


async def test_an_id_that_a_read_cuts_in_two_is_received(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "_READ", 50)
    ids = [str(uuid.uuid4()) for _ in range(3)]
    received: list[str] = []
    all_read = asyncio.Event()

    def on_change(word: str) -> None:
        received.append(word)
        if ids[-1].endswith(word):
            all_read.set()

    listener = supervisors.FifoListener(tmp_path, on_change)
    fifo = os.open(listener.path, os.O_WRONLY | os.O_NONBLOCK)
    os.write(fifo, "".join(f"{word}\n" for word in ids).encode())
    os.close(fifo)
    await all_read.wait()
    listener.close()
    assert received == ids
