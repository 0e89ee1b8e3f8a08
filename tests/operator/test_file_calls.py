"""The calls on files: in the process, over the socket, and from another thread's loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc import aio
from tui_manager_protos.v1 import operator_pb2 as wire
from tui_manager_protos.v1.operator_pb2_grpc import OperatorServiceStub

from tests.operator.recording import RecordingOperator
from tests.support.file_sets import MadeSet, make_set
from tests.support.managers.manager_parts import manager_parts
from tests.support.waiting import wait_until
from tui_manager.domain.errors import InvalidInputError, NotFoundError, StorageError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.operator.api import Operator
from tui_manager.operator.cross_thread import CrossThreadOperator
from tui_manager.operator.file_calls import ReadPart
from tui_manager.operator.inprocess import inprocess_files
from tui_manager.operator.socket.client.client import connect
from tui_manager.operator.socket.server.server import serve_operator
from tui_manager.operator.socket.unix_socket import socket_address
from tui_manager.service.files.file_store import FileStore

MADE = make_set({b"one": b"1" * 700_000, b"two": bytes(300_000), b"three": b"3" * 5})


class StoringOperator(RecordingOperator):
    """Has a real store."""

    def __init__(self, store: FileStore) -> None:
        super().__init__()
        self.store = store

    async def receiving(self) -> set[str]:
        """What calls that have not ended write to."""
        return self.store.space.receiving

    async def store_files(
        self, files: FileSet, read: ReadPart, on_progress: Callable[[int], None] | None = None
    ) -> None:
        await inprocess_files.store_files(self.store, files, read, on_progress)

    def read_files(
        self, files: FileSet, part: FileSetPart, offset: int = 0
    ) -> AsyncIterator[bytes | int]:
        return inprocess_files.read_files(self.store, files, part, offset)


@asynccontextmanager
async def in_process(truth: StoringOperator, _: Path) -> AsyncIterator[Operator]:
    yield truth


@asynccontextmanager
async def over_the_socket(truth: StoringOperator, state_dir: Path) -> AsyncIterator[Operator]:
    async with serve_operator(truth, state_dir), connect(state_dir) as client:
        yield client


DOORS = (in_process, over_the_socket)


@pytest.fixture
async def truth(tmp_path: Path) -> AsyncIterator[StoringOperator]:
    async with manager_parts(tmp_path) as parts:
        yield StoringOperator(parts.files)


@pytest.fixture(params=DOORS)
async def operator(
    request: pytest.FixtureRequest, truth: StoringOperator, state_dir: Path
) -> AsyncIterator[Operator]:
    async with request.param(truth, state_dir) as opened:
        yield opened


class Source:
    """Reads a made set, and notes from where on."""

    def __init__(self, made: MadeSet, size: int = 100_000) -> None:
        self.made = made
        self.size = size
        self.asked: list[tuple[FileSetPart, int]] = []
        self.ends_at: int | None = None
        self.error: Exception | None = None

    def read(self, part: FileSetPart, offset: int) -> Iterator[bytes | int]:
        self.asked.append((part, offset))
        content = self.made.part(part)
        while offset < len(content):
            if part is FileSetPart.DATA and self.ends_at is not None and offset >= self.ends_at:
                if self.error:
                    raise self.error
                return
            piece = content[offset : offset + self.size]
            yield piece if piece.strip(b"\0") else len(piece)
            offset += len(piece)


async def fetched(operator: Operator, part: FileSetPart, offset: int = 0) -> bytes:
    found = bytearray()
    async for piece in operator.read_files(MADE.files, part, offset):
        found += bytes(piece) if isinstance(piece, int) else piece
    return bytes(found)


async def test_files_are_stored_and_read(operator: Operator) -> None:
    source, progress = Source(MADE), list[int]()
    await operator.store_files(MADE.files, source.read, progress.append)
    assert source.asked == [(FileSetPart.MANIFEST, 0), (FileSetPart.DATA, 0)]
    assert progress == sorted(progress)
    assert progress[-1] == MADE.files.size
    for part in FileSetPart:
        assert await fetched(operator, part) == MADE.part(part)
    assert await fetched(operator, FileSetPart.DATA, 999_990) == MADE.data[999_990:]


async def test_nothing_is_read_of_files_that_are_stored(operator: Operator) -> None:
    await operator.store_files(MADE.files, Source(MADE).read)
    source = Source(MADE)
    await operator.store_files(MADE.files, source.read)
    assert source.asked == []


async def test_the_next_call_goes_on_at_the_byte(
    operator: Operator, truth: StoringOperator
) -> None:
    """Over the socket, what was sent last may not have arrived before the error ended the call.
    The manager hears later that it has ended; a call before that would begin at the first byte."""
    source = Source(MADE)
    source.ends_at, source.error = 300_000, InvalidInputError("files", "The file has changed.")
    with pytest.raises(InvalidInputError, match="The file has changed"):
        await operator.store_files(MADE.files, source.read)
    await wait_until(truth.receiving, lambda names: not names)
    again = Source(MADE)
    await operator.store_files(MADE.files, again.read)
    ((part, offset),) = again.asked
    assert (part, offset % 100_000) == (FileSetPart.DATA, 0)
    assert 0 < offset <= 300_000
    assert await fetched(operator, FileSetPart.DATA) == MADE.data


async def test_a_source_that_ends_too_early_is_an_error(operator: Operator) -> None:
    source = Source(MADE)
    source.ends_at = 300_000
    with pytest.raises(InvalidInputError, match="300000"):
        await operator.store_files(MADE.files, source.read)


async def test_wrong_bytes_are_an_error_with_its_reason(operator: Operator) -> None:
    changed = MadeSet(MADE.files, MADE.manifest, b"2" + MADE.data[1:])
    with pytest.raises(InvalidInputError, match="another hash"):
        await operator.store_files(MADE.files, Source(changed).read)
    with pytest.raises(NotFoundError, match="does not have the file set"):
        await fetched(operator, FileSetPart.DATA)


async def test_no_room_is_an_error_before_anything_is_read(
    operator: Operator, truth: StoringOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth.store.folder, "free", lambda: 10)
    source = Source(MADE)
    with pytest.raises(StorageError, match="Free some space"):
        await operator.store_files(MADE.files, source.read)
    assert source.asked == []


@pytest.mark.parametrize(
    "wrong",
    [
        wire.FilesPiece(part=wire.STORED_FILES_PART_MANIFEST, offset=5, data=b"x"),
        wire.FilesPiece(part=wire.STORED_FILES_PART_DATA, offset=0, data=b"x"),
        wire.FilesPiece(part=wire.STORED_FILES_PART_MANIFEST, offset=0, zeros=1 << 62),
        wire.FilesPiece(part=wire.STORED_FILES_PART_MANIFEST, offset=0, zeros=-5),
        wire.FilesPiece(part=wire.STORED_FILES_PART_MANIFEST, offset=0, data=bytes(50 << 20)),
        wire.FilesPiece(part=wire.STORED_FILES_PART_MANIFEST, offset=0),
        None,
    ],
)
async def test_a_client_that_sends_something_else_is_refused(
    truth: StoringOperator, state_dir: Path, wrong: wire.FilesPiece | None
) -> None:
    begin = wire.StoredFiles(
        sha256=MADE.files.sha256,
        manifest_size=MADE.files.manifest_size,
        size=MADE.files.size,
        files=MADE.files.files,
        bytes=MADE.files.bytes,
    )
    options = (("grpc.max_send_message_length", 64 << 20),)
    async with (
        serve_operator(truth, state_dir) as path,
        aio.insecure_channel(socket_address(path), options=options) as channel,
    ):
        stream: Any = OperatorServiceStub(channel).StoreFiles()
        if wrong is not None:
            await stream.write(wire.StoreFilesRequest(begin=begin))
            assert (await stream.read()).wanted.offset == 0
            await stream.write(wire.StoreFilesRequest(piece=wrong))
        else:
            await stream.done_writing()
        with pytest.raises(aio.AioRpcError) as raised:
            await stream.read()
    assert raised.value.code().name == "INVALID_ARGUMENT"


async def test_files_are_stored_and_read_from_another_loop(tmp_path: Path) -> None:
    """The dashboard's: the manager's loop runs in another thread."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[tuple[Operator, Callable[[], Any]]] = loop.create_future()

    async def manage() -> None:
        async with manager_parts(tmp_path) as parts:
            over, here = asyncio.Event(), asyncio.get_running_loop()
            operator: Operator = CrossThreadOperator(StoringOperator(parts.files), here)

            def end() -> None:
                here.call_soon_threadsafe(over.set)

            loop.call_soon_threadsafe(ready.set_result, (operator, end))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(manage()))
    thread.start()
    operator, end = await ready
    try:
        await operator.store_files(MADE.files, Source(MADE).read)
        assert await fetched(operator, FileSetPart.DATA) == MADE.data
        pieces = operator.read_files(MADE.files, FileSetPart.DATA)
        assert await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]
    finally:
        end()
        await asyncio.to_thread(thread.join)
