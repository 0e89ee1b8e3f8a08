"""Tasks, their commands and command hosts, and how the status of the whole derives from them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

from tui_manager.domain.delivery import DELIVERY_TIMEOUT, Offline, check_delivery_timeout
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus

TIMEOUT_DEFAULT = timedelta(hours=1)
TIMEOUT_RANGE = (timedelta(seconds=1), timedelta(days=7))
KILL_GRACE = timedelta(seconds=10)
OUTPUT_LIMIT = 16 * 1024 * 1024  # bytes a command host, both streams together

NAME_LENGTH = 200  # characters of a task's name
DESCRIPTION_LENGTH = 4000  # characters
# Linux refuses a longer single argument of exec: MAX_ARG_STRLEN is 32 pages of 4 KiB, with the NUL.
COMMAND_LENGTH = 131071  # bytes
COMMANDS_MAX = 100  # of one task
# A message carries 4 MiB, and a host takes about 2 MiB of arguments and environment together.
WHOLE_LENGTH = 1024 * 1024  # bytes of a command's text, folder, parameters and environment
RESERVED = "TUI_MANAGER_"  # of variables: an agent finds the processes of a command by such a one
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One step of a task as the operator gives it.

    Attributes:
        text: shell text, given whole to `/bin/sh -c`.
        timeout: from the exec of the shell until it is killed, 1 s to 7 d.
        parameters: reach the command as environment variables, and are shown with the task.
        environment: further variables for the command.
        cwd: the folder to run in; empty for the agent's home folder.
    """

    text: str
    timeout: timedelta = TIMEOUT_DEFAULT
    parameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds."""
        if not self.text.strip():
            raise InvalidInputError("command", "The command is empty.")
        for kind, text in (("command", self.text), ("cwd", self.cwd)):
            _check_text(kind, text)
        if len(self.text.encode()) > COMMAND_LENGTH:
            raise InvalidInputError(
                "command",
                f"The command is longer than {COMMAND_LENGTH} bytes; put it into a script.",
            )
        low, high = TIMEOUT_RANGE
        if not low <= self.timeout <= high:
            seconds = self.timeout.total_seconds()
            raise InvalidInputError(
                "timeout", f"A timeout must be from 1 s to 7 d (604800 s); {seconds:g} s is not."
            )
        size = len(self.text.encode()) + len(self.cwd.encode())
        for kind, values in (("param", self.parameters), ("env", self.environment)):
            for name, value in values.items():
                check_variable(kind, name, value)
                size += len(name.encode()) + len(value.encode()) + 2
            if size > WHOLE_LENGTH:
                raise InvalidInputError(
                    kind,
                    f"The command with its parameters and environment is longer than "
                    f"{WHOLE_LENGTH} bytes; put what is large into a file.",
                )


def _check_text(kind: str, text: str) -> None:
    """Raises InvalidInputError unless `text` can be given to a process as UTF-8."""
    if "\0" in text:
        raise InvalidInputError(kind, "A NUL character cannot be passed to a command.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            kind, f"Not valid UTF-8 at character {error.start + 1}; write such bytes as \\x.."
        ) from None


def check_variable(kind: str, name: str, value: str) -> None:
    """Raises InvalidInputError unless an environment variable can have this name and value."""
    if not _VARIABLE.fullmatch(name):
        raise InvalidInputError(
            kind, f"{name!r} is not a variable's name: letters, digits and _, no digit first."
        )
    if name.startswith(RESERVED):
        raise InvalidInputError(
            kind, f"{name}: names that begin with {RESERVED} are tui-manager's own; take another."
        )
    _check_text(kind, value)
    if len(name.encode()) + len(value.encode()) + 1 > COMMAND_LENGTH:
        raise InvalidInputError(kind, f"The value of {name} is longer than {COMMAND_LENGTH} bytes.")


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What an operator wants done: everything of a task that is known before it starts.

    Attributes:
        target: the TARGET notation; resolved, and frozen, when the task starts.
        name: what people call it; empty for the first line of the first command.
        created_by: who asked, `user@terminal`, as the client states it.
        offline: what becomes of commands whose host is offline when their turn comes.
        delivery_timeout: with WAIT, from a command's turn on a host until the host must have
            begun it, 1 s to 30 d.
    """

    target: str
    commands: tuple[CommandSpec, ...]
    name: str = ""
    description: str = ""
    created_by: str = ""
    offline: Offline = Offline.FAIL
    delivery_timeout: timedelta = DELIVERY_TIMEOUT

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds."""
        if not self.target.strip():
            raise InvalidInputError("target", "The target is empty; name hosts, or @all.")
        if not self.commands:
            raise InvalidInputError("command", "A task needs at least one command.")
        if len(self.commands) > COMMANDS_MAX:
            raise InvalidInputError("command", f"A task holds at most {COMMANDS_MAX} commands.")
        if len(self.name) > NAME_LENGTH:
            raise InvalidInputError("name", f"A name has at most {NAME_LENGTH} characters.")
        if len(self.description) > DESCRIPTION_LENGTH:
            raise InvalidInputError(
                "description", f"A description has at most {DESCRIPTION_LENGTH} characters."
            )
        check_delivery_timeout(self.delivery_timeout)
        for command in self.commands:
            command.check()

    @property
    def shown_name(self) -> str:
        """The name, or what stands for it."""
        return self.name.strip() or self.commands[0].text.strip().splitlines()[0][:NAME_LENGTH]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many command hosts stand where."""

    total: int = 0
    pending: int = 0
    running: int = 0
    completed: int = 0
    failed: int = 0
    timeout: int = 0
    canceled: int = 0
    skipped: int = 0

    @property
    def ended(self) -> int:
        """How many have ended, in whatever way."""
        return self.total - self.pending - self.running

    @property
    def faults(self) -> int:
        """How many ended in another way than completed or canceled."""
        return self.failed + self.timeout + self.skipped

    def as_dict(self) -> dict[str, int]:
        """The counts by their names, in the order of the declaration."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def command_status(counts: Counts, *, started: bool, canceled: bool) -> CommandHostStatus:
    """The derived status of a command.

    Args:
        counts: of its command hosts.
        started: whether its task was started.
        canceled: whether its task was cancelled.
    """
    if counts.running or (counts.pending and started):
        return CommandHostStatus.RUNNING
    if not counts.total:
        return CommandHostStatus.CANCELED if canceled else CommandHostStatus.PENDING
    if canceled and counts.canceled:
        return CommandHostStatus.CANCELED
    if counts.timeout:
        return CommandHostStatus.TIMEOUT
    if counts.failed or counts.skipped:
        return CommandHostStatus.FAILED
    return CommandHostStatus.COMPLETED


def ended_task_status(counts: Counts, *, canceled: bool) -> TaskStatus | None:
    """How a task ended whose command hosts stand so; None while one is pending or running."""
    if counts.pending or counts.running:
        return None
    if canceled:
        return TaskStatus.CANCELED
    return TaskStatus.COMPLETED if counts.completed == counts.total else TaskStatus.FAILED


@dataclass(frozen=True, slots=True)
class Task:
    """A task as lists show it.

    Attributes:
        task_id: a small integer, what people say aloud.
        host_count: hosts it was started on; 0 before the start.
        cancel_requested_at: when an operator cancelled it; the status follows once it is true.
    """

    task_id: int
    name: str
    description: str
    target: str
    status: TaskStatus
    counts: Counts
    host_count: int
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    offline: Offline = Offline.FAIL
    delivery_timeout: timedelta = DELIVERY_TIMEOUT

    @property
    def canceling(self) -> bool:
        """True between the operator's cancel and the end of the last command."""
        return self.status is TaskStatus.RUNNING and self.cancel_requested_at is not None


