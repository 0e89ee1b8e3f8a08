"""Between the messages of the protocol and the agent's own values."""

from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.journal.order_and_result import STREAMS, Result
from tui_manager_agent.journal.transfer_records import Transferred
from tui_manager_agent.supervisor import clock

WIRE_STREAM = {"stdout": wire.STREAM_STDOUT, "stderr": wire.STREAM_STDERR}
STREAM = {number: name for name, number in WIRE_STREAM.items()}
_STATUS = {
    "completed": wire.RESULT_STATUS_COMPLETED,
    "failed": wire.RESULT_STATUS_FAILED,
    "timeout": wire.RESULT_STATUS_TIMEOUT,
    "canceled": wire.RESULT_STATUS_CANCELED,
}
_REASON = {
    "": wire.RESULT_REASON_UNSPECIFIED,
    "exit_code": wire.RESULT_REASON_EXIT_CODE,
    "signal": wire.RESULT_REASON_SIGNAL,
    "rejected": wire.RESULT_REASON_REJECTED,
    "spawn_failed": wire.RESULT_REASON_SPAWN_FAILED,
    "interrupted": wire.RESULT_REASON_INTERRUPTED,
    "undeliverable": wire.RESULT_REASON_UNDELIVERABLE,
    "transfer_failed": wire.RESULT_REASON_TRANSFER_FAILED,
    "update_failed": wire.RESULT_REASON_UPDATE_FAILED,
}


def to_duration(nanoseconds: int) -> Duration:
    """A duration for the wire; never negative."""
    seconds, nanos = divmod(max(0, nanoseconds), clock.SECOND)
    return Duration(seconds=seconds, nanos=nanos)


def to_nanoseconds(message: Duration) -> int:
    return message.seconds * clock.SECOND + message.nanos


def to_offsets(sizes: Mapping[str, int]) -> list[wire.StreamOffset]:
    return [wire.StreamOffset(stream=WIRE_STREAM[s], offset=size) for s, size in sizes.items()]


def to_result(execution_id: str, result: Result, boot_id: str) -> wire.Result:
    """The result as a message, with its age as of now."""
    message = wire.Result(
        execution_id=execution_id,
        status=_STATUS[result.status],
        reason=_REASON[result.reason],
        detail=result.detail,
        age=to_duration(result.age(boot_id)),
        memory_peak=result.memory_peak or 0,
        kill_incomplete=bool(result.kill_incomplete),
        totals=[
            wire.StreamTotal(
                stream=WIRE_STREAM[stream],
                stored=result.stored.get(stream, 0),
                dropped=result.dropped.get(stream, 0),
            )
            for stream in STREAMS
        ],
    )
    if result.exit_code is not None:
        message.exit_code = result.exit_code
    if result.signal is not None:
        message.signal = result.signal
    if result.duration is not None:
        message.duration.CopyFrom(to_duration(result.duration))
    if result.cpu is not None:
        message.cpu.CopyFrom(to_duration(result.cpu))
    if result.transfer is not None:
        message.transfer.CopyFrom(to_transfer(result.transfer))
    return message


def to_transfer(done: Transferred) -> wire.Transfer:
    return wire.Transfer(
        bytes=done.bytes,
        files=done.files,
        unchanged_files=done.unchanged_files,
        received_bytes=done.received_bytes,
        sha256=done.sha256,
        manifest_sha256=done.manifest_sha256,
    )
