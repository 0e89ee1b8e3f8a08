"""The calls of the server that take and give files."""

from collections.abc import AsyncIterator

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.operator.api import Operator
from tui_manager.operator.conversion import convert_files
from tui_manager.operator.socket.convert_errors import Context, answering


class FileServicer:
    """Answers each call by one call of the operator."""

    _operator: Operator

    async def StoreFiles(
        self, request_iterator: object, context: Context
    ) -> AsyncIterator[wire.StoreFilesResponse]:
        async with answering(context, "StoreFiles"):
            first = await context.read()
            if not isinstance(first, wire.StoreFilesRequest) or not first.HasField("begin"):
                raise InvalidInputError("begin", "Say first which files are to be stored.")
            files = convert_files.file_set_from_wire(first.begin)
            client = _Client(context, files)
            await self._operator.store_files(files, client.pieces)
            yield wire.StoreFilesResponse(stored=True)

    async def ReadFiles(
        self, request: wire.ReadFilesRequest, context: Context
    ) -> AsyncIterator[wire.FilesPiece]:
        async with answering(context, "ReadFiles"):
            part, offset = convert_files.part_from_wire(request.part), request.offset
            files = convert_files.file_set_from_wire(request.files)
            async for piece in self._operator.read_files(files, part, offset):
                yield convert_files.piece_to_wire(part, offset, piece)
                offset += piece if isinstance(piece, int) else len(piece)


class _Client:
    """The client of one StoreFiles, as the operator reads it."""

    def __init__(self, context: Context, files: FileSet) -> None:
        self._context = context
        self._files = files

    async def pieces(self, part: FileSetPart, offset: int) -> AsyncIterator[bytes | int]:
        """Asks for a part from a byte on, and yields each piece of it.

        Raises:
            InvalidInputError: the client sends something else, or ends.
        """
        wanted = wire.FilesWanted(part=convert_files.PARTS[part], offset=offset)
        await self._context.write(wire.StoreFilesResponse(wanted=wanted))
        while offset < self._files.sizes[part]:
            request = await self._context.read()
            if not isinstance(request, wire.StoreFilesRequest):  # the client has ended
                raise InvalidInputError("piece", "The files have not arrived completely.")
            piece = request.piece
            if (piece.part, piece.offset) != (wanted.part, offset):
                raise InvalidInputError(
                    "piece", f"A piece of the {part} from byte {offset} on is wanted next."
                )
            content = convert_files.content_from_wire(piece)
            offset += content if isinstance(content, int) else len(content)
            yield content
