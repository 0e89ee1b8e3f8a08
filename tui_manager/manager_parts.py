"""Makes the parts of a manager from its settings. Nothing runs yet; `run_manager.py` starts
them."""

import asyncio

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.manager.address import split_address
from tui_manager.domain.manager.gateway import ManagerGroup
from tui_manager.own_addresses import server_names
from tui_manager.receivers.hook_program import HookProgram
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.enrollment_identity import EnrollmentIdentity
from tui_manager.security.certificates.server_identity import ServerIdentity
from tui_manager.security.key_store import KeyStore
from tui_manager.security.secret_box import SecretBox
from tui_manager.service.core.change_feed import ChangeFeed
from tui_manager.service.core.clock import Clock, ClockWatch
from tui_manager.service.core.core import Core, load_core
from tui_manager.service.core.server_time import ServerTime
from tui_manager.service.core.statistics import Statistics
from tui_manager.service.dispatch.command_secrets import CommandSecrets
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop
from tui_manager.service.enrollment.admission_service import AdmissionService
from tui_manager.service.enrollment.enrollment_service import EnrollmentPort, EnrollmentService
from tui_manager.service.enrollment.host_management_service import HostManagementService
from tui_manager.service.files.clean_up_files import FilesCleanUp
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.hosts.fail_commands_of_lost_hosts import HostTimeouts
from tui_manager.service.hosts.host_service import HostService
from tui_manager.service.hosts.stall_watch import StallWatch
from tui_manager.service.limits import Limits
from tui_manager.service.managers.database_watch import DatabaseWatch
from tui_manager.service.managers.hosts_elsewhere import HostsElsewhere
from tui_manager.service.managers.leader_loops import LeaderLoops
from tui_manager.service.managers.leadership import Leadership
from tui_manager.service.managers.messages.change_bridge import ChangeBridge
from tui_manager.service.managers.messages.gateway_request_handler import GatewayRequestHandler
from tui_manager.service.managers.messages.link_notifier import LinkNotifier
from tui_manager.service.managers.messages.notifier import NoNotifier, Notifier
from tui_manager.service.managers.running_elsewhere import RunningElsewhere
from tui_manager.service.managers.task_status_loop import TaskStatusLoop
from tui_manager.service.managers.vitals_elsewhere import VitalsExchange
from tui_manager.service.notifications.deliver_to_receiver import Delivery
from tui_manager.service.notifications.notification_service import NotificationService
from tui_manager.service.reports.report_service import ReportService
from tui_manager.service.rollout.rollout_loop import RolloutLoop
from tui_manager.service.schedules.make_task import TaskMaker
from tui_manager.service.schedules.schedule_loop import ScheduleLoop
from tui_manager.service.schedules.schedule_service import ScheduleService
from tui_manager.service.tasks.pruning_loop import PruningLoop
from tui_manager.service.tasks.task_service import TaskService
from tui_manager.service.templates.template_service import TemplateService
from tui_manager.service.transfers.transfers import Transfers
from tui_manager.settings import Settings, manager_name
from tui_manager.shared_keys import claim_database, open_keys
from tui_manager.storage.engine.database import Database
from tui_manager.transport.change_feed.nats_address import nats_address, nats_client_needed
from tui_manager.transport.ports.certificates import AllPortCredentials, Certificates
from tui_manager.transport.sessions.command_port import Security
from tui_manager.transport.sessions.sessions import Sessions


@dataclass(slots=True)
class Parts:
    """All parts.

    Attributes:
        shared: None: no other manager can use the database.
        tls: None: the manager runs without TLS.
    """

    core: Core
    sessions: Sessions
    dispatch: DispatchLoop
    leadership: Leadership
    planning: LeaderLoops
    rollout_loop: RolloutLoop
    stalls: StallWatch
    hosts: HostService
    reports: ReportService
    tasks: TaskService
    admissions: AdmissionService
    host_management: HostManagementService
    templates: TemplateService
    schedules: ScheduleService
    clock_watch: ClockWatch
    notifier: Notifier
    files: FileStore
    transfers: Transfers
    files_clean_up: FilesCleanUp
    notification_service: NotificationService
    shared: "SharedParts | None" = None
    tls: "TlsParts | None" = None


