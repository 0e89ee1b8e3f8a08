"""Output and what was found in it, between the wire and the domain."""

from collections.abc import Iterable

from tui_manager_protos.v1 import agent_pb2 as agent
from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.output.output_by_host import (
    OutputByHost,
    OutputPlace,
    TruncatedOutput,
    WantedOutput,
)
from tui_manager.domain.output.output_search import OutputMatch, OutputMatches
from tui_manager.domain.tasks.task import OutputChunk
from tui_manager.operator.conversion.convert_values import (
    STREAMS,
    instant,
    set_timestamp,
    word,
    word_reader,
)

_stream = word_reader(STREAMS)
OUTPUT_MAX = 2 * 1024 * 1024  # bytes of one reply, far below the limit of a message


def output_limit(
    request: wire.ReadOutputRequest | wire.FollowOutputRequest | wire.ReadOutputByHostRequest,
    default: int,
) -> int:
    """The limit of bytes of a reply."""
    return min(request.limit, OUTPUT_MAX) if request.HasField("limit") else default


def chunk_to_wire(chunk: OutputChunk) -> wire.OutputChunk:
    message = wire.OutputChunk()
    _set_chunk(message, chunk)
    return message


def _set_chunk(message: wire.OutputChunk, chunk: OutputChunk) -> None:
    message.position = chunk.position
    message.execution_id = chunk.execution_id
    message.host = chunk.host
    message.command = chunk.command
    message.stream = STREAMS[chunk.stream]
    message.offset = chunk.offset
    message.data = chunk.data
    message.gap = chunk.gap
    if chunk.stored_at is not None:
        set_timestamp(message.stored_at, chunk.stored_at)


def chunks_to_wire(chunks: Iterable[OutputChunk]) -> wire.OutputResponse:
    """Sets them within the reply: a message that is put into another one is copied."""
    reply = wire.OutputResponse()
    for chunk in chunks:
        _set_chunk(reply.chunks.add(), chunk)
    return reply


def chunk_from_wire(message: wire.OutputChunk) -> OutputChunk:
    return OutputChunk(
        position=message.position,
        execution_id=message.execution_id,
        host=message.host,
        command=message.command,
        stream=_stream(message.stream),
        offset=message.offset,
        data=message.data,
        gap=message.gap,
        stored_at=instant(message.stored_at) if message.HasField("stored_at") else None,
    )


def by_host_request_to_wire(
    wanted: WantedOutput, place: OutputPlace, limit: int
) -> wire.ReadOutputByHostRequest:
    return wire.ReadOutputByHostRequest(
        task_id=wanted.task_id,
        host=wanted.host,
        command=wanted.command,
        stream=STREAMS[wanted.stream] if wanted.stream else agent.STREAM_UNSPECIFIED,
        place=_place_to_wire(place),
        limit=limit,
    )


def wanted_from_wire(request: wire.ReadOutputByHostRequest) -> WantedOutput:
    return WantedOutput(
        request.task_id,
        request.host,
        request.command if request.HasField("command") else None,
        word(STREAMS, request.stream) if request.stream else None,
    )


def _place_to_wire(place: OutputPlace) -> wire.OutputPlace:
    return wire.OutputPlace(host=place.host, position=place.position)


def place_from_wire(message: wire.OutputPlace) -> OutputPlace:
    return OutputPlace(message.host, message.position)


def by_host_to_wire(part: OutputByHost) -> wire.ReadOutputByHostResponse:
    reply = wire.ReadOutputByHostResponse(
        next=_place_to_wire(part.next) if part.next else None,
        truncated=[
            wire.TruncatedOutput(host=one.host, command=one.command, bytes=one.bytes)
            for one in part.truncated
        ],
    )
    for chunk in part.chunks:
        _set_chunk(reply.chunks.add(), chunk)
    return reply


def by_host_from_wire(message: wire.ReadOutputByHostResponse) -> OutputByHost:
    return OutputByHost(
        tuple(map(chunk_from_wire, message.chunks)),
        place_from_wire(message.next) if message.HasField("next") else None,
        tuple(TruncatedOutput(one.host, one.command, one.bytes) for one in message.truncated),
    )


def matches_to_wire(found: OutputMatches) -> wire.SearchOutputResponse:
    return wire.SearchOutputResponse(
        matches=[
            wire.OutputMatch(
                position=match.position,
                execution_id=match.execution_id,
                host=match.host,
                command=match.command,
                stream=STREAMS[match.stream],
                offset=match.offset,
                size=match.size,
            )
            for match in found.matches
        ],
        position=found.position,
        searched=found.searched,
        ended=found.ended,
        offset=found.offset,
    )


def matches_from_wire(message: wire.SearchOutputResponse) -> OutputMatches:
    matches = tuple(
        OutputMatch(
            position=match.position,
            execution_id=match.execution_id,
            host=match.host,
            command=match.command,
            stream=word(STREAMS, match.stream),
            offset=match.offset,
            size=match.size,
        )
        for match in message.matches
    )
    return OutputMatches(matches, message.position, message.searched, message.ended, message.offset)
