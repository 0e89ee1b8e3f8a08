"""What an operator asks for: a task and its commands before they start, and what is checked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import timedelta
from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules import command_defaults

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet, UpdateSpec
from tui_manager.domain.task_spec.resource_limits import NO_LIMITS, ResourceLimits
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, RolloutSpec
from tui_manager.domain.task_spec.script_and_stdin import CONTENTS_LENGTH, Content, check_script
from tui_manager.domain.task_spec.task_parameters import PARAMETERS_MAX, Parameter
from tui_manager.domain.task_spec.template_version import TemplateVersion
from tui_manager.domain.task_spec.text_and_variables import (
    COMMAND_LENGTH,
    check_text,
    check_variable,
)

TIMEOUT_DEFAULT = command_defaults.TIMEOUT
TIMEOUT_RANGE = (timedelta(seconds=1), timedelta(days=7))

NAME_LENGTH = 200  # characters of a task's name
DESCRIPTION_LENGTH = 4000  # characters
COMMANDS_MAX = 100  # of one task
# A message carries 4 MiB, and a host takes about 2 MiB of arguments and environment together.
WHOLE_LENGTH = 1024 * 1024  # bytes of a command's text or arguments, folder, and all variables
_ARGUMENT_COST = 9  # bytes beside those of an argument: its NUL and its pointer
HIDDEN = "•••"  # what is shown of a secret
USER_LENGTH = 128  # characters
_USER = r"(?!-)[^\s:/\0-\x1f\x7f-\x9f\ud800-\udfff]{1,128}"
DELIVERY_TIMEOUT = timedelta(hours=1)  # the default
DELIVERY_TIMEOUT_RANGE = (timedelta(seconds=1), timedelta(days=30))


class Offline(StrEnum):
    """What a task does with a command whose host is offline when the command's turn comes."""

    FAIL = "fail"  # undeliverable at once
    WAIT = "wait"  # waits for the host, up to the task's delivery timeout


class OnFailure(StrEnum):
    """What follows a step that failed or timed out on a host."""

    STOP = "stop"  # only the steps that are `always`
    CONTINUE = "continue"  # the next step; the host counts as failed all the same


