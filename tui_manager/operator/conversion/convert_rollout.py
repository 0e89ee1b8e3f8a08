"""Targets, rollouts, plans, holds and where a rollout is, between the wire and the domain."""

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_spec.rollout_spec import (
    ALL_AT_ONCE,
    HOLD_TIMEOUT,
    HoldRule,
    Order,
    RolloutSpec,
)
from tui_manager.domain.tasks.task import Hold, RolloutProgress
from tui_manager.domain.tasks.task_plan import PlannedHost, TaskPlan
from tui_manager.operator.conversion.convert_values import (
    duration,
    instant,
    length,
    timestamp,
    word,
)

ORDERS = {
    Order.NAME: wire.ROLLOUT_ORDER_NAME,
    Order.RANDOM: wire.ROLLOUT_ORDER_RANDOM,
}
HOLD_RULES = {
    HoldRule.NEVER: wire.HOLD_RULE_UNSPECIFIED,
    HoldRule.EACH: wire.HOLD_RULE_EACH,
    HoldRule.FIRST: wire.HOLD_RULE_FIRST,
}


def rollout_to_wire(rollout: RolloutSpec) -> wire.Rollout | None:
    """None if all hosts begin at once."""
    if rollout == ALL_AT_ONCE:
        return None
    return wire.Rollout(
        batches=rollout.batches,
        order=ORDERS[rollout.order],
        delay=duration(rollout.delay),
        max_concurrency=rollout.max_concurrency,
        max_failures=rollout.max_failures,
        strict=rollout.strict,
        hold=HOLD_RULES[rollout.hold],
        hold_timeout=duration(rollout.hold_timeout),
    )


def rollout_from_wire(message: wire.TaskSpec | wire.TaskDetail) -> RolloutSpec:
    """The rollout of a task. Raises InvalidInputError for a word that is not known."""
    if not message.HasField("rollout"):
        return ALL_AT_ONCE
    rollout = message.rollout
    timeout = rollout.HasField("hold_timeout")
    return RolloutSpec(
        batches=rollout.batches,
        order=word(ORDERS, rollout.order or wire.ROLLOUT_ORDER_NAME),
        delay=length(rollout.delay, "delay"),
        max_concurrency=rollout.max_concurrency,
        max_failures=rollout.max_failures,
        strict=rollout.strict,
        hold=word(HOLD_RULES, rollout.hold),
        hold_timeout=length(rollout.hold_timeout, "hold_timeout") if timeout else HOLD_TIMEOUT,
    )


def progress_to_wire(progress: RolloutProgress | None) -> wire.RolloutProgress | None:
    if progress is None:
        return None
    return wire.RolloutProgress(
        batch=progress.batch,
        batches=progress.batches,
        hosts_waiting=progress.hosts_waiting,
        hosts_under_way=progress.hosts_under_way,
        hosts_failed=progress.hosts_failed,
        max_failures=progress.max_failures,
        max_concurrency=progress.max_concurrency,
        hosts_at_barrier=progress.hosts_at_barrier,
    )


def progress_from_wire(message: wire.Task) -> RolloutProgress | None:
    if not message.HasField("rollout"):
        return None
    progress = message.rollout
    return RolloutProgress(
        batch=progress.batch,
        batches=progress.batches,
        hosts_waiting=progress.hosts_waiting,
        hosts_under_way=progress.hosts_under_way,
        hosts_failed=progress.hosts_failed,
        max_failures=progress.max_failures if progress.HasField("max_failures") else None,
        max_concurrency=progress.max_concurrency,
        hosts_at_barrier=progress.hosts_at_barrier,
    )


def hold_to_wire(hold: Hold | None) -> wire.Hold | None:
    if hold is None:
        return None
    return wire.Hold(batch=hold.batch, of=hold.of, expires_at=timestamp(hold.expires_at))


def hold_from_wire(message: wire.Task | wire.Progress) -> Hold | None:
    if not message.HasField("hold"):
        return None
    hold = message.hold
    expires_at = instant(hold.expires_at) if hold.HasField("expires_at") else None
    return Hold(hold.batch, hold.of, expires_at)


def plan_to_wire(plan: TaskPlan) -> wire.TaskPlan:
    return wire.TaskPlan(
        hosts=[
            wire.PlannedHost(
                name=host.name,
                batch=host.batch,
                online=host.online,
                maintenance=host.maintenance,
                refusal=host.refusal,
            )
            for host in plan.hosts
        ],
        left_out=plan.left_out,
        batches=plan.batches,
        max_concurrency=plan.max_concurrency,
        max_failures=plan.max_failures,
    )


def plan_from_wire(message: wire.TaskPlan) -> TaskPlan:
    return TaskPlan(
        hosts=tuple(
            PlannedHost(host.name, host.batch, host.online, host.maintenance, host.refusal)
            for host in message.hosts
        ),
        left_out=tuple(message.left_out),
        batches=tuple(message.batches),
        max_concurrency=message.max_concurrency,
        max_failures=message.max_failures if message.HasField("max_failures") else None,
    )


def preview_to_wire(preview: TargetPreview) -> wire.TargetPreview:
    return wire.TargetPreview(
        hosts=preview.hosts,
        offline=preview.offline,
        folded=preview.folded,
        left_out=preview.left_out,
    )


def preview_from_wire(message: wire.TargetPreview) -> TargetPreview:
    return TargetPreview(
        tuple(message.hosts), tuple(message.offline), message.folded, tuple(message.left_out)
    )