@dataclass(frozen=True, slots=True)
class Command:
    """One step of a task, with how far it is; `index` counts from 0."""

    index: int
    spec: CommandSpec
    status: CommandHostStatus
    counts: Counts


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """A task with its commands."""

    task: Task
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class CommandHost:
    """One command on one host.

    Attributes:
        command: the index of the command in its task, from 0.
        stdout_bytes, stderr_bytes: stored in the database so far, gaps counted in.
        truncated_bytes: what came past the output limit and was counted, not kept.
        late: a result that replaced a guess of the manager.
        kill_incomplete: processes of it survive that the agent may not signal.
    """

    execution_id: str
    task_id: int
    command: int
    host_id: str
    host: str
    status: CommandHostStatus
    reason: Reason
    detail: str
    exit_code: int | None
    signal: int | None
    stdout_bytes: int
    stderr_bytes: int
    truncated_bytes: int
    sent_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    late: bool
    kill_incomplete: bool

    @property
    def canceling(self) -> bool:
        """True between the operator's cancel and its proof."""
        return not self.status.ended and self.cancel_requested_at is not None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is.

    Attributes:
        fraction: of its command hosts that have ended, 0.0 to 1.0.
        elapsed: since the start, up to the end; None before the start.
        remaining: an estimate from the pace so far; None when there is nothing to judge by.
    """

    task_id: int
    status: TaskStatus
    counts: Counts
    commands: tuple[Counts, ...]
    fraction: float
    elapsed: timedelta | None
    remaining: timedelta | None


def estimate_remaining(counts: Counts, elapsed: timedelta) -> timedelta | None:
    """What is left at the pace so far; None before the first end and after the last."""
    left = counts.total - counts.ended
    if not counts.ended or not left:
        return None
    return elapsed * (left / counts.ended)
