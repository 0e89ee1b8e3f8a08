"""The manager's own state and figures."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Health:
    """The manager's newest statistics: rates over the last interval, depths and sizes now.

    Attributes:
        commands_per_second: results committed.
        bytes_per_second: output committed.
        commit_seconds: median time of a commit, queueing included.
        loop_lag_seconds: how late the manager's loop ran a timer, at worst.
        memory_bytes: resident memory of the manager's process.
        write_queue: changes that wait for the writer.
        send_queue: messages that wait in sessions.
        database_bytes: the size of the database's file and of its log.
        log_bytes: of these the log's: committed, and not yet carried over into the file.
        storage_error: why the database cannot be written; empty when it can for some seconds.
    """

    sessions: int = 0
    commands_per_second: float = 0.0
    bytes_per_second: float = 0.0
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
class ClockDoubt:
    """Why nothing is removed that is old by the wall clock.

    Attributes:
        ahead: of where the clock should be; negative: behind.
        jumped: while the manager ran; otherwise it was far from the stored time at the start.
        waits: how much longer at most, while the manager runs.
    """

    ahead: timedelta
    jumped: bool
    waits: timedelta


@dataclass(frozen=True, slots=True)
class ManagerStatus:
    """What the header of the dashboard and `status` calls show.

    Attributes:
        address: where agents dial in, `host:port`.
        security: "insecure" or "mTLS".
        attention: what needs an operator, one sentence each, most urgent first.
        enroll_address: where hosts enrol, `host:port`; empty: they cannot, there is no TLS.
        clock_ahead: of where the manager's clock should be, negative: behind; None: it is believed.
        clock_waits: how much longer pruning waits for the clock, at most.
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
    attention: tuple[str, ...]
    health: Health
    enroll_address: str = ""
    clock_ahead: timedelta | None = None
    clock_waits: timedelta | None = None