class StepKind(StrEnum):
    """What a step does."""

    RUN = "run"
    SCRIPT = "script"
    COPY = "copy"
    FETCH = "fetch"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One step of a task as the operator gives it.

    Attributes:
        text: shell text, an argument of `/bin/sh -c --`; empty with a script, files, an update.
        timeout: from the exec of the shell until it is killed, 1 s to 7 d.
        parameters: reach the command as environment variables, and are shown with the task.
        environment: further variables for the command.
        cwd: the folder to run in; empty for the user's home folder.
        run_as_user: a user of the host; empty for the agent's own.
        limits: of its processes together, on each host.
        secrets: further variables whose values are shown nowhere; of a stored command they are
            empty.
        name: of the step; may be empty.
        script: run by the program that its first line names; None: `text` is run.
        arguments: of the script, literal.
        stdin: what it reads there; None: /dev/null.
        always: it runs also after a failure of an earlier step on the same host.
        barrier: no host begins it before all of its batch have ended the step before.
        copy, fetch, update: what it does instead of running something; at most one of them.
    """

    text: str
    timeout: timedelta = TIMEOUT_DEFAULT
    parameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    run_as_user: str = ""
    limits: ResourceLimits = NO_LIMITS
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    name: str = ""
    script: Content | None = None
    arguments: tuple[str, ...] = ()
    stdin: Content | None = None
    on_failure: OnFailure = OnFailure.STOP
    always: bool = False
    barrier: bool = False
    copy: CopySpec | None = None
    fetch: FetchSpec | None = None
    update: UpdateSpec | None = None

    @property
    def kind(self) -> StepKind:
        """What it does."""
        for kind in (StepKind.COPY, StepKind.FETCH, StepKind.UPDATE):
            if getattr(self, kind) is not None:
                return kind
        return StepKind.RUN if self.script is None else StepKind.SCRIPT

    @property
    def transfer(self) -> CopySpec | FetchSpec | UpdateSpec | None:
        """What it copies, fetches or installs; None: it runs something."""
        return self.copy or self.fetch or self.update

    @property
    def stored_files(self) -> FileSet | None:
        """The set that the manager must have stored before the task is created; None: none."""
        giver = self.copy or self.update
        return None if giver is None else giver.files

    @property
    def title(self) -> str:
        """A line that says what it is: its name, else the first line of its text."""
        if self.name.strip():
            return self.name.strip()
        if self.transfer is not None:
            return self.transfer.title.splitlines()[0][:NAME_LENGTH]
        if self.script is not None:
            return f"script {self.script.sha256[:12]}"
        return self.text.strip().splitlines()[0][:NAME_LENGTH]

    @property
    def contents(self) -> Mapping[str, Content]:
        """The bytes that it brings along, by the names of their fields."""
        given = (("script", self.script), ("stdin", self.stdin))
        return {name: content for name, content in given if content is not None}

    def with_contents(self, contents: Mapping[str, Content]) -> "CommandSpec":
        """The same step with other contents, by the names of their fields."""
        return replace(
            self,
            script=contents.get("script", self.script),
            stdin=contents.get("stdin", self.stdin),
        )

    @property
    def option_texts(self) -> tuple[str, ...]:
        """How it runs, without its variables, its stdin and its timeout: `as deploy`, `memory 512
        MiB`."""
        user = (f"as {self.run_as_user}",) if self.run_as_user else ()
        folder = (f"in {self.cwd}",) if self.cwd else ()
        return (*user, *self.limits.words, *folder)

    def check(self, *, stored: bool = False) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds.

        Args:
            stored: contents without bytes are stored, with a task that is run again.
        """
        if len(self.name) > NAME_LENGTH:
            raise InvalidInputError(
                "name", f"The name of a step has at most {NAME_LENGTH} characters."
            )
        check_text("name", self.name)
        self._check_command(stored=stored)
        low, high = TIMEOUT_RANGE
        if not low <= self.timeout <= high:
            seconds = self.timeout.total_seconds()
            raise InvalidInputError(
                "timeout", f"A timeout must be from 1 s to 7 d (604800 s); {seconds:g} s is not."
            )
        if self.stdin is not None:
            self.stdin.check("stdin", stored=stored)
        _check_user(self.run_as_user)
        self.limits.check()
        self._check_whole_length()
        self._check_secrets()

    def _check_command(self, *, stored: bool) -> None:
        """The text, the script and its arguments, or the files."""
        if self.transfer is not None:
            self._check_transfer()
        elif self.script is None:
            if not self.text.strip():
                raise InvalidInputError("command", "The command is empty.")
            if self.arguments:
                raise InvalidInputError("arguments", "Only a script has arguments.")
        else:
            if self.text:
                raise InvalidInputError("script", "A step has a command or a script, not both.")
            check_script(self.script, stored=stored)
        for kind, text in (("command", self.text), ("cwd", self.cwd)):
            check_text(kind, text)
        if len(self.text.encode()) > COMMAND_LENGTH:
            raise InvalidInputError(
                "command",
                f"The command is longer than {COMMAND_LENGTH} bytes; put it into a script.",
            )
        for argument in self.arguments:
            check_text("arguments", argument)
            if len(argument.encode()) > COMMAND_LENGTH:
                raise InvalidInputError(
                    "arguments", f"An argument is longer than {COMMAND_LENGTH} bytes."
                )

    def _check_transfer(self) -> None:
        if sum(each is not None for each in (self.copy, self.fetch, self.update)) > 1:
            raise InvalidInputError("copy", "A step has a copy, a fetch or an update, not two.")
        of_commands = {
            "command": self.text,
            "script": self.script,
            "arguments": self.arguments,
            "stdin": self.stdin,
            "user": self.run_as_user,
            "cwd": self.cwd,
            "env": self.environment,
            "param": self.parameters,
            "secret": self.secrets,
            "memory_max": self.limits.memory_max,
            "tasks_max": self.limits.tasks_max,
            "cpu_max": self.limits.cpu_max,
        }
        for name, value in of_commands.items():
            if value:
                article = "An" if self.update else "A"
                raise InvalidInputError(
                    name, f"{article} {self.kind} runs no command: leave out {name}."
                )
        assert self.transfer is not None
        self.transfer.check()

    def _check_whole_length(self) -> None:
        """Checks each variable too."""
        size = len(self.text.encode()) + len(self.cwd.encode())
        size += sum(len(argument.encode()) + _ARGUMENT_COST for argument in self.arguments)
        if size > WHOLE_LENGTH:
            raise InvalidInputError(
                "arguments",
                f"The arguments together are longer than {WHOLE_LENGTH} bytes, counting "
                f"{_ARGUMENT_COST} more for each; give what is large on stdin.",
            )
        for kind, values in (
            ("param", self.parameters),
            ("env", self.environment),
            ("secret", self.secrets),
        ):
            for name, value in values.items():
                check_variable(kind, name, value)
                size += len(name.encode()) + len(value.encode()) + 2
            if size > WHOLE_LENGTH:
                raise InvalidInputError(
                    kind,
                    f"The command with its parameters and environment is longer than "
                    f"{WHOLE_LENGTH} bytes; put what is large into a file.",
                )

    def _check_secrets(self) -> None:
        for name, value in self.secrets.items():
            if not value:
                raise InvalidInputError("secret", f"The secret {name} is empty.")
            if name in self.parameters or name in self.environment:
                raise InvalidInputError(
                    "secret",
                    f"{name} is given twice: as a secret and as a variable for all to see.",
                )


