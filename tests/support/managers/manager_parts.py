"""The services on a real database, with a dispatcher that records and a clock that tests turn."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.databases import repeated_units
from tests.support.databases.engines import database_in
from tests.support.databases.repeated_units import RepeatingDatabase
from tests.support.managers.enrolled_hosts import (
    NotingAuthority,
    RecordingSessions,
    enrollment,
    peer,
)
from tui_manager import __version__
from tui_manager.domain.errors import AgentUnavailableError
from tui_manager.domain.hosts.agent_messages import (
    AgentHello,
    ExecutionReport,
    Held,
    Output,
    Result,
    Run,
    Started,
    StreamTotal,
)
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.security.key_store import FolderKeys
from tui_manager.security.secret_box import SecretBox
from tui_manager.service.core.change_feed import ChangeFeed
from tui_manager.service.core.clock import Clock, ClockWatch
from tui_manager.service.core.core import Core, load_core
from tui_manager.service.core.hosts.host_search import search
from tui_manager.service.core.server_time import ServerTime
from tui_manager.service.core.statistics import Statistics
from tui_manager.service.dispatch.command_secrets import CommandSecrets
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop
from tui_manager.service.enrollment.admission_service import AdmissionService
from tui_manager.service.enrollment.enrollment_service import (
    Enrolled,
    EnrollmentPort,
    EnrollmentService,
)
from tui_manager.service.enrollment.host_management_service import HostManagementService
from tui_manager.service.files.clean_up_files import FilesCleanUp
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.hosts.fail_commands_of_lost_hosts import HostTimeouts
from tui_manager.service.hosts.host_service import HostService, OpenedSession
from tui_manager.service.hosts.stall_watch import StallWatch
from tui_manager.service.limits import Limits
from tui_manager.service.managers.leader_loops import LeaderLoops
from tui_manager.service.managers.leadership import Leadership
from tui_manager.service.managers.task_status_loop import TaskStatusLoop
from tui_manager.service.reports.report_service import ReportService
from tui_manager.service.rollout.rollout_loop import RolloutLoop
from tui_manager.service.schedules.make_task import TaskMaker
from tui_manager.service.schedules.schedule_loop import ScheduleLoop
from tui_manager.service.schedules.schedule_service import ScheduleService
from tui_manager.service.tasks.pruning_loop import PruningLoop
from tui_manager.service.tasks.task_service import TaskService
from tui_manager.service.templates.template_service import TemplateService
from tui_manager.service.transfers.transfers import Transfers
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.maintenance.check import Finding, contradictions
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.hosts.hosts import HostRow
from tui_manager.storage.views import audit_list

_IDS = ("journal_id", "machine_id", "instance_id")
MANAGER_ID = "00000000-0000-4000-8000-000000000001"


@dataclass
class TurnedClock:
    """Both clocks, turned by hand."""

    instant: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    seconds: float = 1000.0

    def turn(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(
            now=lambda: self.instant,
            monotonic=lambda: self.seconds,
            boottime=lambda: self.seconds,
        )


@dataclass
class RecordingDispatcher:
    """A TaskDispatcher that keeps what it was given; `broken` hosts take nothing."""

    sent: list[tuple[str, Run]] = field(default_factory=list)
    cancels: list[tuple[str, str]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    rooms: dict[str, int] = field(default_factory=dict)

    def room(self, host_id: str) -> int:
        return self.rooms.get(host_id, 64)

    async def send_command_to_agent(self, host_id: str, run: Run) -> None:
        if host_id in self.broken:
            raise AgentUnavailableError("broken by the test")
        self.sent.append((host_id, run))

    async def send_cancel_to_agent(self, host_id: str, execution_id: str) -> None:
        if host_id in self.broken:
            raise AgentUnavailableError("broken by the test")
        self.cancels.append((host_id, execution_id))


@dataclass
class Parts:
    """What a test works with."""

    core: Core
    dispatcher: RecordingDispatcher
    dispatch: DispatchLoop
    leadership: Leadership
    planning: LeaderLoops
    task_status_loop: TaskStatusLoop
    rollout_loop: RolloutLoop
    stalls: StallWatch
    silence: HostTimeouts
    watch: ClockWatch
    pruning: PruningLoop
    hosts: HostService
    reports: ReportService
    tasks: TaskService
    admission: AdmissionService
    host_management: HostManagementService
    templates: TemplateService
    schedules: ScheduleService
    schedule_loop: ScheduleLoop
    enrollment: EnrollmentService
    sessions: RecordingSessions
    authority: NotingAuthority
    clock: TurnedClock
    files: FileStore
    files_clean_up: FilesCleanUp
    transfers: Transfers
    seen: int = 0  # of the commands that the dispatcher was given
    consistent_at: int = -1  # a number of `units_written`

    def __post_init__(self) -> None:
        self.database, self.directory = self.core.database, self.core.directory
        self.statistics, self.feed = self.core.statistics, self.core.feed
        self.violations, self.limits = self.core.violations, self.core.limits

    async def contradictions(self) -> list[Finding]:
        """What is contradictory in the database. It is looked for again only after a write."""
        written = repeated_units.units_written()
        if written != self.consistent_at:
            found = await self.database.read(contradictions)
            if found:
                return found
            self.consistent_at = written
        return []

    async def connect(self, name: str, **given: Any) -> OpenedSession:
        """A host dials in without TLS."""
        return await self.hosts.open_session(greeting(name, **given), None)

    async def token(self, **given: Any) -> str:
        """The text of a new join token."""
        return (await self.enrollment.create_token(TokenSpec(**given), "ana@pts/3")).text

    async def enroll(self, name: str, *, auto_approve: bool = False, **given: Any) -> Enrolled:
        """A host enrols with a token of its own."""
        token = given.pop("token", "") or await self.token(auto_approve=auto_approve)
        return await self.enrollment.enroll(enrollment(token, name, **given))

    async def dial(self, host_id: str, name: str, *, key: str = "", **given: Any) -> OpenedSession:
        """An enrolled host dials with its certificate; `key`: the name with which it enrolled."""
        who = key or name
        ids = {part: f"{part.removesuffix('_id')}-{who}" for part in _IDS}
        return await self.hosts.open_session(greeting(name, **{**ids, **given}), peer(host_id, who))

    def list_hosts(self, window: Window) -> Page[Host]:
        """Hosts as lists show them."""
        return search(self.directory, window, self.core.clock.now(), self.limits.groups)

    def fall_silent(self) -> None:
        """No agent is heard for so long that it may have died. The sessions stay open."""
        self.clock.turn(2 * self.limits.heartbeat.total_seconds())

    async def member(self, name: str, **given: Any) -> OpenedSession:
        """A host that has enrolled, was admitted and is connected."""
        enrolled = await self.enroll(name, auto_approve=True, **given)
        return await self.dial(enrolled.host_id, name)

    async def audited(self, *actions: str) -> list[AuditEntry]:
        """The audit, the oldest first: all of it, or only these actions."""
        await self.violations.audit.write_due()
        page = await self.database.read(lambda tx: audit_list.window(tx, Window(limit=1000)))
        return [entry for entry in page.rows[::-1] if not actions or entry.action in actions]

    async def send(self) -> list[tuple[str, Run]]:
        """Sends everything that may be sent, and returns what was sent since the last call."""
        if self.leadership.leads:
            await self.rollout_loop.run_once()
        while await self.dispatch.send_next():
            pass
        before, self.seen = self.seen, len(self.dispatcher.sent)
        return self.dispatcher.sent[before:]

    async def started(self, target: str, *texts: str | CommandSpec, **given: Any) -> int:
        """A task that was created and started, and whose commands were sent."""
        task_id = await self.tasks.create_task(spec(target, *texts, **given))
        await self.tasks.start_task(task_id)
        await self.send()
        return task_id

    async def rows(self, task_id: int) -> list[CommandHost]:
        """All command hosts of a task by command and host."""
        page = await self.tasks.list_command_hosts(task_id, Window(sort="host", limit=1000))
        return list(page.rows)

    async def row(self, execution_id: str, task_id: int) -> CommandHost:
        """One command host."""
        return next(row for row in await self.rows(task_id) if row.execution_id == execution_id)

    async def report(self, host_id: str, *items: Started | Output | Result) -> Any:
        """An agent reports."""
        return await self.reports.handle_report(
            host_id,
            ExecutionReport(
                started=tuple(item for item in items if isinstance(item, Started)),
                output=tuple(item for item in items if isinstance(item, Output)),
                results=tuple(item for item in items if isinstance(item, Result)),
            ),
        )


def stored_hosts(tx: Transaction) -> list[HostRow]:
    """Every host that was not removed, as the database has it."""
    return [row for row in hosts.changed_since(tx, 0)[0] if not row.removed]


def _store_manager_id(tx: Transaction) -> None:
    """Every manager of the tests has the same id, also when it is started again."""
    tx.execute("DELETE FROM manager")
    tx.execute("INSERT INTO manager (manager_id, created_at) VALUES (?, 0)", (MANAGER_ID,))


def greeting(name: str, **given: Any) -> AgentHello:
    """A Hello of a host called `name`."""
    values: dict[str, Any] = {
        "name": name,
        "host_id": "",
        "manager_id": "",
        "journal_id": f"journal-{name}",
        "machine_id": f"machine-{name}",
        "boot_id": "boot",
        "instance_id": f"instance-{name}",
        "hostname": name,
        "os": "Linux",
        "arch": "x86_64",
        "labels": {},
        "capacity": 5,
        "agent_version": __version__,
        "address": "127.0.0.1:1",
        "held": (),
    }
    held = tuple(given.pop("held", ()))
    assert all(isinstance(item, Held) for item in held)
    return AgentHello(**{**values, **given, "held": held})


def spec(target: str, *texts: str | CommandSpec, **given: Any) -> TaskSpec:
    """A task of some commands."""
    commands = tuple(
        text if isinstance(text, CommandSpec) else CommandSpec(text)
        for text in (texts or ("true",))
    )
    return TaskSpec(target=target, commands=commands, created_by="ana@pts/3", **given)


def result(
    execution_id: str,
    status: CommandHostStatus = CommandHostStatus.COMPLETED,
    reason: Reason = Reason.NONE,
    **given: Any,
) -> Result:
    """A result after one second, just now; exit code 0 when it completed."""
    if status is CommandHostStatus.COMPLETED:
        given.setdefault("exit_code", 0)
    given.setdefault("duration", timedelta(seconds=1))
    return Result(execution_id, status, reason, **given)


def failed(execution_id: str, code: int = 1) -> Result:
    """A result with an exit code that is not 0."""
    return result(execution_id, CommandHostStatus.FAILED, Reason.EXIT_CODE, exit_code=code)


def totals(stdout: int = 0, stderr: int = 0) -> dict[Stream, StreamTotal]:
    """The totals of a result, nothing dropped."""
    return {Stream.STDOUT: StreamTotal(stdout), Stream.STDERR: StreamTotal(stderr)}


@contextlib.asynccontextmanager
async def manager_parts(
    folder: Path, turned: TurnedClock | None = None, key: str = "", **limits: Any
) -> AsyncIterator[Parts]:
    """The services on a database in `folder`. They are left as if the manager was killed.

    Args:
        key: names it among several managers of the database; its files have a folder of their own.
    """
    turned = turned or TurnedClock()
    clock, feed = turned.clock(), ChangeFeed()
    statistics, dispatcher = Statistics(feed, clock), RecordingDispatcher()
    given = Limits(**{"free_disk": 0, **limits})
    opening = open_database(database_in(folder), statistics.record_transaction, key=key)
    async with opening as opened, contextlib.AsyncExitStack() as stack:
        database = RepeatingDatabase(opened)
        watch = ClockWatch(database, clock, feed)
        await watch.begin()
        await database.write(_store_manager_id)
        core = await load_core(database, given, clock, feed, statistics)
        secrets = CommandSecrets(SecretBox(FolderKeys(folder / "security").secrets_key()))
        dispatch = DispatchLoop(core, dispatcher, secrets)
        rollout_loop = RolloutLoop(core, dispatch, watch)
        sessions, authority = RecordingSessions(), NotingAuthority()
        files = FileStore(core, folder / key, watch)
        await files.begin()
        stack.push_async_callback(files.close)
        tasks = TaskService(core, dispatcher, dispatch, secrets, rollout_loop, files)
        maker = TaskMaker(core, tasks.starter)
        schedule_loop = ScheduleLoop(core, tasks.starter, maker, watch)
        leadership = Leadership(core, ServerTime(clock))
        await leadership.begin()
        stalls = StallWatch(core)
        silence, pruning = HostTimeouts(core, watch, stalls), PruningLoop(core, watch)
        task_status_loop = TaskStatusLoop(core, rollout_loop)
        loops = {
            "rollouts": rollout_loop.run,
            "schedules": schedule_loop.run,
            "host timeouts": silence.run,
            "pruning": pruning.run,
            "ends of tasks": task_status_loop.run,
        }
        yield Parts(
            core=core,
            dispatcher=dispatcher,
            dispatch=dispatch,
            leadership=leadership,
            planning=LeaderLoops(leadership, loops),
            task_status_loop=task_status_loop,
            rollout_loop=rollout_loop,
            stalls=stalls,
            silence=silence,
            watch=watch,
            pruning=pruning,
            hosts=HostService(core, dispatch),
            reports=ReportService(core, dispatch),
            tasks=tasks,
            admission=AdmissionService(core, dispatch, sessions),
            host_management=HostManagementService(core),
            templates=TemplateService(core, files),
            schedules=ScheduleService(core, tasks.starter, maker, schedule_loop),
            schedule_loop=schedule_loop,
            enrollment=EnrollmentService(
                core, sessions, authority, EnrollmentPort("pin", lambda: None)
            ),
            sessions=sessions,
            authority=authority,
            clock=turned,
            files=files,
            files_clean_up=FilesCleanUp(core, files, watch),
            transfers=Transfers(core, files, stalled_after=0.05),
        )


_STATUSES = ("pending", "running", "completed", "failed", "timeout", "canceled", "skipped")
RECOUNT = (
    "SELECT count(*) AS total, "
    + ", ".join(f"count(*) FILTER (WHERE status = '{name}') AS {name}" for name in _STATUSES)
    + " FROM command_hosts WHERE {key} = ?"
)


def counters_differ(tx: Transaction) -> list[str]:
    """Every counter of a task or a command that is not what a recount gives."""
    counted = "" if isinstance(tx, sqlite3.Connection) else "counted_"  # there, views count
    wrong = []
    for table, key in (("tasks", "task_id"), ("commands", "command_id")):
        for row in tx.execute(f"SELECT * FROM {counted}{table}").fetchall():
            recount = tx.execute(RECOUNT.format(key=key), (row["id"],)).fetchone()
            wrong += [
                f"{table} {row['id']}.{name}: {row[name]}, recount {recount[name]}"
                for name in recount.keys()  # noqa: SIM118
                if row[name] != recount[name]
            ]
    return wrong
