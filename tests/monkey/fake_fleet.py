"""A fleet of the fake operator to which anything can happen."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from random import Random

from tests.monkey.fake_timetable import FakeTimetable
from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.domain.errors import ManagerError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission, Reason, Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.tasks.transitions import Operation

NAMES = ("upgrade", "restart [web]", "备份 🚀 nightly", "x" * 80, "[/b]", "a\x1b[31mb\x07", "-v")
TARGETS = ("@all", "role=db", "role=web", "env=prod", "web*", "db1", "web[01-30]")
LABELS: tuple[dict[str, str], ...] = (
    {"role": "db"},
    {"role": "web", "env": "prod"},
    {"env": "[b]"},
    {"a": "备份" * 9},
    {},
)
OUTPUTS = (
    b"one line\n", b"\x1b[31mred\x1b[0m and \x1b[2J gone\n", b"Progress 10%\rProgress 20%\r",
    b"\xff\xfe\x80 no text\n", "备份 🚀 é\n".encode(), b"[b]not bold[/b] [@click=x]y[/]\n",
    b"\tindented\x08\x07\x00\n", b"w" * 4000 + b"\n", b"no end", b"\r\n\r\n", b"line\n" * 60,
    b"\x1b]0;title\x07\x9b31m\n", "\u202eright\u200b to left\u0301\n".encode(),
)  # fmt: skip
TIMETABLE = (
    "save_template", "delete_template", "add_schedule", "edit_schedule", "pause_schedule",
    "delete_schedule", "problem", "due",
)  # fmt: skip
HOSTS, TASKS = (30, 400), 12  # at the start; a list holds some 130 rows
HOSTS_MOST, TASKS_MOST = 500, 80


class FakeFleet:
    """Does to the operator what hosts, agents and other operators do."""

    def __init__(self, seed: int) -> None:
        self.operator = FakeOperator()
        self.operator.security = "mTLS"
        self._random = Random(seed)
        self._timetable = FakeTimetable(self.operator)

    async def fill(self) -> None:
        """Hosts of all kinds, and tasks in the middle of their work."""
        random = self._random
        for _ in range(random.choice(HOSTS)):
            self._host_comes()
        for _ in range(3):
            self._host_asks()
        for _ in range(TASKS):
            await self.create_task()
            if random.random() < 0.8:
                await self.start_task()
        for _ in range(60):
            self.print()
            self.end_run()
        await self._timetable.fill(random)
        for number in list(self.operator.tasks)[:3]:  # longer than a pane
            for row in list(self.operator.tasks[number].rows.values())[:3]:
                if not row.status.ended:
                    self.operator.emit(row.execution_id, b"line\n" * 60)

    async def change(self, kind: str, number: int) -> None:
        """One change. What it meets comes from the number, and from what there is."""
        self._random = Random(number)
        plain: dict[str, Callable[[], None]] = {
            "print": self.print,
            "end_run": self.end_run,
            "host_goes": self._host_goes,
            "host_comes": self._host_comes,
            "host_asks": self._host_asks,
            "relabel": self._relabel,
            "vitals": self._vitals,
            "attention": self._attention,
            "audit": self._audit,
        }
        if kind in plain:
            plain[kind]()
        elif kind in TIMETABLE:
            with self._answering():
                await self._timetable.change(kind, self._random)
        elif kind == "host_admitted":
            await self._decide(Admission.PENDING, admit=True)
        elif kind == "host_turned_away":
            await self._decide(self._random.choice([Admission.PENDING, Admission.ADMITTED]))
        elif kind == "cancel_task":
            await self._cancel_task()
        elif kind == "create_task":
            await self.create_task()
        else:
            await self.start_task()

    def tell_figures(self) -> None:
        """What a manager says once a second."""
        self.operator.publish(Changes(manager=True))

    # Tasks.

    async def create_task(self) -> None:
        """Another operator's."""
        if len(self.operator.tasks) >= TASKS_MOST:
            return
        random = self._random
        commands = tuple(CommandSpec("true") for _ in range(random.choice((1, 1, 1, 2))))
        spec = TaskSpec(random.choice(TARGETS), commands, random.choice(NAMES))
        with self._answering():
            await self.operator.create_task(spec)

    async def start_task(self) -> None:
        """One that waits."""
        pending = [number for number, task in self.operator.tasks.items() if not task.rows]
        await self._quietly(pending, self.operator.start_task)

    async def _cancel_task(self) -> None:
        rows = [task.row for task in self.operator.tasks.values()]
        open_tasks = [row.task_id for row in rows if not row.status.ended and not row.canceling]
        await self._quietly(open_tasks, self.operator.cancel_task)

    async def _quietly(self, ids: list[int], act: Callable[[int], Awaitable[object]]) -> None:
        """Acts on one of them."""
        if ids:
            with self._answering(), suppress(ManagerError):  # its target may name nobody
                await act(self._random.choice(ids))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Others are answered, also while the dashboard is cut off."""
        failure, self.operator.failure = self.operator.failure, None
        try:
            yield
        finally:
            self.operator.failure = failure

    def _open_row(self) -> CommandHost | None:
        tasks = [task for task in self.operator.tasks.values() if not task.row.status.ended]
        rows = [row for task in tasks for row in task.rows.values() if not row.status.ended]
        return self._random.choice(rows) if rows else None

    def print(self) -> None:
        """A command prints."""
        if (row := self._open_row()) is not None:
            for _ in range(self._random.choice((1, 1, 3))):
                stream = self._random.choice((Stream.STDOUT, Stream.STDOUT, Stream.STDERR))
                self.operator.emit(row.execution_id, self._random.choice(OUTPUTS), stream)

    def end_run(self) -> None:
        """A command ends, well or not."""
        if (row := self._open_row()) is None:
            return
        act, name = self.operator, row.execution_id
        if row.canceling:
            act.apply(name, Operation.CONFIRM_CANCEL, Reason.CANCELED, detail="pid 7")
            return
        match self._random.randrange(6):
            case 0:
                act.apply(name, Operation.TIME_OUT, Reason.TIMEOUT)
            case 1:
                act.apply(name, Operation.LOSE_AGENT, Reason.AGENT_LOST)
            case 2:
                act.finish(name, self._random.choice((1, 100, 255)))
            case _:
                act.finish(name)

    # Hosts.

    def _host(self, *admissions: Admission) -> Host | None:
        fit = [host for host in self.operator.hosts.values() if host.admission in admissions]
        return self._random.choice(fit) if fit else None

    def _host_comes(self) -> None:
        """A new one, or one that was away."""
        random, host = self._random, self._host(Admission.ADMITTED)
        if host is not None and not host.online:
            vitals = Vitals(20.0, 0.5, 1 << 30, 16 << 30, cores=8)
            self.operator.change_host(
                host.name, online=True, vitals=vitals, since=self.operator.now()
            )
        elif len(self.operator.hosts) < HOSTS_MOST:
            kind = random.choice(("web", "web", "db"))
            self.operator.add_host(
                f"{kind}{len(self.operator.hosts):02}",
                labels=dict(random.choice(LABELS)),
                cpu=(random.random() * 100, random.random() * 100),
                running=random.choice((0, 0, 2)),
            )

    def _host_goes(self) -> None:
        if (host := self._host(Admission.ADMITTED)) is not None:
            self.operator.change_host(
                host.name, online=False, vitals=None, since=self.operator.now()
            )

    def _host_asks(self) -> None:
        if len(self.operator.hosts) >= HOSTS_MOST:
            return
        random = self._random
        self.operator.add_host(
            f"{random.choice(('a', 'new', 'zz'))}{len(self.operator.hosts):02}",
            admission=Admission.PENDING,
            fingerprint="lusab-babad-gutih",
            note=random.choice(("", "", "same machine as web01 [b]")),
        )

    async def _decide(self, admission: Admission, *, admit: bool = False) -> None:
        if (host := self._host(admission)) is None:
            return
        with self._answering():
            if admit:
                await self.operator.approve_hosts([host.host_id])
            elif admission is Admission.PENDING:
                await self.operator.reject_hosts([host.host_id])
            else:
                await self.operator.revoke_hosts([host.host_id])

    def _relabel(self) -> None:
        if (host := self._host(Admission.ADMITTED)) is not None:
            self.operator.change_host(host.name, labels=dict(self._random.choice(LABELS)))

    def _vitals(self) -> None:
        """Readings of some hosts, as they come twice a second."""
        for _ in range(5):
            host = self._host(Admission.ADMITTED)
            if host is not None and isinstance(host.vitals, Vitals):
                percent = self._random.random() * 100
                vitals = replace(
                    host.vitals, cpu_percent=percent, running=self._random.randrange(3)
                )
                self.operator.change_host(
                    host.name, vitals=vitals, cpu_history=(*host.cpu_history[-19:], percent)
                )

    # The manager.

    def _attention(self) -> None:
        sentences = [f"db{n} has been offline for {n} s [b]." for n in range(4)]
        self.operator.attention = tuple(map(Alert, sentences[: self._random.randrange(5)]))
        self.operator.clock += timedelta(seconds=self._random.randrange(90))
        self.tell_figures()

    def _audit(self) -> None:
        host = self._host(Admission.ADMITTED)
        self.operator.record("violation", actor="manager", host=host, text="[b]odd\x1b[2J")
