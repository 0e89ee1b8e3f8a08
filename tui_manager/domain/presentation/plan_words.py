"""What a task would do, in words. Pure."""

from collections.abc import Iterator

from tui_manager_protos.rules.duration import format_duration

from tui_manager.domain.task_spec.rollout_spec import HoldRule
from tui_manager.domain.task_spec.task_spec import Offline, TaskSpec
from tui_manager.domain.tasks.task_plan import TaskPlan
from tui_manager.domain.text.host_name_ranges import fold_names


def batch_rows(plan: TaskPlan) -> list[tuple[str, str, str]]:
    """Number, size and names of each batch."""
    names: dict[int, list[str]] = {}
    for host in plan.hosts:
        names.setdefault(host.batch, []).append(host.name)
    return [
        (
            str(number),
            str(size),
            fold_names(names[number]) if number in names else "drawn when the task starts",
        )
        for number, size in enumerate(plan.batches, start=1)
    ]


def plan_details(spec: TaskSpec, plan: TaskPlan) -> Iterator[tuple[str, str]]:
    """What else is known, each with its label."""
    yield from _about_hosts(spec, plan)
    rollout = spec.rollout
    if plan.max_concurrency:
        yield "At one time", f"at most {plan.max_concurrency} hosts under way"
    if plan.max_failures is not None:
        yield "Failures", _failures(plan.max_failures, strict=rollout.strict)
    elif rollout.batches:
        yield "Failures", "after a batch in which every host failed, no further host begins"
    if rollout.delay:
        yield "Delay", f"{format_duration(rollout.delay)} between batches"
    if rollout.hold is not HoldRule.NEVER:
        yield "Hold", rollout.hold_text


def _about_hosts(spec: TaskSpec, plan: TaskPlan) -> Iterator[tuple[str, str]]:
    if 0 in {host.batch for host in plan.hosts}:
        yield "Hosts", fold_names(host.name for host in plan.hosts)
    if offline := [host.name for host in plan.hosts if not host.online]:
        yield "Offline", f"{fold_names(offline)}: {_offline(spec)}"
    refused: dict[str, list[str]] = {}
    for host in plan.hosts:
        if host.refusal:
            refused.setdefault(host.refusal, []).append(host.name)
    for why, names in refused.items():
        yield "Rejected by", f"{fold_names(names)}: {why}"
    if maintained := [host.name for host in plan.hosts if host.maintenance]:
        yield "Maintenance", fold_names(maintained)
    if plan.left_out:
        yield "Left out", fold_names(plan.left_out)


def _offline(spec: TaskSpec) -> str:
    if spec.offline is Offline.WAIT:
        return f"waited for, up to {format_duration(spec.delivery_timeout)}"
    return "fails as undeliverable if offline at its turn"


def _failures(budget: int, *, strict: bool) -> str:
    more = f"more than {budget} host{'s have' if budget > 1 else ' has'}"
    text = f"when {more if budget else 'a host has'} failed, no further host begins"
    return f"{text}; strict: at most {budget + 1} can fail" if strict else text
