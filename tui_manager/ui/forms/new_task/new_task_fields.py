"""The fields of the form for a new task, their errors, and the task that they ask for. Pure."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import parse_duration

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.presentation.run_command_line import command_line
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.script_and_stdin import Content, content_of
from tui_manager.domain.task_spec.step_and_task_options import LIMIT_OPTIONS
from tui_manager.domain.task_spec.task_spec import (
    DELIVERY_TIMEOUT,
    NAME_LENGTH,
    TIMEOUT_DEFAULT,
    CommandSpec,
    Offline,
    TaskSpec,
    check_delivery_timeout,
)
from tui_manager.domain.task_spec.text_and_variables import check_variable
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.ui.forms.files.copy_and_fetch_fields import NO_FILES, CopyAndFetchTexts, TaskKind
from tui_manager.ui.forms.new_task.rollout_fields import ALL_AT_ONCE, RolloutTexts
from tui_manager.ui.forms.schedules.schedule_fields import parse_values

_SPELLED_OUT = 20  # names that a target names one by one
_EXAMPLE_SCRIPT = content_of(b"#!/bin/sh\n")
SECRETS_MAX = 8  # that the form has a field for
# The fields of a form by those that an error of the task names.
_FORM_FIELDS = {
    "delivery_timeout": "within",
    "memory-max": "memory_max",
    "tasks-max": "tasks_max",
    "cpu-max": "cpu_max",
}
_OF_EVERY_KIND = ("name", "timeout", "within", "description")
_OF_COMMANDS = (
    "command",
    "user",
    "cwd",
    "param",
    "env",
    "secret",
    "stdin",
    "script",
    "arguments",
    "memory_max",
    "tasks_max",
    "cpu_max",
)


@dataclass(frozen=True, slots=True)
class FormFields:
    """The texts as they are typed.

    Attributes:
        waits: for hosts that are offline, `within` a time.
        include_maintenance: it runs on hosts in maintenance too.
        param, env: `LEVEL=high HOST='a b'`.
        secret: the names of secrets, with spaces between them.
        secret_values: by these names; not typed yet: empty.
        stdin, script: paths of files on this machine.
        arguments: of the script, quoted as in a shell.
        contents: what these files hold, by `stdin` and `script`.
        kind: the fields of another one mean nothing.
        transfer: the texts of a copy and of a fetch.
    """

    target: str = ""
    command: str = ""
    name: str = ""
    timeout: str = ""
    waits: bool = False
    within: str = ""
    include_maintenance: bool = False
    user: str = ""
    cwd: str = ""
    param: str = ""
    env: str = ""
    secret: str = ""
    secret_values: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: str = ""
    script: str = ""
    arguments: str = ""
    contents: Mapping[str, Content] = field(default_factory=dict)
    memory_max: str = ""
    tasks_max: str = ""
    cpu_max: str = ""
    description: str = ""
    rollout: RolloutTexts = ALL_AT_ONCE
    kind: TaskKind = TaskKind.COMMAND
    transfer: CopyAndFetchTexts = NO_FILES

    def spec(self) -> TaskSpec:
        """The task that is asked for. Raises InvalidInputError with the field."""
        try:
            offline, within = self._offline()
            spec = TaskSpec(
                self.target.strip(),
                (self._step(),),
                self.name.strip(),
                self.description.strip(),
                offline=offline,
                delivery_timeout=within,
                rollout=self.rollout.spec(),
                include_maintenance=self.include_maintenance,
            )
            spec.check()
        except InvalidInputError as error:
            name = _FORM_FIELDS.get(error.field, error.field)
            raise InvalidInputError(name, str(error)) from error
        return spec

    def _step(self) -> CommandSpec:
        if self.kind is not TaskKind.COMMAND:
            copies = self.kind is TaskKind.COPY
            return CommandSpec(
                "",
                parse_timeout(self.timeout),
                copy=self.transfer.copy() if copies else None,
                fetch=None if copies else self.transfer.fetch(),
            )
        script = self._content("script")
        names = parse_secret_names(self.secret)
        return CommandSpec(
            self.command.strip("\n"),
            parse_timeout(self.timeout),
            parameters=_variables("param", self.param),
            environment=_variables("env", self.env),
            cwd=self.cwd.strip(),
            run_as_user=self.user.strip(),
            limits=self._limits(),
            secrets={name: self.secret_values.get(name, "") for name in names},
            name=Path(self.script.strip()).name[:NAME_LENGTH] if script else "",
            script=script,
            arguments=_words(self.arguments) if script or self.arguments.strip() else (),
            stdin=self._content("stdin"),
        )

    def _content(self, name: str) -> Content | None:
        """What a file holds; None if none is named."""
        if not getattr(self, name).strip():
            return None
        if name not in self.contents:
            raise InvalidInputError(name, "The file is not read yet.")
        return self.contents[name]

    def _limits(self) -> ResourceLimits:
        values = {}
        for name, option in LIMIT_OPTIONS.items():
            if (text := getattr(self, name).strip()) and option.read is not None:
                try:
                    values[option.field] = option.read(text)
                except ValueError as error:
                    raise InvalidInputError(name, f"{text[:40]}: {error}.") from error
        return ResourceLimits(**values)

    def _offline(self) -> tuple[Offline, timedelta]:
        if not self.waits:
            return Offline.FAIL, DELIVERY_TIMEOUT
        try:
            within = parse_timeout(self.within) if self.within.strip() else DELIVERY_TIMEOUT
            check_delivery_timeout(within)
        except InvalidInputError as error:
            raise InvalidInputError("within", "Waiting takes from 1 s to 30 d, like 6h.") from error
        return Offline.WAIT, within

    def problems(self) -> Mapping[str, str]:
        """The errors by field, without those of the rollout. An empty field has none yet."""
        found = dict(self.transfer.problems(self.kind))
        of_commands = _OF_COMMANDS if self.kind is TaskKind.COMMAND else ()
        for name in (*of_commands, *_OF_EVERY_KIND):
            if getattr(self, name).strip():
                _add_problem(found, replace(_EXAMPLE, **self._alone(name)).spec)
        if not found:  # what is wrong only with several fields together
            _add_problem(found, self.complete().spec)
        return found

    def _alone(self, name: str) -> dict[str, Any]:
        """A field with what it cannot be without."""
        changed: dict[str, Any] = {name: getattr(self, name)}
        if name == "within":
            changed["waits"] = True
        elif name == "secret":
            changed["secret_values"] = _any_values(self.secret)
        elif name in ("script", "stdin"):
            changed["contents"] = {name: self.contents.get(name, _EXAMPLE_SCRIPT)}
        elif name == "arguments":
            changed |= {"script": "example", "contents": {"script": _EXAMPLE_SCRIPT}}
        if name in ("script", "arguments"):
            changed["command"] = ""
        return changed

    def with_any_contents(self) -> "FormFields":
        """The same with a value for each secret and any files to copy, where only the names
        matter."""
        transfer = self.transfer.with_any_files()
        return replace(self, secret_values=_any_values(self.secret), transfer=transfer)

    def complete(self) -> "FormFields":
        """The same with words in place of what is not typed yet."""
        files = dict.fromkeys(("script", "stdin"), _EXAMPLE_SCRIPT)
        command = self.command if self.command.strip() or self.script.strip() else "COMMAND"
        return replace(
            self,
            target=self.target.strip() or "TARGET",
            command=command,
            contents=files | dict(self.contents),
            secret_values=_any_values(self.secret),
            rollout=self.rollout if self.rollout.is_valid else ALL_AT_ONCE,
            transfer=self.transfer.complete(),
        )

    def command_line(self, state_dir: str = "") -> str:
        """The equal command line; empty if a field is wrong, or if none is equal, since the files
        are with the manager and perhaps nowhere else."""
        if self.kind is TaskKind.COPY and self.transfer.uses_stored:
            return ""
        files = {
            name: str(Path(getattr(self, name).strip()).expanduser().absolute())
            for name in ("script", "stdin")
        }
        try:
            self.rollout.spec()
            return command_line(
                self.complete().spec(),
                files,
                state_dir=state_dir,
                sources=self.transfer.local_paths,
                recursive=self.transfer.recursive,
            )
        except (InvalidInputError, RuntimeError):  # no home folder of that user
            return ""


_EXAMPLE = FormFields("@all", "true")


def _any_values(names: str) -> Mapping[str, str]:
    """A value for every secret, where only the names matter."""
    return dict.fromkeys(split_names(names), "x")


def _add_problem(found: dict[str, str], make: Callable[[], object]) -> None:
    try:
        make()
    except InvalidInputError as error:
        found.setdefault(error.field, str(error))


def parse_timeout(text: str) -> timedelta:
    """The duration that is typed; empty for the default of one hour.

    Raises InvalidInputError("timeout") when it is something else.
    """
    if not text.strip():
        return TIMEOUT_DEFAULT
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInputError("timeout", "A timeout is like 90s, 5m, 1h30m or 2d.") from error


def parse_secret_names(text: str) -> tuple[str, ...]:
    """`TOKEN PASSWORD`. Raises InvalidInputError("secret") for what is no name of a variable."""
    names = split_names(text)
    for name in names:
        if "=" in name:
            raise InvalidInputError(
                "secret", "Type only the name here; its value is typed below, and shown nowhere."
            )
        check_variable("secret", name, "")
    if len(set(names)) < len(names):
        raise InvalidInputError("secret", "A name is given twice.")
    if len(names) > SECRETS_MAX:
        raise InvalidInputError("secret", f"The form takes at most {SECRETS_MAX} secrets.")
    return names


def split_names(text: str) -> tuple[str, ...]:
    """The words of a list with spaces or commas between them."""
    return tuple(text.replace(",", " ").split())


def _variables(kind: str, text: str) -> dict[str, str]:
    try:
        return parse_values(text)
    except InvalidInputError as error:
        raise InvalidInputError(kind, str(error)) from error


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidInputError("arguments", f"A quote is not closed: {error}.") from error


def marked_target(names: Iterable[str]) -> str:
    """A target that names hosts: one by one, or many of them folded, `web[01-40]`."""
    ordered = sorted(names)
    return ",".join(ordered) if len(ordered) <= _SPELLED_OUT else fold_names(ordered)
