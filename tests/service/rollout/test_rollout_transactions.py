"""No transaction of the planner is long: other work has the writer in between."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.support.managers.rollouts import COMPLETED, FAILED, SPENT, Fleet, host_names, rollout
from tui_manager.service.rollout import apply_decisions, connection_changes
from tui_manager.service.rollout.apply_decisions import Planned
from tui_manager.service.rollout.rollout_loop import RolloutLoop
from tui_manager.storage.engine.transaction import Transaction

STEPS = 3


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Of each transaction: batches that began, and hosts whose command ended."""
    monkeypatch.setattr(apply_decisions, "STEPS_A_TRANSACTION", STEPS)
    plan, found = apply_decisions.plan, []

    def ended(tx: Transaction) -> int:
        query = "SELECT count(*) FROM command_hosts WHERE finished_at IS NOT NULL"
        count: int = tx.execute(query).fetchone()[0]
        return count

    def noted(tx: Transaction, *given: Any) -> Planned:
        before = ended(tx)
        planned = plan(tx, *given)
        found.append((len(planned.events), ended(tx) - before))
        return planned

    monkeypatch.setattr(apply_decisions, "plan", noted)
    return found


def _all_within_bounds(plans: list[tuple[int, int]]) -> bool:
    return all(began <= STEPS and ended <= STEPS for began, ended in plans)


@pytest.mark.usefixtures("units_run_once")
async def test_batches_that_end_without_work(fleet: Fleet, plans: list[tuple[int, int]]) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1"))
    await fleet.parts.admission.revoke(host_names(10)[1:9], "ana")
    await fleet.disconnect(host_names(10)[1:9])
    plans.clear()
    assert await fleet.answer("h001") == ["h010"]
    assert sum(began for began, _ in plans) == 9
    assert _all_within_bounds(plans)
    await fleet.finish()
    assert (await fleet.counts(task_id))[COMPLETED] == 2


async def test_hosts_to_which_nothing_was_sent_are_skipped(
    fleet: Fleet, plans: list[tuple[int, int]]
) -> None:
    rooms = fleet.parts.dispatcher.rooms
    rooms |= {fleet.sessions[name].host_id: 0 for name in host_names(10)[1:]}
    task_id = await fleet.start(rollout=rollout(max_failures="0"))
    assert fleet.busy() == ["h001"]
    plans.clear()
    await fleet.report("h001", code=1)
    rooms.clear()
    assert await fleet.take() == []
    assert await fleet.counts(task_id) == {FAILED: 1, SPENT: 9}
    assert _all_within_bounds(plans)
    (act,) = await fleet.parts.audited("skip_rest")
    assert act.detail["hosts"] == "9"


@pytest.mark.usefixtures("units_run_once")
async def test_hosts_that_are_followed_after_a_start(
    fleet: Fleet, plans: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = fleet.parts
    await fleet.start(rollout=rollout(batches="rest"))
    apply_changes, looked_at = connection_changes.apply_changes, []

    def noted(tx: Transaction, hosts: Iterable[int], *given: Any) -> Any:
        looked_at.append(len(list(hosts)))
        return apply_changes(tx, hosts, *given)

    monkeypatch.setattr(connection_changes, "apply_changes", noted)
    await RolloutLoop(parts.core, parts.dispatch, parts.watch).run_once()
    assert looked_at == [3, 3, 3, 1]
