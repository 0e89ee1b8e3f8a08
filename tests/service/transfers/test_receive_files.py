"""What is asked of an agent for a fetch: in order, few bytes at a time, holes in large steps."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tui_manager_protos.rules.files.transfer_window import FIRST, PART_LENGTH

from tests.support.file_sets import MadeSet, make_set
from tests.support.managers.manager_parts import Parts
from tui_manager.domain.hosts.file_transfer import FilePiece, FileRequest
from tui_manager.domain.task_spec.copy_and_fetch import FileSetPart
from tui_manager.service.files.receive_file_set import FileSetReceiver
from tui_manager.service.transfers.fetch_limit import FetchLimit
from tui_manager.service.transfers.receive_files import STALLED_AFTER, ReceiveFiles, StalledError

MIB = 1024 * 1024
DATA = FileSetPart.DATA
SPARSE = make_set({b"disk": os.urandom(PART_LENGTH) + bytes(20 * MIB) + os.urandom(MIB)})
FULL = make_set({b"log": os.urandom(3 * MIB)})


class Agent:
    """Answers with pieces, zeros as their number; it keeps what it was asked for."""

    def __init__(self, parts: Parts, made: MadeSet, turns: FetchLimit) -> None:
        self.made = made
        self.asked: list[FileRequest] = []
        self.most = 0  # bytes under way
        self.receiving = ReceiveFiles(
            "e", made.files, turns, self.take, lambda: parts.clock.seconds
        )
        self.window = self.receiving.window
        self.waiting: asyncio.Queue[FileRequest] = asyncio.Queue()

    def take(self, request: FileRequest) -> None:
        self.asked.append(request)
        self.most = max(self.most, self.window.under_way)
        self.waiting.put_nowait(request)

    async def answer(self) -> None:
        while True:
            asked = await self.waiting.get()
            offset = asked.offset
            while offset < asked.end:
                data = self.made.part(asked.part)[offset : asked.end]
                zeros = len(data) - len(data.lstrip(b"\0"))
                content = zeros if zeros >= 4096 else data[:PART_LENGTH]
                piece = FilePiece("e", asked.part, offset, content)
                self.receiving.take(piece)
                offset += piece.length


@asynccontextmanager
async def received(parts: Parts, made: MadeSet, turns: FetchLimit) -> AsyncIterator[Agent]:
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
    async with received(parts, FULL, FetchLimit()) as agent:
        data = [one for one in agent.asked if one.part is DATA]
        assert [one.offset for one in data] == list(range(0, FULL.files.size, FIRST // 2))
        assert agent.most <= FIRST
        assert agent.window.under_way == 0


async def test_a_hole_is_asked_for_in_large_steps(parts: Parts) -> None:
    async with received(parts, SPARSE, FetchLimit()) as agent:
        data = [one for one in agent.asked if one.part is DATA]
        ends = [one.end for one in data]
        assert [one.offset for one in data] == [0, *ends[:-1]]
        assert len(data) < 20  # 85 of the usual ones
        assert agent.most <= 8 * MIB


async def test_many_fetches_together_ask_for_holes_in_small_steps(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FetchLimit, "largest_window", MIB)
    async with received(parts, SPARSE, FetchLimit()) as agent:
        assert agent.most <= MIB


class Asked(Agent):
    """Answers only what a test lets it."""

    sent = 0  # bytes

    def answer_next(self, length: int) -> None:
        """Sends the next bytes of the data."""
        begin = self.sent
        self.sent += length
        self.receiving.take(FilePiece("e", DATA, begin, FULL.data[begin : self.sent]))

    async def until_asked(self, offset: int) -> None:
        while (await self.waiting.get()).offset != offset:
            pass


@asynccontextmanager
async def waited_for(
    parts: Parts,
) -> AsyncIterator[tuple[Asked, FileSetReceiver, asyncio.Task[None]]]:
    """Data is received from an agent, while another fetch waits for its turn."""
    turns = FetchLimit(1)
    agent = Asked(parts, FULL, turns)

    async def have_turn() -> None:
        async with turns.turn():
            pass

    async with parts.files.receive(FULL.files, "e") as incoming:
        await incoming.write(FileSetPart.MANIFEST, 0, FULL.manifest)
        async with turns.turn():
            receiving = asyncio.create_task(agent.receiving.receive(incoming))
            other = asyncio.create_task(have_turn())
            await agent.until_asked(0)
            yield agent, incoming, receiving
        await other


async def test_a_fetch_that_had_its_time_takes_first_what_it_asked_for(parts: Parts) -> None:
    async with waited_for(parts) as (agent, incoming, receiving):
        parts.clock.turn(STALLED_AFTER + 1)
        asked = list(agent.asked)
        agent.answer_next(agent.window.under_way)
        with pytest.raises(StalledError):
            await receiving
        assert agent.asked == asked
        assert incoming.have(DATA) == agent.sent > 0


async def test_a_fetch_that_drips_ends_its_turn(parts: Parts) -> None:
    async with waited_for(parts) as (agent, incoming, receiving):
        for _ in range(2):
            parts.clock.turn(STALLED_AFTER)
            agent.answer_next(1)
            await asyncio.sleep(0)
        with pytest.raises(StalledError):
            await receiving
        have = incoming.have(DATA)
        assert 0 < have <= 2
        # What comes without a turn is not kept. It is asked for again in the next turn.
        agent.answer_next(agent.window.under_way)
        receiving = asyncio.create_task(agent.receiving.receive(incoming))
        await agent.until_asked(have)
        receiving.cancel()
        await asyncio.wait([receiving])