@dataclass(slots=True)
class SharedParts:
    """The parts that follow the other managers on the database."""

    bridge: ChangeBridge
    hosts: HostsElsewhere
    vitals: VitalsExchange
    running: RunningElsewhere
    watch: DatabaseWatch


@dataclass(slots=True)
class TlsParts:
    """The parts that only a manager with TLS has.

    Attributes:
        enroll_port: what join tokens say about the enrolment port: its number; None: the one after
            the command port. Known once both ports are open.
    """

    certificates: Certificates
    credentials: AllPortCredentials
    enrollment: EnrollmentService
    enroll_port: int | None = None

    def security(self) -> Security:
        """What the command port needs."""
        return Security(self.enrollment, self.certificates)


async def assemble(
    settings: Settings, database: Database, feed: ChangeFeed, statistics: Statistics, clock: Clock
) -> Parts:
    """The parts of a manager on an open database.

    Raises:
        StorageError: keys or certificates cannot be read or written, or are not those of the other
            managers on the database.
        InvalidInputError: the operator's certificates cannot be used, or the client for NATS is
            missing.
    """
    server_time = ServerTime(clock)
    clock = await server_time.begin(database)
    clock_watch = ClockWatch(database, clock, feed)
    await clock_watch.begin()
    core = await load_core(database, Limits.of(settings), clock, feed, statistics)
    keys = await open_keys(settings, database, core.manager_id)
    sessions, secrets = Sessions(), CommandSecrets(SecretBox(keys.secrets_key()))
    dispatch = DispatchLoop(core, sessions, secrets)
    rollout_loop = RolloutLoop(core, dispatch, clock_watch)
    files = FileStore(core, settings.state_dir, clock_watch)
    tasks = TaskService(core, sessions, dispatch, secrets, rollout_loop, files)
    maker = TaskMaker(core, tasks.starter)
    schedule_loop = ScheduleLoop(core, tasks.starter, maker, clock_watch)
    notifier = _notifier(settings, database, core.manager_id)
    _connect_gauges(statistics, sessions, database, notifier)
    stalls, task_status_loop = StallWatch(core), TaskStatusLoop(core, rollout_loop)
    leadership = _leadership(core, server_time, sessions, settings)
    timeouts, pruning = HostTimeouts(core, clock_watch, stalls), PruningLoop(core, clock_watch)
    notification_service = _notification_service(settings, core, clock_watch)
    loops = rollout_loop, schedule_loop, timeouts, pruning, task_status_loop, notification_service
    parts = Parts(
        core=core,
        sessions=sessions,
        dispatch=dispatch,
        leadership=leadership,
        planning=_planning(leadership, *loops),
        rollout_loop=rollout_loop,
        stalls=stalls,
        hosts=HostService(core, dispatch),
        reports=ReportService(core, dispatch),
        tasks=tasks,
        admissions=AdmissionService(core, dispatch, sessions),
        host_management=HostManagementService(core),
        templates=TemplateService(core, files),
        schedules=ScheduleService(core, tasks.starter, maker, schedule_loop),
        clock_watch=clock_watch,
        notifier=notifier,
        files=files,
        transfers=Transfers(core, files),
        files_clean_up=FilesCleanUp(core, files, clock_watch),
        notification_service=notification_service,
    )
    if database.shared:
        parts.shared = _share(parts, task_status_loop, schedule_loop)
    if not settings.insecure:
        parts.tls = await _make_tls(settings, parts, keys)
    return parts


def _planning(
    leadership: Leadership,
    rollouts: RolloutLoop,
    schedules: ScheduleLoop,
    timeouts: HostTimeouts,
    pruning: PruningLoop,
    task_status_loop: TaskStatusLoop,
    notification_service: NotificationService,
) -> LeaderLoops:
    loops = {
        "rollouts": rollouts.run,
        "schedules": schedules.run,
        "host timeouts": timeouts.run,
        "pruning": pruning.run,
        "ends of tasks": task_status_loop.run,
        "notifications": notification_service.run,
    }
    return LeaderLoops(leadership, loops)


def _notification_service(
    settings: Settings, core: Core, clock_watch: ClockWatch
) -> NotificationService:
    """What delivers to the receivers of the settings. Most managers have none."""
    ways: list[Delivery] = [HookProgram(hook) for hook in settings.hooks.values()]
    if settings.webhooks:
        from tui_manager.receivers.webhook import WebhookPost

        ways += [WebhookPost(webhook, core.clock.now) for webhook in settings.webhooks.values()]
    return NotificationService(core, clock_watch, manager_name(settings), ways)


