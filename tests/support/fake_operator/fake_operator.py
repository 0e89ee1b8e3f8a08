"""An operator's API in memory that behaves truthfully: moves go by the domain's table, counts are
recounts, output is appended, changes are coalesced. Tests script it; nothing here is timed."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from tests.support.fake_operator.fake_core import EVERYTHING as EVERYTHING
from tests.support.fake_operator.fake_core import START as START
from tests.support.fake_operator.fake_new_task import FakeNewTask
from tests.support.fake_operator.fake_security import FakeSecurity
from tests.support.fake_operator.fake_templates import FakeTemplates
from tests.support.fake_operator.tasks.fake_reruns import FakeReruns
from tests.support.fake_operator.tasks.fake_rows import FakeTask, run_of_host
from tests.support.fake_operator.tasks.fake_transfers import FakeTransfers
from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.hosts.host import TASKS_SHOWN, Host, HostDetail
from tui_manager.domain.hosts.vitals import VitalsPoint
from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.gateway import Gateway
from tui_manager.domain.manager.manager_status import Health, ManagerStatus
from tui_manager.domain.manager.notification import Answer, ReceiverStatus
from tui_manager.domain.status import Admission, TaskStatus
from tui_manager.operator.follow_task import follow_task
from tui_manager.operator.output_calls import TaskEvent


class FakeOperator(FakeTransfers, FakeSecurity, FakeTemplates, FakeReruns, FakeNewTask):
    """Implements the Operator Protocol over dicts.

    Args:
        now: the clock; `clock` holds the value that the default one tells.
    """

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(now)
        self.attention: tuple[Alert, ...] = ()
        self.health = Health(commit_seconds=0.0021, loop_lag_seconds=0.004, memory_bytes=64 << 20)
        self.closed = False
        self.facts: dict[str, dict[str, str]] = {}  # by host_id
        self.vitals_history: dict[str, tuple[VitalsPoint, ...]] = {}  # by host_id
        self.admissions: dict[str, tuple[datetime, str]] = {}  # by host_id: when, and by whom
        self.clock_ahead: timedelta | None = None
        self.address = "127.0.0.1:7443"
        self.managers: tuple[Gateway, ...] = ()  # that share the database, this one first
        self.manager_of: dict[str, str] = {}  # by host_id: the name of its manager
        self.receivers: tuple[ReceiverStatus, ...] = ()
        self.answers: dict[str, Answer] = {}  # of receivers that are tested, by name

    def follow_task(
        self, task_id: int, *, after: int = 0, host_id: str = "", output: bool = True
    ) -> AsyncGenerator[TaskEvent, None]:
        return follow_task(self, task_id, after=after, host_id=host_id, output=output)

    async def list_receivers(self) -> Sequence[ReceiverStatus]:
        return self.receivers

    async def test_receiver(self, name: str) -> Answer:
        if name not in self.answers:
            raise NotFoundError(f"The settings of this manager name no hook or webhook {name!r}.")
        return self.answers[name]

    @asynccontextmanager
    async def open(self) -> AsyncIterator["FakeOperator"]:
        """What the app opens on mount."""
        try:
            yield self
        finally:
            self.closed = True

    async def list_managers(self) -> Sequence[Gateway]:
        self._check("list_managers")
        began = START - timedelta(days=1)
        alone = Gateway(0, "m1", self.address, "0.1.0", began, True, True, False, self.now())
        return self.managers or (replace(alone, health=self.health),)

    async def accept_clock(self) -> bool:
        self._check("accept_clock")
        waited, self.clock_ahead = self.clock_ahead is not None, None
        return waited

    async def get_host(self, name: str) -> HostDetail:
        self._check("get_host")
        host = self._only(name)
        ran = [task for task in self.tasks.values() if self._ran_on(task, host)]
        ran.sort(key=lambda task: -task.row.task_id)
        admitted = self.admissions.get(host.host_id)
        return HostDetail(
            host=host,
            facts=self.facts.get(host.host_id, {}),
            facts_at=START if host.host_id in self.facts else None,
            tasks=tuple(task.row for task in ran[:TASKS_SHOWN]),
            operator_labels=self.operator_labels.get(host.host_id, {}),
            vitals_history=self.vitals_history.get(host.host_id, ()),
            runs=tuple(run_of_host(task, host) for task in ran[:TASKS_SHOWN]),
            admitted_at=admitted and admitted[0],
            admitted_by=admitted[1] if admitted else "",
            manager=self.manager_of.get(host.host_id, ""),
        )

    def _ran_on(self, task: FakeTask, host: Host) -> bool:
        return any(row.host_id == host.host_id for row in task.rows.values())

    async def manager_status(self) -> ManagerStatus:
        self._check("manager_status")
        rows = self.known
        admitted = [host for host in rows if host.admission is Admission.ADMITTED]
        today = self.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return ManagerStatus(
            manager_id="manager-1",
            version="0.1.0",
            pid=4242,
            state_dir="/var/lib/tui-manager",
            address=self.address,
            security=self.security,
            started_at=START - timedelta(days=1),
            recovering=False,
            hosts_total=len(admitted),
            hosts_online=sum(host.online for host in admitted),
            hosts_pending=sum(host.admission is Admission.PENDING for host in rows),
            tasks_running=sum(t.row.status is TaskStatus.RUNNING for t in self.tasks.values()),
            attention=self.attention,
            health=self.health,
            enroll_address="" if self.security == "insecure" else "127.0.0.1:7444",
            clock_ahead=self.clock_ahead,
            clock_waits=timedelta(hours=23) if self.clock_ahead else None,
            kill_grace=timedelta(seconds=10),
            hosts_offline=sum(
                not host.online and not host.maintenance and host.admission is Admission.ADMITTED
                for host in rows
            ),
            hosts_busy=sum(bool(host.running) for host in rows),
            tasks_failed_today=sum(
                t.row.status is TaskStatus.FAILED and t.row.finished_at >= today
                for t in self.tasks.values()
                if t.row.finished_at
            ),
            other_managers=len(self.managers[1:]),
            others_alive=sum(one.alive for one in self.managers[1:]),
            leader=next((one.name for one in self.managers if one.leads and one.alive), ""),
            leads=any(one.leads for one in self.managers[:1]),
            number=self.managers[0].number if self.managers else 0,
        )
