"""The transaction that updates rollouts when their hosts connect or disconnect."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.domain.tasks.rollout_decision import HostState
from tui_manager.service.rollout.apply_decisions import Connections
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.views.delivery import rollout_hosts
from tui_manager.storage.views.delivery.rollout_hosts import BegunHost

_WAITED_FOR = (HostState.EXPECTED, HostState.AWAY)


@dataclass(slots=True)
class ConnectionChanges:
    """What has changed, by task.

    Attributes:
        expected, away: hosts in these states that are connected again.
        gone: hosts that are not connected any more.
    """

    expected: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    away: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    gone: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    @property
    def tasks(self) -> Set[int]:
        """The tasks with a change."""
        return self.expected.keys() | self.away.keys() | self.gone.keys()


def apply_changes(
    tx: Transaction, hosts: Iterable[int], connections: Connections, now: int
) -> ConnectionChanges:
    """A host that is connected again is not waited for any more, and waits for a place; meanwhile
    its delivery timeout stands still. A host that has gone and has not been sent its next command
    is not under way any more. What begins in a pause is stored as if it had begun with the pause,
    which is added to all times when the task is resumed.

    Args:
        hosts: row ids of hosts that may have come or gone.
        now: microseconds since 1970 UTC.
    """
    changes = ConnectionChanges()
    for host in rollout_hosts.begun(tx, hosts):
        since = now if host.paused_at is None else host.paused_at
        if host.host in connections.online:
            _has_come(tx, host, changes, since)
        else:
            rollout_hosts.continue_delivery(tx, host.task_id, [host.host], since)
            _has_gone(tx, host, changes, since + connections.lost_after)
    return changes


def _has_come(tx: Transaction, host: BegunHost, changes: ConnectionChanges, now: int) -> None:
    if host.state in _WAITED_FOR:
        rollout_hosts.set_wait(tx, host.task_id, [host.host], None)
        rollout_hosts.stop_delivery(tx, host.task_id, host.host, now)
        back: Mapping[HostState, dict[int, set[int]]] = {
            HostState.EXPECTED: changes.expected,
            HostState.AWAY: changes.away,
        }
        back[host.state][host.task_id].add(host.host)


def _has_gone(
    tx: Transaction, host: BegunHost, changes: ConnectionChanges, wait_until: int
) -> None:
    """Without a delivery timeout it is waited for as long as a host with work is."""
    changes.gone[host.task_id].add(host.host)
    until = None if host.offline is Offline.WAIT else wait_until
    if host.state in _WAITED_FOR:
        rollout_hosts.set_wait(tx, host.task_id, [host.host], until)
    elif host.unsent and rollout_hosts.set_ready(tx, host.task_id, [host.host], ready=False):
        state = HostState.EXPECTED if host.new else HostState.AWAY
        rollout_hosts.set_state(tx, host.task_id, [host.host], state, until)
