"""Between the wire's messages and the agent's own words."""

from google.protobuf.duration_pb2 import Duration
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions import result
from tui_manager_agent.journal.spool import STREAMS
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
}


def to_duration(nanoseconds: int) -> Duration:
    """A duration for the wire; never negative."""
    seconds, nanos = divmod(max(0, nanoseconds), clock.SECOND)
    return Duration(seconds=seconds, nanos=nanos)


def to_nanoseconds(message: Duration) -> int:
    return message.seconds * clock.SECOND + message.nanos


def to_offsets(sizes: dict[str, int]) -> list[wire.StreamOffset]:
    return [wire.StreamOffset(stream=WIRE_STREAM[s], offset=size) for s, size in sizes.items()]


def to_result(execution_id: str, fields: dict[str, str], boot_id: str) -> wire.Result:
    """The result as a message, with its age as of now."""
    message = wire.Result(
        execution_id=execution_id,
        status=_STATUS[fields["status"]],
        reason=_REASON[fields["reason"]],
        detail=fields.get("detail", ""),
        age=to_duration(result.age(fields, boot_id)),
        memory_peak=int(fields.get("memory_peak", 0)),
        kill_incomplete=fields.get("kill_incomplete", "0") == "1",
        totals=[
            wire.StreamTotal(
                stream=WIRE_STREAM[stream],
                stored=result.stored(fields, stream),
                dropped=int(fields.get(f"{stream}_dropped", 0)),
            )
            for stream in STREAMS
        ],
    )
    if "exit_code" in fields:
        message.exit_code = int(fields["exit_code"])
    if "signal" in fields:
        message.signal = int(fields["signal"])
    if "duration" in fields:
        message.duration.CopyFrom(to_duration(int(fields["duration"])))
    if "cpu" in fields:
        message.cpu.CopyFrom(to_duration(int(fields["cpu"])))
    return message
