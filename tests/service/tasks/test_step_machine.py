"""Steps with any rules, in any rollout, and anything that hosts, operators, clocks and restarts do:
no step runs that its rules do not let run, none is skipped without a reason, no host passes a
barrier before the others, and every task that is neither paused nor held ends."""

from collections import defaultdict
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from tests.service.rollout.test_rollout_machine import RolloutMachine, host_names_drawn, rollouts
from tests.support.databases.engines import SQLITE
from tests.support.managers.step_ends import COMPLETED, KNOWN_FAILURES, LAST
from tests.support.run_length import examples
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, RolloutSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, OnFailure, has_barrier
from tui_manager.domain.tasks.task import CommandHost

steps_drawn = st.lists(
    st.builds(
        CommandSpec,
        text=st.just("true"),
        on_failure=st.sampled_from(OnFailure),
        always=st.booleans(),
        barrier=st.booleans(),
    ),
    min_size=2,
    max_size=4,
)
# Most steps complete, so that hosts come to the later ones.
REPORTED = sorted(COMPLETED) * 12 + sorted(KNOWN_FAILURES | {(Status.FAILED, Reason.INTERRUPTED)})


class StepMachine(RolloutMachine):
    """One task of several steps on seven hosts."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: tuple[CommandSpec, ...] = ()
        self._seen: set[str] = set()  # executions that were sent
        self._last: set[tuple[str, int]] = set()  # hosts with steps that nothing follows

    @initialize(
        rollout=st.sampled_from([ALL_AT_ONCE, RolloutSpec(max_concurrency="2")]) | rollouts(),
        offline=st.sampled_from(Offline),
        steps=steps_drawn,
        absent=st.sets(host_names_drawn, max_size=2),
        stay_away=st.sets(host_names_drawn, max_size=3),
    )
    def start(
        self,
        rollout: RolloutSpec,
        offline: Offline,
        steps: list[CommandSpec],
        absent: set[str],
        stay_away: set[str],
    ) -> None:
        if has_barrier(steps):
            rollout = replace(rollout, strict=False)
        self._stay_away, self._steps = stay_away, tuple(steps)
        self._begin(rollout, offline, absent, *steps)

    def _take(self) -> None:
        super()._take()
        if self._task_id:
            self._look_at_steps()

    def _look_at_steps(self) -> None:
        on_host: dict[str, dict[int, CommandHost]] = defaultdict(dict)
        rows = self._run(self._fleet.parts.rows(self._task_id))
        for row in rows:
            on_host[row.host][row.command] = row
            if (row.status, row.reason) in LAST:
                self._last.add((row.host, row.command))
        sent = {run.execution_id for runs in self._held.values() for run in runs}
        for row in rows:
            earlier = [on_host[row.host][number] for number in range(row.command)]
            if row.execution_id in sent - self._seen:
                self._may_run(row, earlier, rows)
            if row.reason is Reason.EARLIER_FAILED:
                assert not self._lets_run(row, earlier), row
        self._seen |= sent

    def _lets_run(self, row: CommandHost, earlier: list[CommandHost]) -> bool:
        """Whether a step may run after those before it on its host, as far as they have ended. What
        nothing follows may have been corrected by a late result, and nothing follows it then."""
        if any((row.host, one.command) in self._last for one in earlier):
            return False
        stopped = any(
            (one.status, one.reason) in KNOWN_FAILURES
            and self._steps[one.command].on_failure is OnFailure.STOP
            for one in earlier
        )
        return self._steps[row.command].always or not stopped

    def _may_run(
        self, row: CommandHost, earlier: list[CommandHost], rows: list[CommandHost]
    ) -> None:
        """A step was sent."""
        assert all(one.status.ended for one in earlier), row
        assert self._lets_run(row, earlier), row
        assert not self._task().canceling
        if self._steps[row.command].barrier and row.command:
            was_lost = {host for host, _ in self._last}  # and may run again meanwhile
            assert all(
                other.status.ended or other.host in was_lost
                for other in rows
                if other.batch == row.batch and other.command < row.command
            ), row

    @rule(name=host_names_drawn, fails=st.sampled_from([True] + [False] * 9))
    def answer(self, name: str, fails: bool) -> None:
        super().answer(name, fails)

    @rule()
    def all_answer(self) -> None:
        """So that hosts come to a barrier together."""
        for name in sorted(self._online):
            super().answer(name, fails=False)

    @rule(name=host_names_drawn, end=st.sampled_from(REPORTED))
    def end(self, name: str, end: tuple[Status, Reason]) -> None:
        if name in self._online and self._held[name]:
            self._run(self._fleet.report_end(name, *end))
            self._take()

    @rule(name=host_names_drawn, end=st.sampled_from(REPORTED))
    def come_with_result(self, name: str, end: tuple[Status, Reason]) -> None:
        """What it held has ended while it was away."""
        if name not in self._online | self._revoked and self._held[name]:
            self._run(self._fleet.connect([name], self._host_ids, ended=True))
            self._online.add(name)
            while self._held[name]:
                self._run(self._fleet.report_end(name, *end))
            self._take()


def test_steps_under_any_order_of_acts(engine: str) -> None:
    number = examples(30, few=5) if engine == SQLITE else examples(10, few=2)
    steps = settings(max_examples=number, stateful_step_count=40)
    run_state_machine_as_test(StepMachine, settings=steps)
