"""The transaction that does what a rollout may do: it asks `decide`, does it, and asks again."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import field, replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import WrongCountersError
from tui_manager.domain.manager.notification import Event
from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.domain.tasks.rollout_decision import (
    Begin,
    BeginBatch,
    EndBatch,
    HostState,
    OpenBarrier,
    ReopenBatch,
    SkipRest,
    Wait,
    decide,
)
from tui_manager.service.core import advance_task
from tui_manager.service.rollout.returned_hosts import HostQueue, ReturnedHosts
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import audit, notifications
from tui_manager.storage.tables.tasks import command_hosts, rollouts, tasks
from tui_manager.storage.tables.tasks.command_hosts import CommandOnHost
from tui_manager.storage.tables.tasks.rollouts import StoredRollout
from tui_manager.storage.views.delivery import rollout_hosts
from tui_manager.storage.views.delivery.command_delivery import UnsentCommand
from tui_manager.storage.views.delivery.rollout_hosts import Candidate

# Hosts that begin, are skipped or fail, and batches that begin or end; then others have the writer.
STEPS_A_TRANSACTION = 500
_EVENTS = {"hold_task": "task is on hold", "skip_rest": "no further host begins"}
_OFFLINE = "The host was offline at its turn."
_NOT_BACK = "The host did not come back in time."


@dataclass(frozen=True, slots=True)
class Connections:
    """Who was connected when a transaction began.

    Attributes:
        online: row ids of the hosts that are connected.
        expected: hosts that were connected when the manager stopped and are waited for: so many
            microseconds from now on.
        lost_after: microseconds for which a host that has gone is waited for, if its task does not
            wait for offline hosts.
    """

    online: Set[int]
    expected: Mapping[int, int]
    lost_after: int


@dataclass(slots=True)
class Planned:
    """What a transaction did.

    Attributes:
        running: False: the task has ended, or was cancelled, and there is nothing more to plan.
        begun: row ids of hosts that may be sent commands.
        away: hosts that have begun, are connected, and wait for a place from now on.
        taken: hosts that were back, and were looked at.
        changed: something has changed.
        unfinished: there is more to do at once.
        due: when to look again, in microseconds since 1970 UTC; None: when something changes.
        events: lines for the log, each with its facts.
    """

    running: bool = True
    begun: list[int] = field(default_factory=list)
    away: list[int] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    changed: bool = False
    unfinished: bool = False
    due: int | None = None
    events: list[tuple[str, Mapping[str, str | int]]] = field(default_factory=list)


def plan(
    tx: Transaction, task_id: int, connections: Connections, back: ReturnedHosts, now: int
) -> Planned:
    """Does what the rollout of a task may do now.

    Args:
        back: is not changed.
        now: microseconds since 1970 UTC.

    Raises:
        WrongCountersError: nothing can be decided on what is stored; nothing was done.
    """
    tasks.lock(tx, task_id)
    return _DecisionApplier(tx, task_id, connections, back, now).plan()


class _DecisionApplier:
    """One transaction for one task."""

    def __init__(
        self, tx: Transaction, task_id: int, connections: Connections, back: ReturnedHosts, now: int
    ) -> None:
        self._tx = tx
        self._task_id = task_id
        self._connections = connections
        self._expected = HostQueue(back.expected)
        self._away = HostQueue(back.away)
        self._now = now
        self._left = STEPS_A_TRANSACTION
        self._planned = Planned()

    def plan(self) -> Planned:
        """See the function."""
        planned = self._planned
        while rollout := rollouts.load(self._tx, self._task_id):
            if not rollout.state.paused and self._left > 0 and self._fail_overdue():
                continue
            state = replace(
                rollout.state, expected_back=len(self._expected), away_back=len(self._away)
            )
            decision = decide(rollout.limits, state, self._now)
            if isinstance(decision, Wait):
                planned.due = None if state.paused else self._next_due(decision.until)
                break
            if self._left <= 0:
                planned.unfinished = True
                break
            self._carry_out(rollout, decision)
            planned.changed = True
        else:
            planned.running = False
        if planned.changed:
            advance_task.update_task_status(self._tx, self._task_id, self._now)
        return planned

    def _next_due(self, until: int | None) -> int | None:
        wait = rollout_hosts.next_wait(self._tx, self._task_id)
        return min((due for due in (until, wait) if due is not None), default=None)

    def _fail_overdue(self) -> bool:
        """Hosts that were waited for long enough fail; False: there are none."""
        overdue = rollout_hosts.take_overdue(self._tx, self._task_id, self._now, self._left)
        self._fail(overdue, _NOT_BACK)
        return bool(overdue)

    def _fail(self, commands: Sequence[UnsentCommand], why: str) -> None:
        self._left -= len(commands)
        self._planned.changed |= bool(commands)
        advance_task.fail_unsent(self._tx, commands, why, self._now)

    def _carry_out(
        self,
        rollout: StoredRollout,
        decision: BeginBatch | EndBatch | ReopenBatch | OpenBarrier | SkipRest | Begin,
    ) -> None:
        if isinstance(decision, BeginBatch | EndBatch | ReopenBatch):
            self._left -= 1
        if isinstance(decision, BeginBatch):
            rollouts.begin_batch(self._tx, self._task_id, decision.number)
            self._planned.events.append(("batch begins", {"batch": decision.number}))
        elif isinstance(decision, EndBatch):
            self._end_batch(rollout, decision.held_until)
        elif isinstance(decision, ReopenBatch):
            rollouts.reopen_batch(self._tx, self._task_id)
        elif isinstance(decision, OpenBarrier):
            self._open_barrier(rollout, decision.step)
        elif isinstance(decision, SkipRest):
            self._skip_rest(rollout, decision.reason)
        else:
            self._go_on_again(decision.again)
            self._begin(rollout, decision.new)

    def _end_batch(self, rollout: StoredRollout, held_until: int | None) -> None:
        rollouts.end_batch(self._tx, self._task_id, held_until, self._now)
        if held_until is not None:
            where = {"batch": rollout.state.batch, "of": rollout.limits.batches}
            self._record("hold_task", where)
            notifications.add(self._tx, Event.HOLD_WAITS, self._now, where, self._task_id)

    def _open_barrier(self, rollout: StoredRollout, step: int) -> None:
        """Lets hosts go on to a step: each waits for a place, or for its connection."""
        batch = rollout.state.batch
        if rollout.state.open_barrier != step:
            rollouts.open_barrier(self._tx, self._task_id, step)
            self._planned.events.append(("barrier opens", {"batch": batch, "command": step}))
        hosts = rollout_hosts.at_barrier(self._tx, self._task_id, batch, step, self._left)
        self._left -= len(hosts)
        online = [host for host in hosts if host in self._connections.online]
        offline = [host for host in hosts if host not in self._connections.online]
        rollout_hosts.set_state(self._tx, self._task_id, online, HostState.AWAY)
        self._away.add(online)
        self._planned.away += online
        wait_until = None
        if rollout.offline is Offline.FAIL:
            wait_until = self._now + self._connections.lost_after
        else:
            timeout = rollout.delivery_timeout
            rollout_hosts.set_delivery_left(self._tx, self._task_id, online, timeout)
            rollout_hosts.start_delivery(self._tx, self._task_id, offline, self._now + timeout)
        rollout_hosts.set_state(self._tx, self._task_id, offline, HostState.AWAY, wait_until)

    def _skip_rest(self, rollout: StoredRollout, reason: Reason) -> None:
        if rollout.state.skip_reason is Reason.NONE:
            rollouts.skip_rest(self._tx, self._task_id, reason)
            not_sent = rollout_hosts.take_back(self._tx, self._task_id)
            skipped = rollout.state.waiting + rollout.state.expected + not_sent
            if skipped:
                self._record("skip_rest", {"reason": reason, "hosts": skipped})
        hosts = rollout_hosts.not_begun(self._tx, self._task_id, self._left)
        self._skip(hosts, reason)
        # A host that is left has begun, but the database does not say so: it was restored.
        rollout_hosts.set_state(self._tx, self._task_id, hosts, HostState.UNDER_WAY)

    def _skip(self, hosts: Iterable[int], reason: Reason) -> None:
        """Skips all commands of hosts of which none was sent."""
        rows = [CommandOnHost(self._task_id, host, -1, self._now) for host in hosts]
        self._left -= len(rows)
        command_hosts.skip(self._tx, rows, reason)

    def _record(self, action: str, detail: Mapping[str, str | int]) -> None:
        self._planned.events.append((_EVENTS[action], detail))
        audit.record(self._tx, self._now, "manager", action, task_id=self._task_id, more=detail)

    def _go_on_again(self, count: int) -> None:
        """Hosts that have begun and are connected again are sent their next command."""
        hosts = self._away.take(min(count, self._left))
        self._planned.taken.update(hosts)
        online = [host for host in hosts if host in self._connections.online]
        self._make_ready_again(online)
        self._under_way(online)

    def _make_ready_again(self, hosts: list[int]) -> None:
        """The delivery timeout of hosts that were waited for runs already."""
        rollout_hosts.continue_delivery(self._tx, self._task_id, hosts, self._now)
        rollout_hosts.set_ready(self._tx, self._task_id, hosts, ready=True)

    def _under_way(self, hosts: list[int]) -> None:
        rollout_hosts.set_state(self._tx, self._task_id, hosts, HostState.UNDER_WAY)
        self._planned.begun += hosts
        self._left -= len(hosts)

    def _begin(self, rollout: StoredRollout, count: int) -> None:
        """The turn of the next hosts: each begins, or is waited for, or fails, or is skipped."""
        count = min(count, self._left)
        if count <= 0:
            return
        hosts = self._expected.take(count)
        self._planned.taken.update(hosts)
        batch, more = rollout.state.batch, count - len(hosts)
        hosts += rollout_hosts.next_waiting(self._tx, self._task_id, batch, more)
        if not hosts:
            raise WrongCountersError(
                f"hosts of batch {batch} are counted as waiting, and none waits"
            )
        found = rollout_hosts.candidates(self._tx, self._task_id, hosts, self._now)
        ready = [host for host in found if self._may_begin(rollout, host)]
        self._make_ready(ready)
        known = {host.host for host in found}
        # The first command of the others has ended, although it was not sent: a restored database.
        others = [host for host in hosts if host not in known]
        rollout_hosts.set_state(self._tx, self._task_id, others, HostState.UNDER_WAY)

    def _make_ready(self, hosts: list[Candidate]) -> None:
        new = [host.host for host in hosts if host.state is HostState.WAITING]
        expected = [host.host for host in hosts if host.state is HostState.EXPECTED]
        rows = [CommandOnHost(self._task_id, host, -1, self._now) for host in new]
        command_hosts.make_ready(self._tx, rows)
        self._make_ready_again(expected)
        self._under_way(new + expected)

    def _may_begin(self, rollout: StoredRollout, host: Candidate) -> bool:
        """Judges a host at its turn; if it cannot begin, what becomes of it is stored."""
        if not host.belongs:
            why = f"The host is {host.admission}." if host.admission != "admitted" else "Removed."
            self._fail([self._first_command(host)], why)
        elif host.in_maintenance and not rollout.include_maintenance:
            self._skip([host.host], Reason.MAINTENANCE)
        elif host.host in self._connections.online:
            return True
        elif host.state is HostState.WAITING:
            self._expect(rollout, host)
        return False

    def _first_command(self, host: Candidate) -> UnsentCommand:
        return UnsentCommand(host.row_id, self._task_id, host.host, position=0)

    def _expect(self, rollout: StoredRollout, host: Candidate) -> None:
        """Its turn has come, and it is offline."""
        wait_until = None
        if rollout.offline is Offline.WAIT:
            deadline = self._now + rollout.delivery_timeout
            rollout_hosts.start_delivery(self._tx, self._task_id, [host.host], deadline)
        elif left := self._connections.expected.get(host.host, 0):
            wait_until = self._now + left
        else:
            self._fail([self._first_command(host)], _OFFLINE)
            return
        self._left -= 1
        state = HostState.EXPECTED
        rollout_hosts.set_state(self._tx, self._task_id, [host.host], state, wait_until)
