"""Makes a template from a task. The task has the descriptions of its parameters. Tasks of older
versions have none: for these they are read from the template that the task was made from."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.task_file import read_task_file, task_file_of
from tui_manager.domain.task_files.write_task_file import write_task_file
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec


def task_as_template(spec: TaskSpec, origin: str) -> str:
    """The text of a task file that makes the same task, and shows and checks its parameters in the
    same way.

    Args:
        origin: the text of the template that the task was made from; empty: there is none.

    Raises:
        InvalidInputError: a task file cannot say what is in the task.
    """
    if origin and not spec.parameters:
        with suppress(InvalidInputError):  # it was written for other rules
            template = read_task_file(origin, "template")
            if _work(spec) == _work(template.spec):
                spec = replace(spec, parameters=template.parameters)
    return write_task_file(task_file_of(spec))


def _work(spec: TaskSpec) -> Sequence[CommandSpec]:
    """What the steps run, without how."""
    return [
        CommandSpec(
            one.text,
            script=one.script,
            arguments=one.arguments,
            stdin=one.stdin,
            copy=one.copy,
            fetch=one.fetch,
        )
        for one in spec.commands
    ]
