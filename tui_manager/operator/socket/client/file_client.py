"""The calls of the client that send and read files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from grpc import aio
from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.errors import InvalidInputError, UnreachableError
from tui_manager.domain.task_spec.copy_and_fetch import FileSetPart
from tui_manager.operator import conversion
from tui_manager.operator.file_calls import each_piece
from tui_manager.operator.socket.client.socket_calls import SocketCalls

if TYPE_CHECKING:
    from tui_manager.domain.task_spec.copy_and_fetch import FileSet
    from tui_manager.operator.file_calls import ReadPart

_Stream = aio.StreamStreamCall[wire.StoreFilesRequest, wire.StoreFilesResponse]


class FileClient(SocketCalls):
    """See FileCalls for each call."""

    async def store_files(
        self,
        files: FileSet,
        read: ReadPart,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        stream = self._stub.StoreFiles(metadata=self._metadata)
        try:
            await self._write(
                stream,
                wire.StoreFilesRequest(begin=conversion.convert_files.file_set_to_wire(files)),
            )
            while (answer := await self._read_answer(stream)).WhichOneof("answer") == "wanted":
                part, offset = (
                    conversion.convert_files.part_from_wire(answer.wanted.part),
                    answer.wanted.offset,
                )
                await self._send_part(stream, files, part, offset, read, on_progress)
        finally:
            stream.cancel()

    async def _send_part(
        self,
        stream: _Stream,
        files: FileSet,
        part: FileSetPart,
        offset: int,
        read: ReadPart,
        on_progress: Callable[[int], None] | None,
    ) -> None:
        """Sends a part from a byte on to its end. Raises InvalidInputError if there is less."""
        async with aclosing(each_piece(read(part, offset))) as pieces:
            async for piece in pieces:
                message = conversion.convert_files.piece_to_wire(part, offset, piece)
                await self._write(stream, wire.StoreFilesRequest(piece=message))
                offset += piece if isinstance(piece, int) else len(piece)
                if on_progress and part is FileSetPart.DATA:
                    on_progress(offset)
        if offset != files.sizes[part]:
            raise InvalidInputError(
                "files",
                f"{offset} bytes of the {part} were read instead of {files.sizes[part]}: the files "
                "have changed meanwhile.",
            )

    async def _write(self, stream: _Stream, message: wire.StoreFilesRequest) -> None:
        try:
            with self._errors():
                await self._answer_timeout.reply(stream.write(message), follows=True)
        except asyncio.InvalidStateError:  # the manager has ended the call: the answer says why
            await self._read_answer(stream)
            raise

    async def _read_answer(self, stream: _Stream) -> wire.StoreFilesResponse:
        with self._errors():
            answer = await self._answer_timeout.reply(stream.read(), follows=True)
        if not isinstance(answer, wire.StoreFilesResponse):  # the end of the stream
            raise UnreachableError(f"The manager on {self._state_dir} has gone.")
        return answer

    async def read_files(
        self, files: FileSet, part: FileSetPart, offset: int = 0
    ) -> AsyncIterator[bytes | int]:
        request = wire.ReadFilesRequest(
            files=conversion.convert_files.file_set_to_wire(files),
            part=conversion.convert_files.PARTS[part],
            offset=offset,
        )
        stream = self._stub.ReadFiles(request, metadata=self._metadata)
        try:
            with self._errors():
                while offset < files.sizes[part]:
                    piece = await self._answer_timeout.reply(stream.read(), follows=True)
                    if not isinstance(piece, wire.FilesPiece):
                        break
                    content = conversion.convert_files.content_from_wire(piece)
                    offset += content if isinstance(content, int) else len(content)
                    yield content
        finally:
            stream.cancel()
