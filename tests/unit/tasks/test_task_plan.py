"""On which hosts a task would run, and in which batches."""

from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, Order, RolloutSpec
from tui_manager.domain.tasks.task_plan import PlannedHost, make_plan

NAMES = ("web01", "web02", "web03")


def test_a_plan_names_the_batch_of_each_host() -> None:
    rollout = RolloutSpec("1,rest", max_concurrency="50%", max_failures="10%")
    plan = make_plan(rollout, NAMES, offline={"web02"}, maintenance={"web03"}, left_out=("web04",))
    assert plan.hosts == (
        PlannedHost("web01", 1, True),
        PlannedHost("web02", 2, False),
        PlannedHost("web03", 2, True, True),
    )
    assert plan.left_out == ("web04",)
    assert (plan.batches, plan.max_concurrency, plan.max_failures) == ((1, 2), 1, 0)


def test_a_random_order_is_not_known_before_the_start() -> None:
    plan = make_plan(RolloutSpec("1,rest", order=Order.RANDOM), NAMES, offline=())
    assert plan.batches == (1, 2)
    assert [(host.name, host.batch) for host in plan.hosts] == [(name, 0) for name in NAMES]


def test_without_batches_all_hosts_are_in_one() -> None:
    for rollout in (ALL_AT_ONCE, RolloutSpec(order=Order.RANDOM, max_concurrency="1")):
        plan = make_plan(rollout, NAMES, offline=())
        assert plan.batches == (3,)
        assert {host.batch for host in plan.hosts} == {1}
    assert make_plan(ALL_AT_ONCE, NAMES, offline=()).max_failures is None
