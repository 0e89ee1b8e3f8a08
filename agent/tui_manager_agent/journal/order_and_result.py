"""Orders, owners and results as values; on disk they are records of text entries.

The agent converts them here, when it reads or writes a file, and nowhere else. A supervisor works
with the entries themselves. An agent may find records that an older version wrote, so an entry
never changes its name or its spelling.
"""

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager_agent.journal.transfer_records import (
    CopyOrder,
    TransferOrder,
    Transferred,
    UpdateOrder,
    decode_transfer,
)
from tui_manager_agent.policy.file_rules import FileAccess, TransferRequest
from tui_manager_agent.policy.policy import CommandRequest, Request, UpdateRequest
from tui_manager_agent.supervisor import clock, record, script_and_stdin
from tui_manager_agent.supervisor.processes import cgroup_limits

STREAMS = (record.STDOUT, record.STDERR)
_NOT_RECORDED = "?"  # by an older agent; no policy allows it


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAs:
    """The user who runs a command, if it is not the agent's own.

    Attributes:
        groups: supplementary ones, the main one included.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script that an order brings along. Its bytes are a file beside the order.

    Attributes:
        size: bytes.
        sha256: 64 hex digits.
        interpreter: the program that its first line names.
        interpreter_argument: the one that its first line may have; empty: none.
        arguments: of the script.
        copy: where the order's user can read it; empty: in the folder of the execution.
    """

    size: int
    sha256: str
    interpreter: str
    interpreter_argument: str = ""
    arguments: tuple[str, ...] = ()
    copy: str = ""

    def entries(self) -> dict[str, object]:
        """Its part of the order's record."""
        entries: dict[str, object] = {
            script_and_stdin.SCRIPT_SIZE: self.size,
            "script_sha256": self.sha256,
            script_and_stdin.INTERPRETER: self.interpreter,
        }
        if self.interpreter_argument:
            entries[script_and_stdin.INTERPRETER_ARGUMENT] = self.interpreter_argument
        if self.copy:
            entries[script_and_stdin.COPY] = self.copy
        for number, argument in enumerate(self.arguments):
            entries[f"{record.ARGUMENT}{number}"] = argument
        return entries

    @classmethod
    def decode(cls, entries: Mapping[str, str]) -> "Script":
        """Raises KeyError, ValueError."""
        arguments: list[str] = []
        while (argument := entries.get(f"{record.ARGUMENT}{len(arguments)}")) is not None:
            arguments.append(argument)
        return cls(
            size=int(entries[script_and_stdin.SCRIPT_SIZE]),
            sha256=entries["script_sha256"],
            interpreter=entries[script_and_stdin.INTERPRETER],
            interpreter_argument=entries.get(script_and_stdin.INTERPRETER_ARGUMENT, ""),
            arguments=tuple(arguments),
            copy=entries.get(script_and_stdin.COPY, ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a supervisor is to run, or which files the agent is to transfer.

    Attributes:
        command: shell text; empty with a script, and of a transfer.
        user: the name of the user who runs it.
        folder: where the operator wants it to run; empty: no wish.
        cwd: where it runs.
        variables: the names of all variables that the operator adds.
        timeout, kill_grace: ns.
        output_limit: bytes of both streams together.
        priority: the highest starts first.
        fifo: where the supervisor notifies the agent.
        boot_id: of the boot in which the order came.
        limits: of its cgroup, by the entries that `supervisor/processes/cgroup_limits.py` names.
        start_before: boot-time ns by which it has to start; 0: no limit.
        run_as: None: the agent's own user.
        environment: all variables of the command, secrets among them.
        script: None: it runs the command.
        stdin_size: bytes of what it reads from stdin, a file beside the order; None: /dev/null.
        transfer: None: it runs something.
    """

    command: str
    user: str
    folder: str
    cwd: str
    variables: tuple[str, ...]
    timeout: int
    kill_grace: int
    output_limit: int
    priority: int
    fifo: Path
    boot_id: str
    limits: Mapping[str, int] = field(default_factory=dict)
    start_before: int = 0
    run_as: RunAs | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    script: Script | None = None
    stdin_size: int | None = None
    transfer: TransferOrder | None = None

    def encode(self) -> bytes:
        """The record of it."""
        entries: dict[str, object] = {
            **(self.transfer.entries() if self.transfer else self._program_entries()),
            "user": self.user,
            "folder": self.folder,
            "cwd": self.cwd,
            "variables": "=".join(self.variables),  # a name holds no `=`
            "timeout": self.timeout,
            "kill_grace": self.kill_grace,
            "output_limit": self.output_limit,
            "priority": self.priority,
            record.FIFO: self.fifo,
            "boot_id": self.boot_id,
            **self.limits,
        }
        if self.start_before:
            entries["start_before"] = self.start_before
        if self.run_as is not None:
            entries["uid"], entries["gid"] = self.run_as.uid, self.run_as.gid
            entries["groups"] = " ".join(map(str, self.run_as.groups))
        for name, value in self.environment.items():
            entries[record.ENVIRONMENT + name] = value
        return record.encode(entries)

    def _program_entries(self) -> dict[str, object]:
        """What is run, and what it reads."""
        entries: dict[str, object] = {}
        if self.script is not None:
            entries = self.script.entries()
        elif self.stdin_size is not None:
            entries = {script_and_stdin.COMMAND_WITH_STDIN: self.command}
        else:
            entries = {script_and_stdin.COMMAND: self.command}
        if self.stdin_size is not None:
            entries[script_and_stdin.STDIN_SIZE] = self.stdin_size
        return entries

    @classmethod
    def decode(cls, entries: Mapping[str, str]) -> "Order":
        """Raises ValueError if an entry is missing that every version has written."""
        prefix = record.ENVIRONMENT
        try:
            transfer = decode_transfer(entries)
            return cls(
                command="" if transfer else _command(entries),
                user=entries.get("user", _NOT_RECORDED),
                folder=entries.get("folder", _NOT_RECORDED),
                cwd=entries["cwd"],
                variables=tuple(filter(None, entries.get("variables", _NOT_RECORDED).split("="))),
                timeout=int(entries["timeout"]),
                kill_grace=int(entries["kill_grace"]),
                output_limit=int(entries["output_limit"]),
                priority=int(entries.get("priority", 0)),
                fifo=Path(entries[record.FIFO]),
                boot_id=entries["boot_id"],
                limits={
                    name: int(entries[name]) for name in cgroup_limits.NEEDS if name in entries
                },
                start_before=int(entries.get("start_before", 0)),
                run_as=_run_as(entries),
                environment={
                    name.removeprefix(prefix): value
                    for name, value in entries.items()
                    if name.startswith(prefix)
                },
                script=Script.decode(entries) if script_and_stdin.SCRIPT_SIZE in entries else None,
                stdin_size=int(entries[script_and_stdin.STDIN_SIZE])
                if script_and_stdin.STDIN_SIZE in entries
                else None,
                transfer=transfer,
            )
        except KeyError as error:
            raise ValueError(f"an order without the entry {error}") from error

    @property
    def is_late(self) -> bool:
        """Whether the time is over by which it had to start."""
        return bool(self.start_before) and self.start_before <= clock.now()

    @property
    def contents_size(self) -> int:
        """Bytes of what it brings along as files."""
        return (self.script.size if self.script else 0) + (self.stdin_size or 0)

    @property
    def request(self) -> Request:
        """What a policy judges. Of an order that an older agent journalled not all is known, and no
        policy allows what is not known."""
        if isinstance(self.transfer, CopyOrder):
            copy = self.transfer
            return TransferRequest(
                access=FileAccess.WRITE, timeout=self.timeout, owner=copy.owner, mode=copy.mode
            )
        if isinstance(self.transfer, UpdateOrder):
            return UpdateRequest(self.transfer.version)
        if self.transfer is not None:
            return TransferRequest(access=FileAccess.READ, timeout=self.timeout)
        return CommandRequest(
            command=self.command,
            user=self.user,
            folder=self.folder,
            variables=self.variables,
            timeout=self.timeout,
            kill_grace=self.kill_grace,
            script_sha256=self.script.sha256 if self.script else "",
            arguments=self.script.arguments if self.script else (),
            has_stdin=self.stdin_size is not None,
        )


def _command(entries: Mapping[str, str]) -> str:
    if script_and_stdin.SCRIPT_SIZE in entries:
        return ""
    with_stdin = script_and_stdin.STDIN_SIZE in entries
    return entries[script_and_stdin.COMMAND_WITH_STDIN if with_stdin else script_and_stdin.COMMAND]


def _run_as(entries: Mapping[str, str]) -> RunAs | None:
    if "uid" not in entries:
        return None
    groups = tuple(map(int, entries["groups"].split()))
    return RunAs(uid=int(entries["uid"]), gid=int(entries["gid"]), groups=groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The supervisor that claimed an execution, as its claim says.

    Attributes:
        pid: 0: nobody has claimed it.
        folder: the execution's folder at that time.
        uid: of the command's user; -1: the agent's own.
        cgroup: the command's; empty: it has none.
    """

    pid: int = 0
    folder: str = ""
    uid: int = -1
    cgroup: str = ""

    @classmethod
    def decode(cls, entries: Mapping[str, str]) -> "Owner":
        return cls(
            pid=int(entries.get("pid", 0)),
            folder=entries.get("folder", ""),
            uid=int(entries.get("uid", -1)),
            cgroup=entries.get("cgroup", ""),
        )


# The reason that is written for older agents, by the true one. An older agent ends when it reads a
# reason that it does not know.
_OLDER_REASON = {"transfer_failed": "interrupted", "update_failed": "interrupted"}
# The numbers of a result, by the names of their entries.
_NUMBERS = ("duration", "cpu", "memory_peak", "exit_code", "signal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an execution ended, as its supervisor wrote it, or the agent itself.

    Attributes:
        ended: boot-time ns.
        boot_id: of the boot in which it ended.
        started: boot-time ns of the shell's exec; 0: it never started.
        stored, dropped: bytes of each stream that were spooled, and that were not.
        duration, cpu: ns.
        memory_peak: bytes.
        kill_incomplete: processes of the command survived; None: nobody looked.
        transfer: what a copy or a fetch has done; None: it did not complete, or was a command.
    """

    status: str
    reason: str = ""
    detail: str = ""
    ended: int = 0
    boot_id: str = ""
    started: int = 0
    stored: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    duration: int | None = None
    cpu: int | None = None
    memory_peak: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    kill_incomplete: bool | None = None
    transfer: Transferred | None = None

    def encode(self) -> bytes:
        """The record of it."""
        entries: dict[str, object] = {
            "status": self.status,
            "reason": _OLDER_REASON.get(self.reason, self.reason),
            "detail": self.detail,
            "ended": self.ended,
            "boot_id": self.boot_id,
        }
        if self.reason in _OLDER_REASON:
            entries["exact_reason"] = self.reason
        if self.started:
            entries["at"] = self.started
        entries.update((f"{stream}_stored", size) for stream, size in self.stored.items())
        entries.update((f"{stream}_dropped", size) for stream, size in self.dropped.items())
        entries.update(
            (name, number) for name in _NUMBERS if (number := getattr(self, name)) is not None
        )
        if self.kill_incomplete is not None:
            entries["kill_incomplete"] = int(self.kill_incomplete)
        if self.transfer is not None:
            entries.update(self.transfer.entries())
        return record.encode(entries)

    @classmethod
    def decode(cls, entries: Mapping[str, str]) -> "Result":
        """Raises ValueError if it has no status, or a number is none."""
        if "status" not in entries:
            raise ValueError("a result without a status")
        incomplete = entries.get("kill_incomplete")
        return cls(
            status=entries["status"],
            reason=entries.get("exact_reason", entries.get("reason", "")),
            detail=entries.get("detail", ""),
            ended=int(entries.get("ended", 0)),
            boot_id=entries.get("boot_id", ""),
            started=int(entries.get("at", 0)),
            stored=_by_stream(entries, "stored"),
            dropped=_by_stream(entries, "dropped"),
            kill_incomplete=None if incomplete is None else incomplete == "1",
            transfer=Transferred.decode(entries),
            **{name: int(entries[name]) for name in _NUMBERS if name in entries},
        )

    def ended_now(self, boot_id: str) -> "Result":
        """The same result with the time of its end."""
        return replace(self, ended=clock.now(), boot_id=boot_id)

    def started_in(self, boot_id: str) -> int:
        """Boot-time ns of the shell's exec; 0: it has not started in this boot."""
        return self.started if self.boot_id == boot_id else 0

    def age(self, boot_id: str) -> int:
        """Nanoseconds since the end; if that was in an earlier boot, since the host has booted."""
        return max(0, clock.now() - (self.ended if self.boot_id == boot_id else 0))


def _by_stream(entries: Mapping[str, str], what: str) -> dict[str, int]:
    return {
        stream: int(entries[f"{stream}_{what}"])
        for stream in STREAMS
        if f"{stream}_{what}" in entries
    }
