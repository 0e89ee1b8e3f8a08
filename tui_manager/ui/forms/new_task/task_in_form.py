"""Fills the form for a new task with the texts of a task that exists. Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tui_manager_protos.rules.duration import format_duration

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.rollout_spec import HOLD_TIMEOUT, HoldRule, Order, RolloutSpec
from tui_manager.domain.task_spec.step_and_task_options import LIMIT_OPTIONS
from tui_manager.domain.task_spec.task_spec import (
    DELIVERY_TIMEOUT,
    TIMEOUT_DEFAULT,
    Offline,
    OnFailure,
    StepKind,
    TaskSpec,
)
from tui_manager.domain.text.safe_text import safe_text
from tui_manager.ui.forms.files.copy_and_fetch_fields import TaskKind, texts_of
from tui_manager.ui.forms.new_task.new_task_fields import FormFields
from tui_manager.ui.forms.new_task.rollout_fields import RolloutTexts
from tui_manager.ui.forms.text_area_limits import can_hold_command

_KINDS = {StepKind.COPY: TaskKind.COPY, StepKind.FETCH: TaskKind.FETCH}


def fits_form(spec: TaskSpec) -> bool:
    """Whether the form can hold all of a task: it has one command, and nothing that a field of the
    form cannot keep or show. The template and the author of a task are not part of a copy, and the
    values of its secrets are typed again."""
    if len(spec.commands) != 1 or spec.commands[0].contents:
        return False
    command = spec.commands[0].text
    if not can_hold_command(command) or safe_text(command) != command:
        return False
    fields = fields_of(spec)
    if any(not text.isprintable() for text in _lines(fields)):
        return False
    values = dict.fromkeys(spec.commands[0].secrets, "x")
    try:
        made = replace(fields, secret_values=values).spec()
    except InvalidInputError:
        return False
    return made == _copied(spec, values)


def fields_of(spec: TaskSpec) -> FormFields:
    """What is typed for a task that fits."""
    step = spec.commands[0]
    limits: dict[str, Any] = {
        name: option.write(value)
        for name, option in LIMIT_OPTIONS.items()
        if (value := getattr(step.limits, option.field))
    }
    waits = spec.offline is Offline.WAIT
    return FormFields(
        target=spec.target,
        command=step.text,
        name=_own_name(spec),
        timeout=_duration(step.timeout, TIMEOUT_DEFAULT),
        waits=waits,
        within=_duration(spec.delivery_timeout, DELIVERY_TIMEOUT) if waits else "",
        include_maintenance=spec.include_maintenance,
        user=step.run_as_user,
        cwd=step.cwd,
        param=_values(step.parameters),
        env=_values(step.environment),
        secret=" ".join(step.secrets),
        description=spec.description,
        rollout=_rollout_texts(spec.rollout),
        kind=_KINDS.get(step.kind, TaskKind.COMMAND),
        transfer=texts_of(step.copy, step.fetch),
        **limits,
    )


def _copied(spec: TaskSpec, secrets: Mapping[str, str]) -> TaskSpec:
    """What the form makes of a task that fits: no step of it has a name or rules of its own, which
    mean nothing where there is only one."""
    step = spec.commands[0]
    step = replace(
        step,
        text=step.text.strip("\n"),
        name="",
        secrets=secrets,
        on_failure=OnFailure.STOP,
        always=False,
        barrier=False,
    )
    return replace(
        spec,
        target=spec.target.strip(),
        commands=(step,),
        name=_own_name(spec),
        description=spec.description.strip(),
        created_by="",
        template=None,
        delivery_timeout=_used(
            spec.offline is Offline.WAIT, spec.delivery_timeout, DELIVERY_TIMEOUT
        ),
        rollout=replace(
            spec.rollout,
            hold_timeout=_used(bool(spec.rollout.hold), spec.rollout.hold_timeout, HOLD_TIMEOUT),
        ),
    )


def _own_name(spec: TaskSpec) -> str:
    """Its name. One that is only the first line of the command would be wrong after an edit."""
    step = spec.commands[0]
    name = (spec.name or step.name).strip()
    return "" if name == replace(step, name="").title else name


def _used(is_used: bool, value: timedelta, default: timedelta) -> timedelta:
    return value if is_used else default


def _lines(fields: FormFields) -> tuple[str, ...]:
    """The texts that stand in one line each."""
    return (
        fields.target,
        fields.name,
        fields.user,
        fields.cwd,
        fields.param,
        fields.env,
        fields.description,
        fields.transfer.files,
        fields.transfer.to,
        fields.transfer.paths,
        fields.transfer.folder,
    )


def _duration(value: timedelta, default: timedelta) -> str:
    return "" if value == default else format_duration(value)


def _values(values: Mapping[str, str]) -> str:
    """As `parse_values` reads them."""
    return " ".join(f"{key}={shlex.quote(value)}" for key, value in values.items())


def _rollout_texts(spec: RolloutSpec) -> RolloutTexts:
    strict = " strict" if spec.strict else ""
    limit = "" if spec.hold_timeout == HOLD_TIMEOUT else f" {format_duration(spec.hold_timeout)}"
    return RolloutTexts(
        batches=spec.batches,
        delay=format_duration(spec.delay) if spec.delay else "",
        max_concurrency=spec.max_concurrency,
        order="" if spec.order is Order.NAME else str(spec.order),
        max_failures=f"{spec.max_failures}{strict}",
        hold="" if spec.hold is HoldRule.NEVER else f"{spec.hold}{limit}",
    )
