"""The fields of the form of a schedule, and their errors. Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import format_duration, parse_duration
from tui_manager_protos.rules.names_and_labels import is_name

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.schedules.schedule import (
    MISFIRE_DEFAULT,
    Overlap,
    ScheduleSpec,
    TemplateUse,
)
from tui_manager.domain.task_files.task_file import TaskFile, check_names, missing, read_task_file
from tui_manager.domain.task_files.template import TemplateVersion, split_version
from tui_manager.domain.task_files.write_task_file import write_task_file
from tui_manager.domain.task_spec.task_spec import CommandSpec, StepKind, TaskSpec
from tui_manager.ui.forms.text_area_limits import can_hold_command

_SHOWN = 40  # characters of a wrong value in an error


@dataclass(frozen=True, slots=True)
class ScheduleFields:
    """The texts as they are typed.

    Attributes:
        template: `restart` or `restart@3`.
        values: of its parameters, `LEVEL=high HOST='a b'`.
        target: with a template instead of its own.
        task_file: the own task of a schedule that is edited; empty: it has none yet.
        include_maintenance: its own task runs on hosts in maintenance too.
    """

    name: str = ""
    template: str = ""
    values: str = ""
    command: str = ""
    target: str = ""
    cron: str = ""
    zone: str = ""
    overlap: str = ""
    misfire: str = ""
    task_file: str = ""
    include_maintenance: bool = False

    def spec(self) -> ScheduleSpec:
        """The schedule that is asked for. Raises InvalidInputError with the field."""
        name = self.name.strip()
        if not is_name(name):
            raise InvalidInputError(
                "name", "A name has 1 to 64 letters, digits, '.', '_' and '-', like nightly."
            )
        for field, text, example in (
            ("cron", self.cron, "0 2 * * *"),
            ("zone", self.zone, "Europe/Berlin or UTC"),
        ):
            if not text.strip():
                raise InvalidInputError(field, f"The {field} is missing, like {example}.")
        use = self.template_use()
        if use is None and not self.command.strip() and not self.has_steps:
            raise InvalidInputError("template", "Give a template, or a command.")
        if use is not None and self.command.strip():
            raise InvalidInputError("command", "Give either a template or a command.")
        return ScheduleSpec(
            name,
            " ".join(self.cron.split()),
            self.zone.strip(),
            parse_overlap(self.overlap),
            _parse_misfire(self.misfire),
            use,
            "" if use else self._own_task(name),
        )

    def template_use(self) -> TemplateUse | None:
        """The template with its values; None without one. Raises InvalidInputError("template") or
        ("param")."""
        if not self.template.strip():
            return None
        try:
            name, version = split_version(self.template.strip())
        except InvalidInputError as error:
            raise InvalidInputError("template", str(error)) from error
        return TemplateUse(name, version, parse_values(self.values), self.target.strip())

    @property
    def has_steps(self) -> bool:
        """Whether its own task is more than a command, which a form could show."""
        own = self._read_own()
        return own is not None and _command_of(own.spec) is None

    def _read_own(self) -> TaskFile | None:
        try:
            return read_task_file(self.task_file, self.name) if self.task_file else None
        except InvalidInputError:  # of another version of the manager
            return None

    def _own_task(self, name: str) -> str:
        """A task file of the command and the target. What else a task file had, it keeps."""
        target, command = self.target.strip(), self.command.strip("\n")
        if not target:
            raise InvalidInputError("target", "The target is missing; name hosts, or @all.")
        own = self._read_own()
        if own is None:
            spec = TaskSpec(target, (CommandSpec(command),), name,
                            include_maintenance=self.include_maintenance)  # fmt: skip
            spec.check()
            return write_task_file(TaskFile(spec))
        steps = own.spec.commands
        if (before := _command_of(own.spec)) is not None:
            steps = (replace(steps[0], text=command),)
        include = self.include_maintenance
        known = (own.spec.target, before or "", own.spec.include_maintenance)
        if (target, command, include) == known:
            return self.task_file
        spec = replace(own.spec, target=target, commands=steps, include_maintenance=include)
        spec.check()
        return write_task_file(replace(own, spec=spec))

    def problems(self) -> Mapping[str, str]:
        """The errors by field, without those that the manager finds. An empty field has none."""
        found: dict[str, str] = {}
        example = ScheduleFields("nightly", command="true", target="@all", cron="* * * * *",
                                 zone="UTC")  # fmt: skip
        with_template = replace(example, command="", template="a")
        for field, fields in (
            ("name", replace(example, name=self.name or example.name)),
            ("template", replace(with_template, template=self.template or "a")),
            ("param", replace(with_template, values=self.values)),
            ("overlap", replace(example, overlap=self.overlap)),
            ("misfire", replace(example, misfire=self.misfire)),
        ):
            try:
                fields.spec()
            except InvalidInputError as error:
                found[field] = str(error)
        if self.template.strip() and self.command.strip():
            found["command"] = "Give either a template or a command."
        return found


def fields_of(spec: ScheduleSpec) -> ScheduleFields:
    """The texts of a schedule that is edited."""
    fields = ScheduleFields(
        name=spec.name,
        cron=spec.cron,
        zone=spec.zone,
        overlap=spec.overlap,
        misfire=format_duration(spec.misfire),
        task_file=spec.task_file,
    )
    if (use := spec.template) is not None:
        template = str(TemplateVersion(use.name, use.version)) if use.version else use.name
        values = " ".join(f"{key}={shlex.quote(value)}" for key, value in use.parameters.items())
        return replace(fields, template=template, values=values, target=use.target)
    own = fields._read_own()
    if own is None:
        return fields
    return replace(
        fields,
        target=own.spec.target,
        command=_command_of(own.spec) or "",
        include_maintenance=own.spec.include_maintenance,
    )


def value_problem(task_file: TaskFile, values: Mapping[str, str]) -> str:
    """What is wrong with values for the parameters of a template; empty if nothing is."""
    try:
        check_names(task_file, values, ())
        for one in task_file.parameters:
            if one.name in values:
                one.check_value(values[one.name])
    except InvalidInputError as error:
        return str(error)
    if task_file.secrets:
        name = task_file.secrets[0].name
        return f"It cannot be scheduled: nobody is there to type the secret {name} when it is due."
    lacking = missing(task_file, values, {})
    names = ", ".join(f"{one.name} ({one.form})" for one in lacking)
    return f"These need a value: {names}." if names else ""


def parse_values(text: str) -> dict[str, str]:
    """`LEVEL=high HOST='a b'`. Raises InvalidInputError("param") when it is something else."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidInputError("param", f"A quote is not closed: {error}.") from error
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InvalidInputError("param", f"{word[:_SHOWN]!r} is not a value: write NAME=value.")
        if name in found:
            raise InvalidInputError("param", f"{name[:_SHOWN]} is given twice.")
        found[name] = value
    return found


def parse_overlap(text: str) -> Overlap:
    """`skip` or `wait`; empty for skip. Raises InvalidInputError("overlap")."""
    word = text.strip() or Overlap.SKIP
    if word not in tuple(Overlap):
        raise InvalidInputError("overlap", "While the task before runs: skip, or wait.")
    return Overlap(word)


def _parse_misfire(text: str) -> timedelta:
    if not text.strip():
        return MISFIRE_DEFAULT
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInputError("misfire", "A time is like 90s, 5m, 1h30m or 2d.") from error


def _command_of(spec: TaskSpec) -> str | None:
    """The text of its only step; None if it has several, a script, or a text that the field cannot
    keep."""
    step = spec.commands[0]
    is_text = len(spec.commands) == 1 and step.kind is StepKind.RUN and can_hold_command(step.text)
    return step.text if is_text else None
