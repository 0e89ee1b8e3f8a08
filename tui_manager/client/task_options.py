"""The options of `Manager.run`: what each may be, and how a task is made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal, TypedDict

from tui_manager_protos.rules.duration import parse_duration

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.script_and_stdin import Content, content_of
from tui_manager.domain.task_spec.step_and_task_options import (
    ALL_OPTIONS,
    needed_option,
    with_step_options,
    with_task_options,
)
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

Duration = timedelta | str | int


class TaskOptions(TypedDict, total=False):
    """The options that a task may have, with the names and the meaning that they have in a task
    file. A duration is a timedelta, a text such as `"90s"`, `"10m"`, or a number of seconds.

    Attributes:
        timeout: until a command is killed, from its start on; 1 s to 7 d.
        user: of the host, as whom the commands run.
        cwd: the folder in which they run.
        memory_max: of all processes of a command together, `"512M"`.
        tasks_max: processes and threads.
        cpu_max: of one core, `"50%"`.
        offline: what becomes of a host that is offline.
        delivery_timeout: with `offline="wait"`, until a host must have begun.
        include_maintenance: whether hosts in maintenance are not left out.
        batches: `"1,10%,rest"`.
        order: in which the hosts begin.
        delay: between two batches.
        max_concurrency: hosts under way at one time, `5` or `"10%"`.
        max_failures: hosts that may fail before no more begin.
        strict: no more than `max_failures` + 1 hosts can fail.
        hold: after which batches the task waits for an operator.
        hold_timeout: how long it waits.
    """

    timeout: Duration
    user: str
    cwd: str
    memory_max: str | int
    tasks_max: int
    cpu_max: str
    offline: Literal["fail", "wait"]
    delivery_timeout: Duration
    include_maintenance: bool
    batches: str | int
    order: Literal["name", "random"]
    delay: Duration
    max_concurrency: str | int
    max_failures: str | int
    strict: bool
    hold: Literal["each", "first"]
    hold_timeout: Duration


def with_options(spec: TaskSpec, options: TaskOptions) -> TaskSpec:
    """The task with these options, in place of its own and of those of its steps.

    Raises:
        InvalidInputError: names the option that is wrong, or that needs another one.
    """
    values = {name: _value(name, given) for name, given in options.items()}
    spec = replace(spec, commands=tuple(with_step_options(one, values) for one in spec.commands))
    spec = with_task_options(spec, values)
    for name in values:
        if needed := needed_option(name, spec):
            raise InvalidInputError(name, f"{name} needs {needed.replace(' ', ' = ')}.")
    return spec


def _value(name: str, given: object) -> Any:
    """The value of an option as the domain takes it."""
    option = ALL_OPTIONS.get(name)
    if option is None:
        raise InvalidInputError(
            name, f"There is no option {name}; there are {', '.join(ALL_OPTIONS)}."
        )
    if option.read is None:
        if not isinstance(given, bool):
            raise InvalidInputError(name, f"{name} = {given!r}: expected True or False.")
        return given
    if isinstance(given, timedelta) and option.read is parse_duration:
        return given
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise InvalidInputError(name, f"{name} = {given!r}: expected a text or a whole number.")
    try:
        return option.read(str(given))
    except ValueError as error:
        raise InvalidInputError(name, f"{name} = {given!r}: {error}.") from error


def command_step(
    command: str,
    *,
    script: str | bytes | None,
    arguments: Sequence[str],
    stdin: str | bytes | None,
    env: Mapping[str, str],
    params: Mapping[str, object],
    secrets: Mapping[str, str],
) -> CommandSpec:
    """The one step of a task that runs a command or a script.

    Raises:
        InvalidInputError: names what is of a wrong type.
    """
    return CommandSpec(
        text=command,
        script=None if script is None else _content(script),
        arguments=_list_of_texts("arguments", arguments),
        stdin=None if stdin is None else _content(stdin),
        environment=_texts("env", env),
        parameters=parameter_texts(params),
        secrets=_texts("secret", secrets),
    )


def parameter_texts(params: Mapping[str, object]) -> dict[str, str]:
    """The values of parameters as typed: True is `true`, 3 is `3`.

    Raises:
        InvalidInputError: a value is neither a text nor a number.
    """
    for name, value in params.items():
        if not isinstance(value, str | int | float):
            raise InvalidInputError("param", f"{name} = {value!r}: expected a text or a number.")
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in params.items()
    }


def _list_of_texts(name: str, given: Sequence[str]) -> tuple[str, ...]:
    """The texts of a list. Python takes one text for a list of its characters."""
    if isinstance(given, str | bytes) or not all(isinstance(one, str) for one in given):
        raise InvalidInputError(name, f"{name} = {given!r}: expected a list of texts.")
    return tuple(given)


def _texts(field: str, given: Mapping[str, str]) -> dict[str, str]:
    """Variables whose values are texts. The value of a secret is in no error."""
    for name, value in given.items():
        if not isinstance(value, str):
            raise InvalidInputError(
                field, f"{name}: expected a text, and not one of type {type(value).__name__}."
            )
    return dict(given)


def _content(given: str | bytes) -> Content:
    return content_of(given.encode() if isinstance(given, str) else given)
