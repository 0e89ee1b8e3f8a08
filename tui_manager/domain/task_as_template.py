"""A task as a template. If it was made from one, it keeps what that says of its parameters."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_file import TaskFile, read_task_file, task_file_of
from tui_manager.domain.task_parameters import Parameter
from tui_manager.domain.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.write_task_file import write_task_file


def task_as_template(spec: TaskSpec, origin: str) -> str:
    """The text of a task file that makes the same task, and shows and checks its parameters as its
    template does.

    Args:
        origin: the text of the template that the task was made from; empty: there is none.

    Raises:
        InvalidInputError: a task file cannot say what is in the task.
    """
    made = task_file_of(spec)
    if origin:
        with suppress(InvalidInputError):  # of other rules, or a value is not allowed
            made = _with_parameters_of(made, read_task_file(origin, "template"))
    return write_task_file(made)


def _with_parameters_of(made: TaskFile, template: TaskFile) -> TaskFile:
    """The task file with the parameters of the template, whose defaults are the values of the task.
    The same task file if the two do not fit.

    Raises:
        InvalidInputError: a value of the task is not allowed.
    """
    known = {one.name: one.secret for one in template.parameters}
    variables = {name for step in made.spec.commands for name in step.environment}
    fits = all(known.get(one.name) == one.secret for one in made.parameters)
    if not fits or variables & known.keys() or _work(made.spec) != _work(template.spec):
        return made
    values = {one.name: one.default for one in made.parameters}
    return replace(
        made, parameters=tuple(_with_default(one, values) for one in template.parameters)
    )


def _with_default(parameter: Parameter, values: dict[str, str | None]) -> Parameter:
    parameter = replace(parameter, default=values.get(parameter.name))
    parameter.check()
    return parameter


def _work(spec: TaskSpec) -> Sequence[CommandSpec]:
    """What the steps run, without how."""
    return [
        CommandSpec(one.text, script=one.script, arguments=one.arguments, stdin=one.stdin)
        for one in spec.commands
    ]
