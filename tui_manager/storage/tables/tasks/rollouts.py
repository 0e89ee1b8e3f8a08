"""The tables `rollouts`, `rollout_batches` and `rollout_hosts`. Triggers keep their counters."""

from datetime import timedelta

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.rollout_spec import (
    ALL_AT_ONCE,
    HoldRule,
    Order,
    RolloutSpec,
)
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.domain.tasks.assign_batches import Batches
from tui_manager.domain.tasks.rollout_decision import BatchCounts, RolloutLimits, RolloutState
from tui_manager.domain.tasks.task import Hold, RolloutProgress
from tui_manager.storage.engine.statements import (
    from_timedelta,
    load_queries,
    pack_rows,
    pack_values,
    to_datetime,
)
from tui_manager.storage.engine.transaction import Row, Transaction

_SQL = load_queries("rollouts.sql")


def insert(tx: Transaction, task_id: int, spec: RolloutSpec, *, barrier: bool) -> None:
    """Stores what was asked for, with its task. Of a task whose hosts all begin at once, and wait
    for each other at no barrier, nothing is stored."""
    if spec == ALL_AT_ONCE and not barrier:
        return
    values = {
        "task_id": task_id,
        "batches": spec.batches.strip(),
        "batch_order": spec.order,
        "delay": from_timedelta(spec.delay),
        "max_concurrency": spec.max_concurrency,
        "max_failures": spec.max_failures,
        "strict": spec.strict,
        "hold": spec.hold,
        "hold_timeout": from_timedelta(spec.hold_timeout),
    }
    tx.execute(_SQL["insert"], values)


def spec_of(row: Row) -> RolloutSpec:
    """What was asked for, by a row of `tasks` and `rollouts`."""
    if row["batch_order"] is None:
        return ALL_AT_ONCE
    return RolloutSpec(
        batches=row["batches"],
        order=Order(row["batch_order"]),
        delay=timedelta(microseconds=row["delay"]),
        max_concurrency=row["max_concurrency"],
        max_failures=row["max_failures"],
        strict=bool(row["strict"]),
        hold=HoldRule(row["hold"]),
        hold_timeout=timedelta(microseconds=row["hold_timeout"]),
    )


def start(tx: Transaction, task_id: int, batches: Batches[int], commands: int) -> None:
    """Stores the place and the batch of each host, when the task starts.

    Args:
        batches: of the row ids of the hosts.
        commands: steps of the task.
    """
    values = {
        "task_id": task_id,
        "concurrency_limit": batches.max_concurrency,
        "failure_budget": batches.max_failures,
        "batch_count": len(batches.sizes),
        "hosts": len(batches.by_host),
    }
    tx.execute(_SQL["start"], values)
    tx.execute(_SQL["insert_batches"], {"task_id": task_id, "sizes": pack_values(batches.sizes)})
    hosts = pack_rows(batches.by_host.items())
    tx.execute(_SQL["insert_hosts"], {"task_id": task_id, "commands": commands, "hosts": hosts})


def progress_of(row: Row) -> RolloutProgress | None:
    """Where the rollout of a row of `tasks` and `rollouts` is; None: the task has none, or has not
    started."""
    if not row["batch_count"]:
        return None
    return RolloutProgress(
        batch=row["batch"],
        batches=row["batch_count"],
        hosts_waiting=row["hosts_waiting"] + row["hosts_expected"] + row["hosts_away"],
        hosts_under_way=row["hosts_under_way"],
        hosts_failed=row["hosts_failed"],
        max_failures=row["failure_budget"],
        max_concurrency=row["concurrency_limit"],
        hosts_at_barrier=row["hosts_at_barrier"],
    )


def hold_of(row: Row) -> Hold | None:
    """The hold of a row of `tasks` and `rollouts`. While the task is paused, it does not expire."""
    if row["held_until"] is None or row["status"] != "running":
        return None
    expires_at = None if row["paused_at"] is not None else to_datetime(row["held_until"])
    return Hold(row["batch"], row["batch_count"], expires_at)


def running(tx: Transaction) -> list[int]:
    """The running tasks that have a rollout."""
    return [row["task_id"] for row in tx.execute(_SQL["running"])]


