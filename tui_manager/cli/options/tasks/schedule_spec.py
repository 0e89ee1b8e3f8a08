"""The schedule that the options of `schedule add` and `schedule edit` describe."""

import argparse
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.read_files import load_task_file
from tui_manager.cli.options.script_and_stdin import given_content_options
from tui_manager.cli.options.tasks.run import task_spec, with_given_options
from tui_manager.cli.options.tasks.schedule import given_task_options
from tui_manager.cli.options.values import parse_pairs, read_duration
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.schedules.schedule import ScheduleSpec, TemplateUse
from tui_manager.domain.task_files.task_file import (
    TaskFile,
    check_names,
    read_task_file,
    task_file_of,
)
from tui_manager.domain.task_files.template import split_version
from tui_manager.domain.task_files.write_task_file import write_task_file

if TYPE_CHECKING:  # it is only needed for copies
    from tui_manager.operator.local_files.sources_of_task import TaskSources

_WAYS = "--template NAME, --file TASK.toml, or TARGET and a command after `--`"


def new_schedule(options: argparse.Namespace, copied: "TaskSources") -> ScheduleSpec:
    """The schedule that `schedule add` makes. Raises InvalidInputError.

    Args:
        copied: reads the files that its task copies.
    """
    if not _ways(options):
        raise InvalidInputError(
            "template", f"The schedule needs a task: {_WAYS}.\nSee `{PROGRAM} schedule add --help`."
        )
    spec = ScheduleSpec(options.schedule, options.cron, options.zone)
    return _with_task(_with_times(spec, options), options, copied)


def edited_schedule(
    before: ScheduleSpec, options: argparse.Namespace, copied: "TaskSources"
) -> ScheduleSpec:
    """The schedule that `schedule edit` makes of one; otherwise as `new_schedule`."""
    after = _with_times(before, options)
    if _ways(options):
        _refuse_target_alone(options)
        return _with_task(after, options, copied)
    if _changes_task(options):
        return _with_same_task(after, options)
    times = (options.cron, options.zone, options.overlap, options.misfire)
    if all(value is None for value in times):
        raise InvalidInputError(
            "arguments",
            "There is nothing to change; give an option, such as --cron.\n"
            f"See `{PROGRAM} schedule edit --help`.",
        )
    return after


def lost_values(before: ScheduleSpec, after: ScheduleSpec) -> str:
    """A sentence about what an edit has dropped, because it was for another template; or empty."""
    use, other = before.template, after.template
    if use is None or (other is not None and other.name == use.name):
        return ""
    lost = [f"--param {name}" for name in use.parameters]
    lost += [f"--target {use.target}"] if use.target and other is None else []
    if not lost:
        return ""
    return f"{before.name} has lost what was for the template {use.name}: {', '.join(lost)}"


def _refuse_target_alone(options: argparse.Namespace) -> None:
    """TARGET replaces the whole task, so that it needs a command."""
    command = options.command_words or given_content_options(options)
    if options.target is None or command or _is_saved(options):
        return
    raise InvalidInputError(
        "target",
        f"{options.target} without a command after `--` changes nothing. To change the target "
        f"alone, give it as an option: --target {shlex.quote(options.target)}",
    )


def _is_saved(options: argparse.Namespace) -> bool:
    """Whether the task is a template or a file."""
    return options.of_template is not None or options.task_file is not None


def _ways(options: argparse.Namespace) -> int:
    """In how many ways the options give the task."""
    command = options.target is not None or options.command_words or given_content_options(options)
    return sum((options.of_template is not None, options.task_file is not None, bool(command)))


def _changes_task(options: argparse.Namespace) -> bool:
    """Whether an option changes the task in part."""
    given = options.param or options.other_target is not None
    return bool(given or given_task_options(options))


def _with_times(spec: ScheduleSpec, options: argparse.Namespace) -> ScheduleSpec:
    if options.cron is not None:
        spec = replace(spec, cron=options.cron)
    if options.zone is not None:
        spec = replace(spec, zone=options.zone)
    if options.overlap is not None:
        spec = replace(spec, overlap=options.overlap)
    if options.misfire is not None:
        spec = replace(spec, misfire=read_duration("misfire", options.misfire))
    return spec


def _with_task(
    spec: ScheduleSpec, options: argparse.Namespace, copied: "TaskSources"
) -> ScheduleSpec:
    """The same schedule with the task that the options give."""
    if _ways(options) > 1:
        raise InvalidInputError("template", f"Give the task in one way only: {_WAYS}.")
    _refuse_secrets(options)
    if options.of_template is not None:
        name, version = split_version(options.of_template)
        use = spec.template or TemplateUse(name)
        # Another template runs on the same hosts, and has parameters of its own.
        values = use.parameters if use.name == name else {}
        return _with_template(spec, TemplateUse(name, version, values, use.target), options)
    if options.task_file is None:
        return replace(spec, template=None, task_file=_text_of_command(options))
    loaded = load_task_file(options.task_file, copied)
    text = _changed(loaded.task_file, options) if _changes_task(options) else loaded.text
    return replace(spec, template=None, task_file=text)


def _with_same_task(spec: ScheduleSpec, options: argparse.Namespace) -> ScheduleSpec:
    """The same schedule, of whose task the options change a part."""
    _refuse_secrets(options)
    if spec.template is not None:
        return _with_template(spec, spec.template, options)
    task_file = read_task_file(spec.task_file, spec.name)
    return replace(spec, task_file=_changed(task_file, options))


def _with_template(
    spec: ScheduleSpec, use: TemplateUse, options: argparse.Namespace
) -> ScheduleSpec:
    """The same schedule with this template, to which the options add parameters and a target."""
    if others := given_task_options(options):
        raise InvalidInputError(
            others[0], f"--{others[0]} is not for a template, which says it itself."
        )
    parameters = {**use.parameters, **parse_pairs("param", options.param)}
    target = use.target if options.other_target is None else options.other_target
    return replace(spec, template=replace(use, parameters=parameters, target=target), task_file="")


def _changed(task_file: TaskFile, options: argparse.Namespace) -> str:
    """The text of the task file with what the options give. Values of parameters become their
    defaults."""
    values = parse_pairs("param", options.param)
    check_names(task_file, values, ())
    parameters = tuple(
        replace(one, default=one.check_value(values[one.name])) if one.name in values else one
        for one in task_file.parameters
    )
    task = with_given_options(task_file.spec, options)
    if options.other_target is not None:
        task = replace(task, target=options.other_target)
    return write_task_file(TaskFile(task, parameters))


def _text_of_command(options: argparse.Namespace) -> str:
    """The task file of TARGET, a command and its options."""
    if options.target is None:
        raise InvalidInputError("target", f"TARGET is missing: {_form(options)}")
    if not options.command_words and options.script is None:
        raise InvalidInputError(
            "command", f"There is no command; put it after `--`: {_form(options)}"
        )
    if options.other_target is not None:
        raise InvalidInputError("target", "Give TARGET or --target, not both.")
    spec = task_spec(options)
    spec.check()
    return write_task_file(task_file_of(spec))


def _form(options: argparse.Namespace) -> str:
    return f"schedule {options.schedule_action} NAME TARGET [options] -- COMMAND"


def _refuse_secrets(options: argparse.Namespace) -> None:
    if options.secret:
        raise InvalidInputError(
            "secret",
            "A schedule has no secrets, because nobody is there to type them when it is due; "
            "let the command read them from a file of its host.",
        )
