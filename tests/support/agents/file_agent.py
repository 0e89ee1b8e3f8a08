"""The side of a scripted agent that copies and fetches files."""

from collections.abc import AsyncIterator, Callable

from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import AgentStream
from tests.support.file_sets import MadeSet
from tui_manager.domain.task_spec.copy_and_fetch import FileSetPart
from tui_manager.operator.file_calls import FileCalls

FEATURES = ("files",)
PARTS = {
    FileSetPart.MANIFEST: pb.FILE_SET_PART_MANIFEST,
    FileSetPart.DATA: pb.FILE_SET_PART_DATA,
}


async def upload(operator: FileCalls, made: MadeSet) -> None:
    """Stores a set with a manager."""

    async def read(part: FileSetPart, offset: int) -> AsyncIterator[bytes | int]:
        content = made.part(part)
        for begin in range(offset, len(content), 1 << 18):
            yield content[begin : begin + (1 << 18)]

    await operator.store_files(made.files, read)


async def ask(
    agent: AgentStream, execution_id: str, part: FileSetPart, offset: int, length: int
) -> None:
    """Asks for bytes."""
    asked = pb.FileRequest(
        execution_id=execution_id, part=PARTS[part], offset=offset, length=length
    )
    await agent.write(pb.AgentMessage(file_request=asked))


async def read_part(agent: AgentStream) -> pb.FilePart:
    """The next bytes; other messages before them are passed over."""
    return (await agent.read_until("file_part")).file_part


async def pull(
    agent: AgentStream, execution_id: str, part: FileSetPart, offset: int, length: int
) -> bytes:
    """Asks for bytes, and returns them."""
    await ask(agent, execution_id, part, offset, length)
    came = b""
    while len(came) < length:
        answer = await read_part(agent)
        assert not answer.problem, answer.problem
        assert (answer.execution_id, answer.part) == (execution_id, PARTS[part])
        assert answer.offset == offset + len(came)
        came += answer.data or bytes(answer.zeros)
    return came


async def say_found(agent: AgentStream, execution_id: str, made: MadeSet) -> None:
    """Says which files were found for a fetch."""
    files = pb.FileSet(
        sha256=bytes.fromhex(made.files.sha256),
        manifest_size=made.files.manifest_size,
        size=made.files.size,
        files=made.files.files,
        bytes=made.files.bytes,
    )
    found = pb.FilesFound(execution_id=execution_id, files=files)
    await agent.write(pb.AgentMessage(files_found=found))


class Answers:
    """Answers the requests of a manager.

    Attributes:
        asked: (part, offset, length) of each request.
        limit: bytes after which nothing more is answered; None: all.
    """

    def __init__(self, agent: AgentStream, made: MadeSet, limit: int | None = None) -> None:
        self.agent = agent
        self.made = made
        self.limit = limit
        self.unanswered: list[pb.FileRequest] = []  # beyond the limit
        self.asked: list[tuple[FileSetPart, int, int]] = []
        self.change: Callable[[bytes], bytes] = lambda data: data

    @property
    def asked_bytes(self) -> int:
        return sum(length for _, _, length in self.asked)

    async def until_stored(self) -> pb.FilesStored:
        """Answers until the manager ends the fetch."""
        while True:
            message = await self.agent.read()
            if message.HasField("files_stored"):
                return message.files_stored
            if message.HasField("file_request"):
                await self.answer(message.file_request)

    async def until_asked(self, size: int) -> None:
        """Answers until so many bytes were asked for."""
        while self.asked_bytes < size:
            await self.answer((await self.agent.read_until("file_request")).file_request)

    async def answer(self, asked: pb.FileRequest) -> None:
        (part,) = (one for one, number in PARTS.items() if number == asked.part)
        self.asked.append((part, asked.offset, asked.length))
        if self.limit is not None:
            if self.unanswered or asked.length > self.limit:
                self.unanswered.append(asked)
                return
            self.limit -= asked.length
        await self._send(part, asked)

    async def answer_the_rest(self) -> None:
        """Answers what was beyond the limit; from now on there is none."""
        self.limit = None
        for asked in self.unanswered:
            (part,) = (one for one, number in PARTS.items() if number == asked.part)
            await self._send(part, asked)

    async def _send(self, part: FileSetPart, asked: pb.FileRequest) -> None:
        data = self.change(self.made.part(part)[asked.offset : asked.offset + asked.length])
        answer = pb.FilePart(
            execution_id=asked.execution_id, part=asked.part, offset=asked.offset, data=data
        )
        await self.agent.write(pb.AgentMessage(file_part=answer))