@dataclass(frozen=True, slots=True)
class StoredRollout:
    """What is decided on, and what the turn of a host depends on.

    Attributes:
        delivery_timeout: microseconds.
    """

    limits: RolloutLimits
    state: RolloutState
    offline: Offline
    delivery_timeout: int
    include_maintenance: bool


def load(tx: Transaction, task_id: int) -> StoredRollout | None:
    """The rollout of a running task; None: it does not run, was cancelled, or has no rollout."""
    row = tx.execute(_SQL["state"], {"task_id": task_id}).fetchone()
    if row is None:
        return None
    return StoredRollout(
        limits=_limits(row),
        state=_state(row),
        offline=Offline(row["offline"]),
        delivery_timeout=row["delivery_timeout"],
        include_maintenance=bool(row["include_maintenance"]),
    )


def _limits(row: Row) -> RolloutLimits:
    return RolloutLimits(
        batches=row["batch_count"],
        with_batches=bool(row["batches"]),
        delay=row["delay"],
        max_concurrency=row["concurrency_limit"],
        max_failures=row["failure_budget"],
        strict=bool(row["strict"]),
        hold=HoldRule(row["hold"]),
        hold_timeout=row["hold_timeout"],
    )


def _state(row: Row) -> RolloutState:
    return RolloutState(
        batch=row["batch"],
        current=BatchCounts(
            hosts=row["current_hosts"],
            waiting=row["current_waiting"],
            ended=row["current_ended"],
            failed=row["current_failed"],
            completed=row["current_completed"],
            at_barrier=row["current_at_barrier"],
        ),
        barrier=row["barrier"],
        open_barrier=row["open_barrier"],
        batch_ended_at=row["batch_ended_at"],
        held_until=row["held_until"],
        released=row["released"],
        skip_reason=Reason(row["skip_reason"]),
        waiting=row["hosts_waiting"],
        expected=row["hosts_expected"],
        under_way=row["hosts_under_way"],
        away=row["hosts_away"],
        failing=row["hosts_failing"],
        failed=row["hosts_failed"],
        paused=bool(row["paused"]),
    )


def begin_batch(tx: Transaction, task_id: int, number: int) -> None:
    """Its hosts may begin."""
    tx.execute(_SQL["begin_batch"], {"task_id": task_id, "number": number})


def end_batch(tx: Transaction, task_id: int, held_until: int | None, now: int) -> None:
    """Each host of the batch that began last has ended; the task waits for an operator until
    `held_until`."""
    values = {"task_id": task_id, "held_until": held_until, "now": now}
    tx.execute(_SQL["end_batch"], values)


def reopen_batch(tx: Transaction, task_id: int) -> None:
    """A host of the batch that began last runs again."""
    tx.execute(_SQL["reopen_batch"], {"task_id": task_id})


def open_barrier(tx: Transaction, task_id: int, step: int) -> None:
    """Hosts of the batch that began last need not wait before the step at this position any
    more."""
    tx.execute(_SQL["open_barrier"], {"task_id": task_id, "step": step})


def skip_rest(tx: Transaction, task_id: int, reason: Reason) -> None:
    """No further host begins, also if a late result changes the number of failures."""
    tx.execute(_SQL["skip_rest"], {"task_id": task_id, "reason": reason})


def skip_reason(tx: Transaction, task_id: int) -> Reason:
    """Why no further host begins; NONE: hosts begin, or the task has no rollout."""
    row = tx.execute(_SQL["skip_reason"], {"task_id": task_id}).fetchone()
    return Reason(row["skip_reason"]) if row else Reason.NONE


def release(tx: Transaction, task_id: int) -> bool:
    """Ends the hold of a running task; False: it is not held."""
    return bool(tx.execute(_SQL["release"], {"task_id": task_id}).rowcount)


def end_hold(tx: Transaction, task_id: int) -> None:
    """Ends the hold of a task that is canceled or has ended."""
    tx.execute(_SQL["end_hold"], {"task_id": task_id})


def move_deadlines(tx: Transaction, by: int) -> None:
    """The wall clock has jumped by so many microseconds."""
    tx.execute(_SQL["move_deadlines"], {"by": by})
    tx.execute(_SQL["move_waits"], {"by": by})


def extend_waits(tx: Transaction, task_id: int, by: int) -> None:
    """The task was paused for so many microseconds."""
    tx.execute(_SQL["extend_waits"], {"task_id": task_id, "by": by})