def _leadership(
    core: Core, server_time: ServerTime, sessions: Sessions, settings: Settings
) -> Leadership:
    leadership = Leadership(core, server_time, manager_name(settings))
    given = [settings.advertise] if settings.advertise else []
    sessions.set_managers(given)

    def tell_agents(managers: ManagerGroup) -> None:
        sessions.set_managers(managers.agent_addresses or given)

    leadership.on_change.append(tell_agents)
    core.statistics.gauges.managers = lambda: leadership.known_managers
    core.statistics.gauges.clock_ahead = lambda: server_time.clock_ahead
    return leadership


def _share(
    parts: Parts, task_status_loop: TaskStatusLoop, schedule_loop: ScheduleLoop
) -> SharedParts:
    core, dispatch, sessions = parts.core, parts.dispatch, parts.sessions
    hosts, vitals = HostsElsewhere(core, dispatch, sessions), VitalsExchange(core)
    requests = GatewayRequestHandler(core, dispatch, sessions)
    bridge = ChangeBridge(core, parts.notifier, hosts, requests)
    leadership = parts.leadership
    leadership.vitals = lambda: vitals.packed
    leadership.on_change.append(
        lambda managers: bridge.follow_managers(managers, leadership.heard_at())
    )
    leadership.on_missed = hosts.note_missed
    running = RunningElsewhere(core)
    bridge.on_changes += [
        task_status_loop.note_changes,
        schedule_loop.note_changes,
        running.note_changes,
    ]
    return SharedParts(bridge, hosts, vitals, running, DatabaseWatch(core, sessions))


def _notifier(settings: Settings, database: Database, manager_id: str) -> Notifier:
    """How this manager tells the others on its database of changes.

    Raises:
        InvalidInputError: the client for NATS is missing.
    """
    new_link = database.new_message_link
    if new_link is None:
        return NoNotifier()
    if not settings.change_feed:
        return LinkNotifier(new_link)
    with nats_client_needed():
        from tui_manager.transport.change_feed.nats_link import NatsLink
    address = nats_address(settings.change_feed)
    return LinkNotifier(lambda: NatsLink(address, f"tui-manager.{manager_id}"))


def _connect_gauges(
    statistics: Statistics, sessions: Sessions, database: Database, notifier: Notifier
) -> None:
    gauges = statistics.gauges
    gauges.sessions = lambda: len(sessions)
    gauges.write_queue = lambda: database.waiting
    gauges.send_queue = lambda: sessions.waiting
    gauges.database_bytes = lambda: database.size
    gauges.log_bytes = lambda: database.log_size
    gauges.storage_problem = lambda: database.problem
    gauges.notifier_problem = lambda: notifier.problem


async def _make_tls(settings: Settings, parts: Parts, keys: KeyStore) -> TlsParts:
    core, now, fixed = parts.core, parts.core.clock.now, parts.core.database.shared
    authority = Authority(
        keys,
        core.manager_id,
        now,
        certificate=settings.authority_certificate,
        key=settings.authority_key,
        fixed=fixed,
    )
    host, _ = split_address(settings.listen)
    more = list(settings.server_names)
    if settings.advertise:
        more.append(split_address(settings.advertise)[0])
    names = await asyncio.to_thread(server_names, host, more)
    server = ServerIdentity(
        authority,
        keys.folder,
        names,
        now,
        certificate=settings.server_certificate,
        key=settings.server_key,
        fixed=fixed,
    )
    await claim_database(keys, core.database, authority, server)
    core.statistics.gauges.certificate_problem = lambda: server.problem
    enrolling = EnrollmentIdentity(keys, now)
    certificates = Certificates(server, enrolling)
    core.statistics.gauges.certificates = lambda: {
        "authority": authority.certificate.not_valid_after_utc,
        "server": server.ends,
        "enrollment": enrolling.ends,
    }
    port = EnrollmentPort(certificates.enrollment.pin, lambda: tls.enroll_port)
    enrollment = EnrollmentService(core, parts.sessions, authority, port)
    tls = TlsParts(certificates, AllPortCredentials(certificates), enrollment)
    return tls
