"""The state and the statistics of the manager."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.manager.address import dial_addresses
from tui_manager.domain.manager.alert import Alert


@dataclass(frozen=True, slots=True)
class Health:
    """The manager's newest statistics: rates over the last interval, depths and sizes now.

    Attributes:
        commands_per_second: results committed.
        bytes_per_second: output committed.
        files_sent_per_second, files_received_per_second: bytes of copies and fetches.
        commit_seconds: median time of a commit, queueing included.
        loop_lag_seconds: how late the manager's loop ran a timer, at worst.
        memory_bytes: resident memory of the manager's process.
        write_queue: changes that wait to be written.
        send_queue: messages that wait in sessions.
        database_bytes: the size of the database and of its log.
        log_bytes: of these the size of the log, which is committed but not yet in the file.
        storage_error: why the database cannot be written; empty after it could for some seconds.
    """

    sessions: int = 0
    commands_per_second: float = 0.0
    bytes_per_second: float = 0.0
    files_sent_per_second: float = 0.0
    files_received_per_second: float = 0.0
    commit_seconds: float = 0.0
    loop_lag_seconds: float = 0.0
    memory_bytes: int = 0
    cpu_percent: float = 0.0
    write_queue: int = 0
    send_queue: int = 0
    database_bytes: int = 0
    log_bytes: int = 0
    storage_error: str = ""


@dataclass(frozen=True, slots=True)
class UntrustedClock:
    """Why the manager does not trust the wall clock and removes no old history.

    Attributes:
        ahead: how far the clock is ahead; negative: behind.
        jumped: it changed while the manager ran; otherwise it was far from the stored time at the
            start.
        waits: longest time until old history is removed again, while the manager runs.
    """

    ahead: timedelta
    jumped: bool
    waits: timedelta


@dataclass(frozen=True, slots=True)
class ManagerStatus:
    """What the header of the dashboard and `status` calls show.

    Attributes:
        address: for agents, `host:port`.
        security: "insecure" or "mTLS".
        attention: what needs an operator, most urgent first.
        enroll_address: for enrolment, `host:port`; empty: without TLS there is none.
        clock_ahead: how far the clock is ahead, negative: behind; None: the clock is trusted.
        clock_waits: longest time that pruning still waits for the clock.
        kill_grace: between SIGTERM and SIGKILL for a command that is killed; None: not known.
        hosts_total: hosts that are admitted.
        hosts_online: so many of these.
        hosts_offline: hosts that are offline and not in maintenance.
        hosts_busy: hosts on which a command runs.
        tasks_failed_today: tasks that ended as failed since midnight where the manager runs.
        database: where it is; empty: in the state folder.
        other_managers: managers on the same database, besides this one.
        others_alive: so many of these are heard.
        leader: if there are others, the name of the one that leads; empty: none does.
        leads: this one leads.
        number: of this one among them; 0: it does not share its database.
        agent_addresses: of all managers that were not stopped, for agents; empty: there is one.
        others_heard: the other managers that are heard, `NAME (ADDRESS)`.
    """

    manager_id: str
    version: str
    pid: int
    state_dir: str
    address: str
    security: str
    started_at: datetime
    recovering: bool
    hosts_total: int
    hosts_online: int
    hosts_pending: int
    tasks_running: int
    attention: tuple[Alert, ...]
    health: Health
    enroll_address: str = ""
    clock_ahead: timedelta | None = None
    clock_waits: timedelta | None = None
    kill_grace: timedelta | None = None
    hosts_offline: int = 0
    hosts_busy: int = 0
    tasks_failed_today: int = 0
    database: str = ""
    other_managers: int = 0
    others_alive: int = 0
    leader: str = ""
    leads: bool = False
    number: int = 0
    agent_addresses: tuple[str, ...] = ()
    others_heard: tuple[str, ...] = ()

    def dials(self, own: Callable[[], Sequence[str]]) -> tuple[str, ...]:
        """What an agent may give as `--manager`, the likeliest first: all managers, if there are
        several, else the addresses of this one.

        Args:
            own: finds the addresses of this machine, at least one.
        """
        if self.agent_addresses:
            return (",".join(self.agent_addresses),)
        return dial_addresses(self.address, own)
