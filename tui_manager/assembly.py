"""The parts of a manager, made from its settings and put together; nothing of them runs yet."""

import asyncio
from dataclasses import dataclass

from tui_manager.domain.address import split_address
from tui_manager.security.authority import Authority
from tui_manager.security.enrollment_identity import EnrollmentIdentity
from tui_manager.security.secret_box import SecretBox
from tui_manager.security.server_identity import ServerIdentity
from tui_manager.server_names import server_names
from tui_manager.service.dispatch.dispatch import Dispatch
from tui_manager.service.enrollment.admission import AdmissionService
from tui_manager.service.enrollment.enrollment_service import EnrollmentService, TokenDoor
from tui_manager.service.hosts.directory import Directory
from tui_manager.service.hosts.host_service import HostService
from tui_manager.service.hosts.silence import Silence
from tui_manager.service.hosts.violations import Offences
from tui_manager.service.limits import Limits
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.service.manager.clock_watch import ClockWatch
from tui_manager.service.manager.pruning import Pruning
from tui_manager.service.manager.statistics import Statistics
from tui_manager.service.reports.report_service import ReportService
from tui_manager.service.tasks.secrets import Secrets
from tui_manager.service.tasks.task_service import TaskService
from tui_manager.settings import Settings
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables import command_hosts, hosts, manager_row
from tui_manager.transport.ports.certificates import Certificates, Shown
from tui_manager.transport.sessions.command_service import Security
from tui_manager.transport.sessions.sessions import Sessions

SECURITY = "security"  # the folder of keys and certificates, in the state folder


@dataclass(slots=True)
class Parts:
    """All of them.

    Attributes:
        secured: None: there is no TLS.
    """

    manager_id: str
    database: Database
    directory: Directory
    feed: ChangeFeed
    statistics: Statistics
    sessions: Sessions
    dispatch: Dispatch
    silence: Silence
    pruning: Pruning
    offences: Offences
    hosts: HostService
    receiving: ReportService
    tasks: TaskService
    admissions: AdmissionService
    clock: Clock
    clock_watch: ClockWatch
    limits: Limits
    secured: "Secured | None" = None


@dataclass(slots=True)
class Secured:
    """What there is with TLS alone.

    Attributes:
        enroll_port: what join tokens say of the enrolment port: its number, or None when it is the
            one after the command port; known once both listen.
    """

    certificates: Certificates
    shown: Shown
    enrollment: EnrollmentService
    enroll_port: int | None = None

    def security(self) -> Security:
        """What the command port needs of it."""
        return Security(self.enrollment, self.certificates)


def _limits(settings: Settings) -> Limits:
    return Limits(
        lost_after=settings.lost_after,
        heartbeat=settings.heartbeat,
        kill_grace=settings.kill_grace,
        output_limit=settings.output_limit,
        free_disk=settings.free_disk,
        history_days=settings.history_days,
        groups=settings.groups,
    )


async def assemble(
    settings: Settings, database: Database, feed: ChangeFeed, statistics: Statistics, clock: Clock
) -> Parts:
    """The parts of a manager on an open database.

    Raises:
        StorageError: keys or certificates cannot be read or written.
        InvalidInputError: certificates that were brought cannot be used.
    """
    watch = ClockWatch(database, clock, feed)
    await watch.begin()
    limits, directory, sessions = _limits(settings), Directory(), Sessions()
    manager_id = await database.write(lambda tx: manager_row.manager_id(tx, clock.stamp()))
    with_work = await database.read(command_hosts.hosts_with_work)
    directory.load(await database.read(hosts.all_hosts), clock.monotonic(), set(with_work))
    secrets = Secrets(SecretBox(settings.state_dir / SECURITY))
    dispatch = Dispatch(database, sessions, directory, feed, statistics, clock, limits, secrets)
    offences = Offences(database, feed, statistics, clock)
    host_service = HostService(
        manager_id, database, directory, dispatch, feed, statistics, clock, limits, offences
    )
    receiving = ReportService(
        database, directory, dispatch, feed, statistics, clock, offences, limits
    )
    task_service = TaskService(
        database, sessions, directory, dispatch, receiving, feed, clock, limits, secrets
    )
    _connect_gauges(statistics, sessions, database)
    parts = Parts(
        manager_id=manager_id,
        database=database,
        directory=directory,
        feed=feed,
        statistics=statistics,
        sessions=sessions,
        dispatch=dispatch,
        silence=Silence(database, directory, feed, clock, limits, watch),
        pruning=Pruning(database, feed, clock, limits, watch),
        offences=offences,
        hosts=host_service,
        receiving=receiving,
        tasks=task_service,
        admissions=AdmissionService(database, directory, dispatch, sessions, feed, clock),
        clock=clock,
        clock_watch=watch,
        limits=limits,
    )
    if not settings.insecure:
        parts.secured = await _secure(settings, parts)
    return parts


def _connect_gauges(statistics: Statistics, sessions: Sessions, database: Database) -> None:
    gauges = statistics.gauges
    gauges.sessions = lambda: len(sessions)
    gauges.write_queue = lambda: database.waiting
    gauges.send_queue = lambda: sessions.waiting
    gauges.database_bytes = lambda: database.size
    gauges.log_bytes = lambda: database.log.size
    gauges.storage_problem = lambda: database.problem


async def _secure(settings: Settings, parts: Parts) -> Secured:
    folder, now = settings.state_dir / SECURITY, parts.clock.now
    authority = Authority(
        folder,
        parts.manager_id,
        now,
        certificate=settings.authority_certificate,
        key=settings.authority_key,
    )
    host, _ = split_address(settings.listen)
    names = await asyncio.to_thread(server_names, host, settings.server_names)
    server = ServerIdentity(
        authority,
        folder,
        names,
        now,
        certificate=settings.server_certificate,
        key=settings.server_key,
    )
    parts.statistics.gauges.certificate_problem = lambda: server.problem
    certificates = Certificates(server, EnrollmentIdentity(folder, now))
    enrollment = EnrollmentService(
        parts.database,
        parts.directory,
        parts.sessions,
        authority,
        TokenDoor(certificates.enrollment.pin, lambda: secured.enroll_port),
        parts.feed,
        parts.statistics,
        parts.clock,
        parts.offences,
    )
    secured = Secured(certificates, Shown(certificates), enrollment)
    return secured
