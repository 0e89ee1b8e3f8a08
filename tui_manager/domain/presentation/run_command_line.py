"""The command line that makes the same task as a form: `tui-manager run …`, `copy …` or `fetch …`.
Pure."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, UpdateSpec
from tui_manager.domain.task_spec.step_and_task_options import (
    COPY_OPTIONS,
    LIMIT_OPTIONS,
    ROLLOUT_OPTIONS,
    STEP_OPTIONS,
    TASK_OPTIONS,
    TaskOption,
    needed_option,
)
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

_EMPTY_STEP = CommandSpec("")
_EMPTY_TASK = TaskSpec("", (_EMPTY_STEP,))
_NO_FILES: Mapping[str, str] = {}


def command_line(
    spec: TaskSpec,
    files: Mapping[str, str] = _NO_FILES,
    *,
    state_dir: str = "",
    sources: Sequence[str] = (),
    recursive: bool = False,
) -> str:
    """The text that a shell reads as the command line of a task of one step.

    A secret is given by its name only: the program asks for its value.

    Args:
        files: the paths of the step's contents, by `script` and `stdin`.
        state_dir: that of the manager; empty: the one that the program uses by itself.
        sources: of a copy, the paths on the machine of the operator; empty: only their names are
            known.
        recursive: whether there are folders among the sources.
    """
    words = arguments(spec, files, state_dir=state_dir, sources=sources, recursive=recursive)
    return shlex.join(words)


def arguments(
    spec: TaskSpec,
    files: Mapping[str, str] = _NO_FILES,
    *,
    state_dir: str = "",
    sources: Sequence[str] = (),
    recursive: bool = False,
) -> Sequence[str]:
    """The words of this command line."""
    step = spec.commands[0]
    words = ["tui-manager"]
    if state_dir:
        words += _option("state-dir", state_dir)
    if step.transfer is not None:
        return [*words, *_transfer_arguments(spec, step.transfer, sources, recursive=recursive)]
    words.append("run")
    behind = spec.target.startswith("-")  # it would be read as an option
    if not behind:
        words.append(spec.target)
    words += _texts(spec)
    words += _variables(step)
    words += _plain_options(spec, STEP_OPTIONS, step, _EMPTY_STEP)
    words += _plain_options(spec, LIMIT_OPTIONS, step.limits, _EMPTY_STEP.limits)
    for name in step.contents:
        words += _option(name, files.get(name, "FILE"))
    words += _task_options(spec)
    if behind:
        words += ["--", spec.target]
    if step.script is None:
        return [*words, "--", step.text]
    return [*words, "--", *step.arguments] if step.arguments or behind else words


def _transfer_arguments(
    spec: TaskSpec,
    transfer: CopySpec | FetchSpec | UpdateSpec,
    sources: Sequence[str],
    *,
    recursive: bool,
) -> Sequence[str]:
    """The command `copy`, `fetch` or `agent update`, its options and its names."""
    if isinstance(transfer, CopySpec):
        words = ["copy"]
        options = [*_plain_options(spec, COPY_OPTIONS, transfer, CopySpec(transfer.files, ""))]
        names = [*(sources or transfer.sources or ("FILE",)), transfer.to]
    elif isinstance(transfer, UpdateSpec):
        words, options, names = ["agent", "update"], ["--bundle", *(sources or ("FILE",))], []
    else:
        words, options, recursive = ["fetch"], [], transfer.recursive
        names = [*transfer.paths, transfer.to or "DIR"]
    options += ["--recursive"] if recursive else []
    options += _texts(spec)
    options += _plain_options(spec, STEP_OPTIONS, spec.commands[0], _EMPTY_STEP)
    options += _task_options(spec)
    names = [spec.target, *names]
    if any(name.startswith("-") for name in names):
        return [*words, *options, "--", *names]
    return [*words, *names, *options]


def _texts(spec: TaskSpec) -> Iterator[str]:
    for name, text in (("name", spec.name), ("description", spec.description)):
        if text:
            yield from _option(name, text)


def _task_options(spec: TaskSpec) -> Iterator[str]:
    yield from _plain_options(spec, TASK_OPTIONS, spec, _EMPTY_TASK)
    yield from _plain_options(spec, ROLLOUT_OPTIONS, spec.rollout, _EMPTY_TASK.rollout)


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
