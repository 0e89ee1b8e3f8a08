"""Writes a task file as TOML, with its scripts and inputs in it as text."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.task_file import TaskFile
from tui_manager.domain.task_files.task_file_steps import NO_UPDATE, STORED_KEYS, LocalCopy
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, UpdateSpec
from tui_manager.domain.task_spec.script_and_stdin import Content
from tui_manager.domain.task_spec.step_and_task_options import (
    COPY_OPTIONS,
    LIMIT_OPTIONS,
    ROLLOUT_OPTIONS,
    STEP_OPTIONS,
    TASK_OPTIONS,
    TaskOption,
)
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.task_spec.task_spec import CommandSpec, OnFailure, TaskSpec

# What an editor would not show, or would read as the end of a line.
_HIDDEN = r"\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_HIDDEN_CHARACTER = re.compile(f"[{_HIDDEN}]")
# What a text between ''' does not hold.
_NOT_LITERAL = re.compile(rf"'''|'\Z|[\0-\x08\x0b-\x1f{_HIDDEN}]")
# What a line between ' may be.
_LITERAL_LINE = re.compile(rf"[^'\0-\x1f{_HIDDEN}]*")
# What a text between """ does not hold as it is.
_SPECIAL = re.compile(rf'["\\\0-\x08\x0b-\x1f{_HIDDEN}]')
_ESCAPES = {'"': r"\"", "\\": r"\\", "\r": r"\r"}
_NO_COPIES: Mapping[int, LocalCopy] = {}
_EMPTY_STEP = CommandSpec("")
_EMPTY_TASK = TaskSpec("", ())


def write_task_file(task_file: TaskFile, copies: Mapping[int, LocalCopy] = _NO_COPIES) -> str:
    """The text of the task file, from which `read_task_file` makes an equal one.

    Args:
        copies: of these steps, by their index, the text names the files of the operator's machine,
            and not what the manager has stored of them.

    Raises:
        InvalidInputError: a script or an input is not text in UTF-8, or is not here.
    """
    spec = task_file.spec
    steps = [_step(index, step, copies.get(index)) for index, step in enumerate(spec.commands)]
    top = {
        "name": spec.name,
        "target": spec.target,
        "description": spec.description,
        **_options(TASK_OPTIONS, spec, _EMPTY_TASK),
        **_take_common(steps),
    }
    environment = top.pop("env", {})
    parts = [("", _without_empty(top)), ("[env]", environment)]
    parts += [(f"[params.{one.name}]", _parameter(one)) for one in task_file.parameters]
    parts.append(("[rollout]", _options(ROLLOUT_OPTIONS, spec.rollout, _EMPTY_TASK.rollout)))
    for step in steps:
        environment = step.pop("env", {})
        parts += [("[[steps]]", step), ("[steps.env]", environment)]
    return "\n".join(_part(header, values) for header, values in parts if values)


def _part(header: str, values: Mapping[str, Any]) -> str:
    """A table of plain values."""
    lines = "".join(f"{key} = {_literal(value)}\n" for key, value in values.items())
    return f"{header}\n{lines}" if header else lines


def _literal(value: object) -> str:
    """A value as TOML. A text stays as it is where TOML allows it, and keeps its lines."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_literal(one)}' for key, one in value.items())} }}"
    if isinstance(value, str) and "\n" in value:
        if not _NOT_LITERAL.search(value):
            return f"'''\n{value}'''"
        return f'"""\n{_SPECIAL.sub(_escaped, value)}"""'
    if isinstance(value, str) and _LITERAL_LINE.fullmatch(value) and _SPECIAL.search(value):
        return f"'{value}'"
    text = tomli_w.dumps({"_": value}).removeprefix("_ = ").rstrip("\n")
    return _HIDDEN_CHARACTER.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in ("", {}, ())}


def _options(options: Mapping[str, TaskOption], given: Any, default: Any) -> dict[str, Any]:
    """What is not as it is without the option."""
    values: dict[str, Any] = {}
    for key, option in options.items():
        value = getattr(given, option.field)
        if value != getattr(default, option.field):
            values[key] = value if option.read is None else option.write(value)
    return values


def _take_common(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Takes the options that all of several steps have alike out of the steps."""
    if len(steps) < 2:
        return {}
    common = {
        key: value
        for key, value in steps[0].items()
        if key in (*STEP_OPTIONS, *LIMIT_OPTIONS, "env")
        and all(step.get(key) == value for step in steps)
    }
    for step in steps:
        for key in common:
            del step[key]
    return common


def _parameter(parameter: Parameter) -> dict[str, Any]:
    values = _without_empty(
        {
            "type": "" if parameter.type is ParameterType.TEXT else str(parameter.type),
            "pattern": parameter.pattern,
            "choices": parameter.choices,
            "help": parameter.help,
        }
    )
    if parameter.default is not None:
        values["default"] = _default(parameter.type, parameter.default)
    if not parameter.required:
        values["required"] = False
    return values or {"type": str(parameter.type)}


class _Number(float):
    """A number that is written as it was typed."""

    typed: str

    def __str__(self) -> str:
        return self.typed


def _default(kind: ParameterType, text: str) -> object:
    match kind:
        case ParameterType.INTEGER:
            return int(text)
        case ParameterType.NUMBER:
            number = _Number(text)
            number.typed = text
            return number
        case ParameterType.BOOLEAN:
            return text == "true"
        case _:
            return text


def _step(index: int, step: CommandSpec, copy: LocalCopy | None) -> dict[str, Any]:
    values = {
        "name": step.name,
        **(_transfer(step.transfer, copy) if step.transfer else {}),
        "run": step.text,
        "script_text": _text(index, "script", step.script),
        "args": step.arguments,
        **_options(STEP_OPTIONS, step, _EMPTY_STEP),
        **_options(LIMIT_OPTIONS, step.limits, _EMPTY_STEP.limits),
        "env": step.environment,
        "on_failure": "" if step.on_failure is OnFailure.STOP else str(step.on_failure),
    }
    values = _without_empty(values)
    if step.stdin is not None:  # an empty input is one
        values["stdin_text"] = _text(index, "stdin", step.stdin)
    values |= {key: True for key in ("always", "barrier") if getattr(step, key)}
    return values


def _transfer(
    transfer: CopySpec | FetchSpec | UpdateSpec, local: LocalCopy | None
) -> dict[str, Any]:
    """The keys of a copy or a fetch. A copy says what the manager has stored of it, or what is to
    be read."""
    if isinstance(transfer, UpdateSpec):
        raise InvalidInputError("update", NO_UPDATE)
    if isinstance(transfer, FetchSpec):
        paths = {"fetch": _one_or_all(transfer.paths), "to": transfer.to}
        return paths | _recursive(transfer.recursive)
    files = transfer.files
    values = {
        "copy": _one_or_all(local.paths if local else transfer.sources),
        "to": transfer.to,
        **_options(COPY_OPTIONS, transfer, CopySpec(files, "")),
    }
    if local:
        return values | _recursive(local.recursive)
    return values | {"stored": {key: getattr(files, key) for key in STORED_KEYS}}


def _recursive(recursive: bool) -> dict[str, Any]:
    return {"recursive": True} if recursive else {}


def _one_or_all(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)


def _text(index: int, key: str, content: Content | None) -> str:
    if content is None:
        return ""
    content.check(key)
    assert content.data is not None
    try:
        return content.data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            key,
            f"The {key} of step {index} is not text: byte {error.start} is not UTF-8, and a task "
            "file holds text only.",
        ) from None