def _check_user(name: str) -> None:
    """Raises InvalidInputError unless a host may have a user of this name; empty is allowed."""
    if name and not re.fullmatch(_USER, name):
        raise InvalidInputError(
            "user",
            f"{name[:NAME_LENGTH]!r} is not a user's name: up to {USER_LENGTH} characters without "
            "spaces, ':' and '/', none of them '-' at the beginning.",
        )


OFFLINE_DEFAULT = Offline.FAIL


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task as the operator gives it.

    Attributes:
        target: the TARGET notation; resolved, and frozen, when the task starts.
        name: the name of the task; empty: the name or the first line of the first command.
        created_by: the actor, `user@terminal`, as the client states it.
        offline: what happens to a command whose host is offline when its turn comes.
        delivery_timeout: with WAIT, from a command's turn on a host until the host must have
            started it, 1 s to 30 d.
        rollout: how it goes through its hosts.
        include_maintenance: hosts in maintenance are not left out.
        template: from which it was made; None: from none.
        parameters: what its task file says of them; without defaults, as the steps have values.
    """

    target: str
    commands: tuple[CommandSpec, ...]
    name: str = ""
    description: str = ""
    created_by: str = ""
    offline: Offline = OFFLINE_DEFAULT
    delivery_timeout: timedelta = DELIVERY_TIMEOUT
    rollout: RolloutSpec = ALL_AT_ONCE
    include_maintenance: bool = False
    template: TemplateVersion | None = None
    parameters: tuple[Parameter, ...] = ()

    def check(self, *, stored: bool = False) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds.

        Args:
            stored: contents without bytes are stored, with a task that is run again.
        """
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
        if self.template is not None:
            self.template.check()
        self.rollout.check()
        self._check_parameters()
        self._check_commands(stored=stored)

    def _check_parameters(self) -> None:
        if len(self.parameters) > PARAMETERS_MAX:
            raise InvalidInputError("param", f"A task has at most {PARAMETERS_MAX} parameters.")
        if len({one.name for one in self.parameters}) < len(self.parameters):
            raise InvalidInputError("param", "A parameter is described twice.")
        for one in self.parameters:
            one.check()

    def _check_commands(self, *, stored: bool) -> None:
        if self.rollout.strict and has_barrier(self.commands):
            raise InvalidInputError(
                "strict",
                "A strict budget lets few hosts be under way, and a barrier waits for all hosts of "
                "a batch: both cannot be kept. Leave out one of the two.",
            )
        if len(self.commands) > 1 and any(command.update for command in self.commands):
            raise InvalidInputError("update", "An update of agents is the only step of its task.")
        for command in self.commands:
            command.check(stored=stored)
        size = sum(
            content.size for command in self.commands for content in command.contents.values()
        )
        if size > CONTENTS_LENGTH:
            raise InvalidInputError(
                "script",
                f"The scripts and the stdin of all steps together have {size} bytes; at most "
                f"{CONTENTS_LENGTH} are allowed.",
            )

    @property
    def shown_name(self) -> str:
        """The name; if it is empty, the title of the first command."""
        return self.name.strip() or self.commands[0].title


def has_barrier(commands: Sequence[CommandSpec]) -> bool:
    """Whether hosts wait for each other between two steps. Before the first step nobody does."""
    return any(command.barrier for command in commands[1:])


def check_delivery_timeout(timeout: timedelta) -> None:
    """Raises InvalidInputError if it is out of bounds."""
    low, high = DELIVERY_TIMEOUT_RANGE
    if not low <= timeout <= high:
        seconds = timeout.total_seconds()
        raise InvalidInputError(
            "delivery_timeout",
            f"A delivery timeout must be from 1 s to 30 d (2592000 s); {seconds:g} s is not.",
        )
