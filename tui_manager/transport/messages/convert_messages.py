"""Converts the messages of agents between wire and domain; `message_guard` checks them before."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from tui_manager_protos.rules.facts import cut_value
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.hosts.agent_messages import (
    Acknowledged,
    AgentHello,
    ExecutionReport,
    Held,
    HeldState,
    Output,
    Result,
    Resume,
    ResumeAction,
    Run,
    Started,
    StreamTotal,
)
from tui_manager.domain.hosts.facts import PackedFacts
from tui_manager.domain.hosts.vitals import Disk, Vitals
from tui_manager.domain.status import Admission, CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FileSet, UpdateSpec
from tui_manager.domain.task_spec.script_and_stdin import Content
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.service.limits import Limits
from tui_manager.transport.messages import field_limits
from tui_manager.transport.messages.convert_files import to_transfer

RETRY_LATE = timedelta(seconds=30)  # after a problem that only a person can solve
_DISKS = 64  # most disks of a host
_FEATURES = 256  # most features of an agent
_DAY = 86_400  # seconds
_KEPT_SIZE = 4096  # bytes of a command whose message is kept for its next host
_KEPT_MAX = 64  # such messages
_kept: dict[int, tuple[CommandSpec, pb.RunCommand]] = {}  # by id of the spec

STREAM = {pb.STREAM_STDOUT: Stream.STDOUT, pb.STREAM_STDERR: Stream.STDERR}
_STREAM_TO = {value: key for key, value in STREAM.items()}
STATUS = {
    pb.RESULT_STATUS_COMPLETED: CommandHostStatus.COMPLETED,
    pb.RESULT_STATUS_FAILED: CommandHostStatus.FAILED,
    pb.RESULT_STATUS_TIMEOUT: CommandHostStatus.TIMEOUT,
    pb.RESULT_STATUS_CANCELED: CommandHostStatus.CANCELED,
}
REASON = {
    pb.RESULT_REASON_EXIT_CODE: Reason.EXIT_CODE,
    pb.RESULT_REASON_SIGNAL: Reason.SIGNAL,
    pb.RESULT_REASON_REJECTED: Reason.REJECTED,
    pb.RESULT_REASON_SPAWN_FAILED: Reason.SPAWN_FAILED,
    pb.RESULT_REASON_INTERRUPTED: Reason.INTERRUPTED,
    pb.RESULT_REASON_UNDELIVERABLE: Reason.UNDELIVERABLE,
    pb.RESULT_REASON_TRANSFER_FAILED: Reason.TRANSFER_FAILED,
    pb.RESULT_REASON_UPDATE_FAILED: Reason.UPDATE_FAILED,
}
_IMPLIED_REASON = {
    CommandHostStatus.COMPLETED: Reason.NONE,
    CommandHostStatus.TIMEOUT: Reason.TIMEOUT,
    CommandHostStatus.CANCELED: Reason.CANCELED,
}
HELD = {
    pb.EXECUTION_STATE_ACCEPTED: HeldState.ACCEPTED,
    pb.EXECUTION_STATE_STARTING: HeldState.STARTING,
    pb.EXECUTION_STATE_RUNNING: HeldState.RUNNING,
    pb.EXECUTION_STATE_ENDED: HeldState.ENDED,
}
_RESUME = {
    ResumeAction.GO_ON: pb.RESUME_ACTION_GO_ON,
    ResumeAction.CANCEL: pb.RESUME_ACTION_CANCEL,
    ResumeAction.STORED: pb.RESUME_ACTION_STORED,
    ResumeAction.UNKNOWN: pb.RESUME_ACTION_UNKNOWN,
}
ADMISSION = {
    Admission.PENDING: pb.ADMISSION_PENDING,
    Admission.ADMITTED: pb.ADMISSION_ADMITTED,
    Admission.REJECTED: pb.ADMISSION_REJECTED,
    Admission.REVOKED: pb.ADMISSION_REVOKED,
}
_REFUSAL = {
    Refusal.WRONG_MANAGER: pb.DISCONNECT_REASON_WRONG_MANAGER,
    Refusal.DUPLICATE_IDENTITY: pb.DISCONNECT_REASON_DUPLICATE_IDENTITY,
    Refusal.NAME_TAKEN: pb.DISCONNECT_REASON_NAME_TAKEN,
    Refusal.INVALID_HELLO: pb.DISCONNECT_REASON_INVALID_HELLO,
    Refusal.REJECTED: pb.DISCONNECT_REASON_REJECTED,
    Refusal.REVOKED: pb.DISCONNECT_REASON_REVOKED,
    Refusal.PROTOCOL_VERSION: pb.DISCONNECT_REASON_PROTOCOL_VERSION,
    Refusal.PROTOCOL_ERROR: pb.DISCONNECT_REASON_PROTOCOL_ERROR,
    Refusal.OVERLOADED: pb.DISCONNECT_REASON_OVERLOADED,
    Refusal.REPLACED: pb.DISCONNECT_REASON_REPLACED,
}


def to_hello(hello: pb.Hello, address: str, now: datetime) -> AgentHello:
    """The host of a Hello."""
    return AgentHello(
        name=hello.name or hello.hostname,
        host_id=hello.host_id,
        manager_id=hello.manager_id,
        journal_id=hello.journal_id,
        machine_id=hello.machine_id,
        boot_id=hello.boot_id,
        instance_id=hello.instance_id,
        hostname=field_limits.cut(hello.hostname),
        os=field_limits.cut(hello.os),
        arch=field_limits.cut(hello.arch),
        labels=dict(hello.labels),
        capacity=hello.capacity,
        agent_version=field_limits.cut(hello.agent_version),
        address=address,
        skew=field_limits.skew(hello.clock, now) if hello.HasField("clock") else timedelta(0),
        held=tuple(
            Held(item.execution_id, HELD[item.state], item.has_result) for item in hello.executions
        ),
        features=tuple(hello.features[:_FEATURES]),
        facts=to_facts(hello.facts) if hello.HasField("facts") else None,
        agent_build=field_limits.cut(hello.build),
        installed_by=field_limits.cut(hello.installed_by),
    )


def to_facts(facts: pb.Facts) -> PackedFacts:
    """The facts of a host. A value that is too long is cut, with a mark."""
    return PackedFacts.pack({name: cut_value(value) for name, value in facts.values.items()})


def to_report(report: pb.Report) -> ExecutionReport:
    """The executions in a report."""
    return ExecutionReport(
        started=tuple(
            [Started(item.execution_id, field_limits.duration(item.age)) for item in report.started]
        ),
        output=tuple(map(_to_output, report.output)),
        results=tuple(map(_to_result, report.results)),
    )


def _to_output(output: pb.Output) -> Output:
    return Output(
        output.execution_id,
        STREAM[output.stream],
        output.offset,
        b"" if output.gap else output.data,
        field_limits.number(output.gap),
    )


def _to_result(result: pb.Result) -> Result:
    status = STATUS[result.status]
    return Result(
        execution_id=result.execution_id,
        status=status,
        reason=_IMPLIED_REASON[status] if status in _IMPLIED_REASON else REASON[result.reason],
        detail=field_limits.cut(result.detail, field_limits.DETAIL),
        exit_code=result.exit_code if result.HasField("exit_code") else None,
        signal=result.signal if result.HasField("signal") else None,
        age=field_limits.duration(result.age),
        duration=field_limits.duration(result.duration) if result.HasField("duration") else None,
        totals={
            STREAM[total.stream]: StreamTotal(
                field_limits.number(total.stored), field_limits.number(total.dropped)
            )
            for total in result.totals
        },
        cpu=field_limits.duration(result.cpu),
        memory_peak=field_limits.number(result.memory_peak),
        kill_incomplete=result.kill_incomplete,
        transfer=to_transfer(result.transfer) if result.HasField("transfer") else None,
    )


def to_vitals(vitals: pb.Vitals, now: datetime) -> Vitals:
    """The newest measurements of a host, received `now`."""
    return Vitals(
        cpu_percent=field_limits.finite(vitals.cpu_percent, 100.0),
        load_1m=field_limits.finite(vitals.load_1m, 1e6),
        memory_used=field_limits.number(vitals.memory_used),
        memory_total=field_limits.number(vitals.memory_total),
        disks=tuple(
            Disk(
                field_limits.cut(disk.mount),
                field_limits.number(disk.used),
                field_limits.number(disk.total),
            )
            for disk in vitals.disks[:_DISKS]
        ),
        running=vitals.running,
        queued=vitals.queued,
        cores=vitals.cores,
        uptime=field_limits.duration(vitals.uptime),
        skew=field_limits.skew(vitals.clock, now) if vitals.HasField("clock") else timedelta(0),
    )


def _duration(value: timedelta) -> Duration:
    duration = Duration()
    _fill(duration, value)
    return duration


def _fill(duration: Duration, value: timedelta) -> None:
    """Without negative offsets."""
    duration.seconds = value.days * _DAY + value.seconds
    duration.nanos = value.microseconds * 1000


def _offsets(offsets: Mapping[Stream, int]) -> list[pb.StreamOffset]:
    return [
        pb.StreamOffset(stream=_STREAM_TO[stream], offset=offset)
        for stream, offset in offsets.items()
        if offset
    ]


def from_limits(
    limits: Limits,
    heartbeat: timedelta,
    admission: Admission,
    managers: Sequence[str],
    *,
    renew: bool,
) -> pb.Settings:
    """The settings that an agent must follow."""
    return pb.Settings(
        admission=ADMISSION[admission],
        heartbeat=_duration(heartbeat),
        output_window=limits.output_window,
        max_message=limits.max_message,
        lost_after=_duration(limits.lost_after),
        renew_certificate=renew,
        managers=managers,
    )


def from_opened(manager_id: str, opened: OpenedSession, settings: pb.Settings) -> pb.ManagerMessage:
    """The Welcome."""
    welcome = pb.Welcome(
        manager_id=manager_id,
        host_id=opened.host_id,
        name=opened.name,
        generation=opened.generation,
        settings=settings,
    )
    return pb.ManagerMessage(welcome=welcome)


def from_resume(resume: Resume) -> pb.ManagerMessage:
    """The answer for one held execution."""
    return pb.ManagerMessage(
        resume=pb.Resume(
            execution_id=resume.execution_id,
            action=_RESUME[resume.action],
            offsets=_offsets(resume.offsets),
        )
    )


def from_unknown(execution_id: str) -> pb.ManagerMessage:
    """The answer to a report of an execution that is not in the database."""
    return from_resume(Resume(execution_id, ResumeAction.UNKNOWN))


def from_run(run: Run) -> pb.ManagerMessage:
    """One command, which has the bytes of its contents."""
    message = pb.ManagerMessage()  # filled in place, as every command and result passes here
    to = message.run_command
    to.CopyFrom(_same_on_all_hosts(run.command))
    to.execution_id = run.execution_id
    environment = to.environment
    for name, value in run.environment.items():
        environment[name] = value
    to.secret_names.extend(run.secrets)
    _fill(to.kill_grace, run.kill_grace)
    to.output_limit = run.output_limit
    if run.start_before is not None:
        _fill(to.start_before, run.start_before)
    return message


def _same_on_all_hosts(spec: CommandSpec) -> pb.RunCommand:
    """The part of the message that is the same on all hosts of a command, without its variables.
    Hosts that are sent a command together share its spec, so this part is made once for them. A
    command with contents has a spec of its own for each host, and is not kept."""
    if spec.contents:
        return _from_spec(spec)
    kept = _kept.get(id(spec))
    if kept is not None and kept[0] is spec:
        return kept[1]
    made = _from_spec(spec)
    if made.ByteSize() <= _KEPT_SIZE:
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        _kept[id(spec)] = spec, made
    return made


def _from_spec(spec: CommandSpec) -> pb.RunCommand:
    """A command without the values that differ from host to host."""
    to = pb.RunCommand()
    to.command = spec.text
    to.cwd = spec.cwd
    to.run_as_user = spec.run_as_user
    to.memory_max = spec.limits.memory_max
    to.tasks_max = spec.limits.tasks_max
    to.cpu_max = spec.limits.cpu_max
    if spec.script is not None:
        to.script = _bytes_of(spec.script)
        to.arguments.extend(spec.arguments)
    if spec.stdin is not None:
        to.stdin = _bytes_of(spec.stdin)
    if spec.copy is not None:
        _fill_copy(to.copy, spec.copy)
    elif spec.fetch is not None:
        to.fetch.paths.extend(spec.fetch.paths)
        to.fetch.recursive = spec.fetch.recursive
    elif spec.update is not None:
        _fill_update(to.update, spec.update)
    _fill(to.timeout, spec.timeout)
    return to


def _fill_copy(to: pb.CopyFiles, copy: CopySpec) -> None:
    _fill_file_set(to.files, copy.files)
    to.to = copy.to
    if copy.mode is not None:
        to.mode = copy.mode
    to.owner = copy.owner
    to.backup = copy.backup


def _fill_update(to: pb.UpdateAgent, update: UpdateSpec) -> None:
    _fill_file_set(to.files, update.files)
    to.version = update.version
    to.build = update.build
    to.system = update.system
    to.arch = update.arch


def _fill_file_set(to: pb.FileSet, files: FileSet) -> None:
    to.sha256 = bytes.fromhex(files.sha256)
    to.manifest_size = files.manifest_size
    to.size = files.size
    to.files = files.files
    to.bytes = files.bytes


def _bytes_of(content: Content) -> bytes:
    if content.data is None:
        raise ValueError(f"the bytes of {content.sha256} were not read from the database")
    return content.data


def from_cancel(execution_id: str) -> pb.ManagerMessage:
    """The request to kill an execution."""
    cancel = pb.CancelCommand(execution_id=execution_id, mode=pb.CANCEL_MODE_KILL)
    return pb.ManagerMessage(cancel_command=cancel)


def from_question(execution_id: str) -> pb.ManagerMessage:
    """Asks for the result of an execution that the agent did not name in its Hello. The journal
    answers with the result, or with a tombstone if the execution never arrived."""
    mode = pb.CANCEL_MODE_ONLY_IF_NOT_STARTED
    cancel = pb.CancelCommand(execution_id=execution_id, mode=mode)
    return pb.ManagerMessage(cancel_command=cancel)


def from_acknowledged(executions: Iterable[Acknowledged]) -> pb.ManagerMessage:
    """The acknowledgement of what is committed."""
    message = pb.ManagerMessage()
    added = message.acknowledge.executions
    for item in executions:
        acknowledged = added.add(execution_id=item.execution_id, result=item.result)
        for stream, offset in item.offsets.items():
            if offset:
                acknowledged.offsets.add(stream=_STREAM_TO[stream], offset=offset)
    return message


def from_refusal(error: RefusedError, retry_after: timedelta) -> pb.ManagerMessage:
    """The reason why the stream ends, and when the agent may connect again."""
    return disconnect(_REFUSAL[error.refusal], str(error), retry_after)


def disconnect(
    reason: pb.DisconnectReason.ValueType, detail: str, retry_after: timedelta
) -> pb.ManagerMessage:
    """The last message of a stream."""
    return pb.ManagerMessage(
        disconnect=pb.Disconnect(reason=reason, detail=detail, retry_after=_duration(retry_after))
    )
