"""The options of a task and of its steps: what `run` calls --max-failures, and a task file
max_failures. The tables here say how each is read from text and where it goes in a TaskSpec."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import format_duration, parse_duration

from tui_manager.domain.task_spec.rollout_spec import HoldRule, Order
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, TaskSpec
from tui_manager.domain.text.parse_sizes_and_times import (
    format_mode,
    format_size,
    parse_count_limit,
    parse_mode,
    parse_percent_limit,
    parse_size_limit,
)


@dataclass(frozen=True, slots=True)
class TaskOption:
    """One option.

    Attributes:
        field: of the dataclass that holds its value.
        read: the value from text. Raises ValueError, which says what is expected. None: the option
            is a flag, True or False.
        write: the text from a value; `read` reads it back.
    """

    field: str
    read: Callable[[str], Any] | None
    write: Callable[[Any], str] = str


def _word(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def read(text: str) -> StrEnum:
        words = [word for word in kind if word]
        if text not in words:
            raise ValueError(f"expected {' or '.join(words)}")
        return kind(text)

    return read


def _user(text: str) -> str:
    # An unset variable of a script must not select the agent's user, who may be root.
    if not text:
        raise ValueError("the name is empty; leave the option out to run as the agent's user")
    return text


def _owner(text: str) -> str:
    if not text:
        raise ValueError("the name is empty; leave the option out to keep the owner")
    return text


def _hosts(text: str) -> str:
    # An unset variable of a script must not lift a limit.
    if not text.strip():
        raise ValueError("the value is empty; leave the option out")
    return text


# Of each step; at the top of a task file, defaults for all steps.
STEP_OPTIONS: Mapping[str, TaskOption] = MappingProxyType(
    {
        "timeout": TaskOption("timeout", parse_duration, format_duration),
        "user": TaskOption("run_as_user", _user),
        "cwd": TaskOption("cwd", str),
    }
)
# The same, of `CommandSpec.limits`.
LIMIT_OPTIONS: Mapping[str, TaskOption] = MappingProxyType(
    {
        "memory_max": TaskOption("memory_max", parse_size_limit, format_size),
        "tasks_max": TaskOption("tasks_max", parse_count_limit),
        "cpu_max": TaskOption("cpu_max", parse_percent_limit, "{}%".format),
    }
)
# Of `CommandSpec.copy`.
COPY_OPTIONS: Mapping[str, TaskOption] = MappingProxyType(
    {
        "mode": TaskOption("mode", parse_mode, format_mode),
        "owner": TaskOption("owner", _owner),
        "backup": TaskOption("backup", None),
    }
)
# Of the task as a whole.
TASK_OPTIONS: Mapping[str, TaskOption] = MappingProxyType(
    {
        "offline": TaskOption("offline", _word(Offline)),
        "delivery_timeout": TaskOption("delivery_timeout", parse_duration, format_duration),
        "include_maintenance": TaskOption("include_maintenance", None),
    }
)
# Of `TaskSpec.rollout`.
ROLLOUT_OPTIONS: Mapping[str, TaskOption] = MappingProxyType(
    {
        "batches": TaskOption("batches", _hosts),
        "order": TaskOption("order", _word(Order)),
        "delay": TaskOption("delay", parse_duration, format_duration),
        "max_concurrency": TaskOption("max_concurrency", _hosts),
        "max_failures": TaskOption("max_failures", _hosts),
        "strict": TaskOption("strict", None),
        "hold": TaskOption("hold", _word(HoldRule)),
        "hold_timeout": TaskOption("hold_timeout", parse_duration, format_duration),
    }
)
ALL_OPTIONS: Mapping[str, TaskOption] = MappingProxyType(
    {**STEP_OPTIONS, **LIMIT_OPTIONS, **TASK_OPTIONS, **ROLLOUT_OPTIONS}
)


def with_step_options(step: CommandSpec, values: Mapping[str, Any]) -> CommandSpec:
    """The step with these values of STEP_OPTIONS and LIMIT_OPTIONS; others are not looked at. A
    copy or a fetch runs nothing, so that it has only the timeout."""
    if step.transfer is not None:
        return replace(step, timeout=values.get("timeout", step.timeout))
    limits = _fields(LIMIT_OPTIONS, values)
    return replace(step, **_fields(STEP_OPTIONS, values), limits=replace(step.limits, **limits))


def with_task_options(spec: TaskSpec, values: Mapping[str, Any]) -> TaskSpec:
    """The task with these values of TASK_OPTIONS and ROLLOUT_OPTIONS; others are not looked at."""
    rollout = replace(spec.rollout, **_fields(ROLLOUT_OPTIONS, values))
    return replace(spec, **_fields(TASK_OPTIONS, values), rollout=rollout)


def needed_option(name: str, spec: TaskSpec) -> str:
    """The option without which the option `name` does nothing, if the task does not have it:
    `batches`, `offline wait`; empty: nothing is missing."""
    rollout = spec.rollout
    match name:
        case "delivery_timeout" if spec.offline is not Offline.WAIT:
            return "offline wait"
        case "delay" | "hold" if not rollout.batches:
            return "batches"
        case "hold_timeout" if rollout.hold is HoldRule.NEVER:
            return "hold"
        case "strict" if rollout.strict and not rollout.max_failures:
            return "max_failures"
        case _:
            return ""


def _fields(options: Mapping[str, TaskOption], values: Mapping[str, Any]) -> dict[str, Any]:
    return {option.field: values[name] for name, option in options.items() if name in values}
