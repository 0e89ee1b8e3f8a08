"""The values of the parameters of a task file or a template: from `--param` and `--secret`, else
asked for at the terminal."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from io import FileIO

from tui_manager.cli.options.secret_values import TERMINAL, read_secrets, secret_names
from tui_manager.cli.options.tasks.run import with_given_options
from tui_manager.cli.options.values import parse_pairs
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.task_file import TaskFile, check_names, fill, missing
from tui_manager.domain.task_spec.task_parameters import Parameter
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.text.safe_text import safe_text


def with_options(task_file: TaskFile, options: argparse.Namespace) -> TaskFile:
    """The task file with the options of the command line in place of its own. Checks the values
    that these give to its parameters, and asks for none.

    Raises:
        InvalidInputError: something is wrong, or there is no target.
    """
    values = parse_pairs("param", options.param)
    check_names(task_file, values, secret_names(options.secret))
    for one in task_file.parameters:
        if one.name in values:
            one.check_value(values[one.name])
        if one.name in parse_pairs("env", options.env):
            raise InvalidInputError(
                "env", f"{one.name} is a parameter of the task; give it with --param, not --env."
            )
    spec = with_given_options(task_file.spec, options)
    if options.other_target is not None:
        spec = replace(spec, target=options.other_target)
    elif not spec.target.strip():
        raise InvalidInputError("target", "The task has no target of its own; give --target T.")
    return TaskFile(spec, task_file.parameters)


def fill_parameters(task_file: TaskFile, options: argparse.Namespace) -> TaskSpec:
    """The task with the values of its parameters. Asks for those that are missing.

    Raises:
        InvalidInputError: a value is missing, and there is no terminal, or it is wrong.
    """
    values = parse_pairs("param", options.param)
    given = secret_names(options.secret)
    lacking = missing(task_file, values, dict.fromkeys(given, ""))
    if lacking and not _has_terminal():
        raise InvalidInputError("param", _without_terminal(lacking))
    secrets = read_secrets(options.secret)
    for one in lacking:
        (secrets if one.secret else values)[one.name] = _ask(one)
    return fill(task_file, values, secrets)


def check_plan(task_file: TaskFile, options: argparse.Namespace) -> None:
    """Raises InvalidInputError if a parameter has no value. A plan asks for none, and needs no
    secret."""
    values = parse_pairs("param", options.param)
    lacking = [one for one in missing(task_file, values, ()) if not one.secret]
    if lacking:
        raise InvalidInputError(
            "param", f"These parameters need a value; give {_as_options(lacking)}."
        )


def _without_terminal(lacking: Sequence[Parameter]) -> str:
    names = _as_options(lacking)
    return f"These parameters need a value, and there is no terminal to ask at; give {names}."


def _as_options(parameters: Sequence[Parameter]) -> str:
    return ", ".join(
        f"--secret {one.name}:FD" if one.secret else f"--param {one.name}=… ({one.form})"
        for one in parameters
    )


def _has_terminal() -> bool:
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _ask(parameter: Parameter) -> str:
    """Asks until the value is allowed."""
    with open(TERMINAL, "r+b", buffering=0) as terminal:
        if parameter.help:
            terminal.write(f"{safe_text(parameter.help)}\n".encode())
        while True:
            text = _typed(parameter, terminal)
            try:
                if not text:
                    raise InvalidInputError("param", f"{parameter.name} needs a value.")
                parameter.check_value(text)
            except InvalidInputError as error:
                terminal.write(f"{safe_text(str(error))}\n".encode())
            else:
                return text


def _typed(parameter: Parameter, terminal: FileIO) -> str:
    if parameter.secret:
        return read_secrets([parameter.name])[parameter.name]
    terminal.write(safe_text(f"{parameter.name} ({parameter.form}): ").encode())
    line = terminal.readline()
    if not line.endswith(b"\n"):
        raise InvalidInputError("param", f"Nothing was typed for {parameter.name}.")
    return line[:-1].decode(errors="surrogateescape")
