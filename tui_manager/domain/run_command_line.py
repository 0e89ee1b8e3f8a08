"""The command line that makes the same task as a form: `tui-manager run …`. Pure."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tui_manager.domain.step_and_task_options import (
    LIMIT_OPTIONS,
    ROLLOUT_OPTIONS,
    STEP_OPTIONS,
    TASK_OPTIONS,
    TaskOption,
    needed_option,
)
from tui_manager.domain.task_spec import CommandSpec, TaskSpec

_EMPTY_STEP = CommandSpec("")
_EMPTY_TASK = TaskSpec("", (_EMPTY_STEP,))
_NO_FILES: Mapping[str, str] = {}


def command_line(
    spec: TaskSpec, files: Mapping[str, str] = _NO_FILES, *, state_dir: str = ""
) -> str:
    """The text that a shell reads as the command line of a task of one step.

    A secret is given by its name only: the program asks for its value.

    Args:
        files: the paths of the step's contents, by `script` and `stdin`.
        state_dir: that of the manager; empty: the one that the program uses by itself.
    """
    return shlex.join(arguments(spec, files, state_dir=state_dir))


def arguments(
    spec: TaskSpec, files: Mapping[str, str] = _NO_FILES, *, state_dir: str = ""
) -> Sequence[str]:
    """The words of this command line."""
    step = spec.commands[0]
    words = ["tui-manager"]
    if state_dir:
        words += _option("state-dir", state_dir)
    words.append("run")
    behind = spec.target.startswith("-")  # it would be read as an option
    if not behind:
        words.append(spec.target)
    for name, text in (("name", spec.name), ("description", spec.description)):
        if text:
            words += _option(name, text)
    words += _variables(step)
    words += _plain_options(spec, STEP_OPTIONS, step, _EMPTY_STEP)
    words += _plain_options(spec, LIMIT_OPTIONS, step.limits, _EMPTY_STEP.limits)
    for name in step.contents:
        words += _option(name, files.get(name, "FILE"))
    words += _plain_options(spec, TASK_OPTIONS, spec, _EMPTY_TASK)
    words += _plain_options(spec, ROLLOUT_OPTIONS, spec.rollout, _EMPTY_TASK.rollout)
    if behind:
        words += ["--", spec.target]
    if step.script is None:
        return [*words, "--", step.text]
    return [*words, "--", *step.arguments] if step.arguments or behind else words


def _variables(step: CommandSpec) -> Iterator[str]:
    for name, values in (("param", step.parameters), ("env", step.environment)):
        for key, value in values.items():
            yield from _option(name, f"{key}={value}")
    for key in step.secrets:
        yield from _option("secret", key)


def _plain_options(
    spec: TaskSpec, options: Mapping[str, TaskOption], given: Any, default: Any
) -> Iterator[str]:
    """Those that are not as they are without the option, and that have an effect."""
    for name, option in options.items():
        value = getattr(given, option.field)
        if value == getattr(default, option.field) or needed_option(name, spec):
            continue
        written = name.replace("_", "-")
        if option.read is None:
            yield f"--{written}"
        else:
            yield from _option(written, option.write(value))


def _option(name: str, value: str) -> tuple[str, ...]:
    """A value that begins with `-` would be read as an option if it stood apart."""
    return (f"--{name}={value}",) if value.startswith("-") else (f"--{name}", value)
