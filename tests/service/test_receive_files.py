"""What is asked of an agent for a fetch: in order, few bytes at a time, holes in large steps."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tui_manager_protos.rules.transfer_window import FIRST, PART_LENGTH, TransferWindow

from tests.support.file_sets import MadeSet, make_set
from tests.support.manager_parts import Parts
from tui_manager.domain.file_transfer import FilePiece, FileRequest
from tui_manager.domain.files import FileSetPart
from tui_manager.service.transfers.fetch_turns import FetchTurns
from tui_manager.service.transfers.receive_files import ReceiveFiles

MIB = 1024 * 1024
DATA = FileSetPart.DATA
SPARSE = make_set({b"disk": os.urandom(PART_LENGTH) + bytes(20 * MIB) + os.urandom(MIB)})
FULL = make_set({b"log": os.urandom(3 * MIB)})


class Agent:
    """Answers with pieces, zeros as their number; it keeps what it was asked for."""

    def __init__(self, parts: Parts, made: MadeSet, turns: FetchTurns) -> None:
        self.made = made
        self.asked: list[FileRequest] = []
        self.most = 0  # bytes under way
        self.window = TransferWindow(lambda: parts.clock.seconds)
        self.receiving = ReceiveFiles("e", made.files, turns, self.take, self.window)
        self._waiting: asyncio.Queue[FileRequest] = asyncio.Queue()

    def take(self, request: FileRequest) -> None:
        self.asked.append(request)
        self.most = max(self.most, self.window.under_way)
        self._waiting.put_nowait(request)

    async def answer(self) -> None:
        while True:
            asked = await self._waiting.get()
            offset = asked.offset
            while offset < asked.end:
                data = self.made.part(asked.part)[offset : asked.end]
                zeros = len(data) - len(data.lstrip(b"\0"))
                content = zeros if zeros >= 4096 else data[:PART_LENGTH]
                piece = FilePiece("e", asked.part, offset, content)
                self.receiving.take(piece)
                offset += piece.length


@asynccontextmanager
async def received(parts: Parts, made: MadeSet, turns: FetchTurns) -> AsyncIterator[Agent]:
    """All of a set was received from this agent."""
    agent = Agent(parts, made, turns)
    answering = asyncio.create_task(agent.answer())
    try:
        async with turns.turn(), parts.files.receive(made.files, "e") as incoming:
            await agent.receiving.receive(incoming)
            await incoming.finish()  # checks the hashes
    finally:
        answering.cancel()
    yield agent


async def test_bytes_are_asked_for_once_and_within_the_window(parts: Parts) -> None:
    async with received(parts, FULL, FetchTurns()) as agent:
        data = [one for one in agent.asked if one.part is DATA]
        assert [one.offset for one in data] == list(range(0, FULL.files.size, FIRST // 2))
        assert agent.most <= FIRST
        assert agent.window.under_way == 0


async def test_a_hole_is_asked_for_in_large_steps(parts: Parts) -> None:
    async with received(parts, SPARSE, FetchTurns()) as agent:
        data = [one for one in agent.asked if one.part is DATA]
        ends = [one.end for one in data]
        assert [one.offset for one in data] == [0, *ends[:-1]]
        assert len(data) < 20  # 85 of the usual ones
        assert agent.most <= 8 * MIB


async def test_many_fetches_together_ask_for_holes_in_small_steps(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FetchTurns, "largest_window", MIB)
    async with received(parts, SPARSE, FetchTurns()) as agent:
        assert agent.most <= MIB
