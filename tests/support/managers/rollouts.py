"""A fleet of emulated hosts for rollouts: each answers what it is sent, when a test says so."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.managers.manager_parts import Parts, result
from tui_manager.domain.hosts.agent_messages import Held, HeldState, Run
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.rollout_spec import RolloutSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import CommandHost, Task
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.storage.engine.transaction import Transaction

# States of hosts, as `Fleet.states` names them.
COMPLETED, FAILED = "completed", "failed exit_code"
SPENT, EXPIRED = "skipped budget_spent", "skipped hold_expired"
UNDELIVERABLE = "failed undeliverable"

# A host of a batch that has not begun, and that has begun itself.
_BEFORE_ITS_BATCH = """
SELECT rh.task_id, rh.host FROM rollouts AS r
JOIN rollout_hosts AS rh ON rh.task_id = r.task_id AND rh.batch > r.batch
WHERE rh.state NOT IN ('waiting', 'ended')
"""


def rollout(**given: Any) -> RolloutSpec:
    """A rollout that has been checked."""
    spec = RolloutSpec(**given)
    spec.check()
    return spec


def host_names(count: int) -> list[str]:
    """`h001` to `h200`, in the order of the names."""
    return [f"h{number:03}" for number in range(1, count + 1)]


@dataclass
class Fleet:
    """Hosts of a manager.

    Attributes:
        sessions: by name.
        held: what each host was sent and has not answered, by its name, in order.
    """

    parts: Parts
    sessions: dict[str, OpenedSession] = field(default_factory=dict)
    held: dict[str, list[Run]] = field(default_factory=dict)

    async def connect(
        self,
        names: Iterable[str],
        host_ids: Mapping[str, str] | None = None,
        *,
        ended: bool = False,
    ) -> None:
        """These hosts dial in, the first time or again, with what they hold.

        Args:
            host_ids: of hosts that knew an earlier manager of this database.
            ended: what they hold has ended meanwhile; else it runs.
        """
        state = HeldState.ENDED if ended else HeldState.RUNNING
        known = {**(host_ids or {}), **{n: opened.host_id for n, opened in self.sessions.items()}}
        for name in names:
            runs = self.held.setdefault(name, [])
            held = tuple(Held(run.execution_id, state, has_result=ended) for run in runs)
            given = {"host_id": known[name]} if name in known else {}
            self.sessions[name] = await self.parts.connect(name, held=held, **given)
            self.parts.hosts.session_ready(self.sessions[name].host_id)

    async def disconnect(self, names: Iterable[str]) -> None:
        """The streams of these hosts break."""
        for name in names:
            session = self.sessions[name]
            await self.parts.hosts.close_session(session.host_id, session.generation, "test")

    async def start(self, target: str = "@all", *texts: str | CommandSpec, **given: Any) -> int:
        """A task with a rollout; what may begin is sent."""
        task_id = await self.parts.started(target, *texts, **given)
        await self.take()
        return task_id

    async def take(self) -> list[str]:
        """Hosts take what may be sent now; returns their names."""
        await self.parts.send()
        sent, self.parts.dispatcher.sent[:] = list(self.parts.dispatcher.sent), []
        self.parts.seen = 0
        names = {session.host_id: name for name, session in self.sessions.items()}
        for host_id, run in sent:
            self.held[names[host_id]].append(run)
        return [names[host_id] for host_id, _ in sent]

    async def report(self, name: str, code: int = 0) -> None:
        """A host reports the end of the oldest command that it holds."""
        end = (Status.FAILED, Reason.EXIT_CODE) if code else (Status.COMPLETED, Reason.NONE)
        await self.report_end(name, *end)

    async def report_end(self, name: str, status: Status, reason: Reason) -> None:
        """The same, for any end."""
        await self._report(name, [self.held[name].pop(0)], status, reason)

    async def report_all(
        self, name: str, status: Status = Status.COMPLETED, reason: Reason = Reason.NONE
    ) -> None:
        """A host reports the end of all that it holds, in one report."""
        runs, self.held[name] = self.held[name], []
        await self._report(name, runs, status, reason)

    async def _report(self, name: str, runs: Sequence[Run], status: Status, reason: Reason) -> None:
        given = {"exit_code": 1} if reason is Reason.EXIT_CODE else {}
        ends = [result(run.execution_id, status, reason, **given) for run in runs]
        await self.parts.report(self.sessions[name].host_id, *ends)

    async def answer(self, name: str, code: int = 0) -> list[str]:
        """The same; returns the names of the hosts that are sent something after it."""
        await self.report(name, code)
        return await self.take()

    def busy(self) -> list[str]:
        """The names of the hosts that hold something."""
        return [name for name, runs in self.held.items() if runs]

    async def finish(self, code: Callable[[str], int] = lambda _name: 0) -> None:
        """Hosts answer, one after another, until none holds anything."""
        while busy := self.busy():
            for name in busy:
                await self.answer(name, code(name))

    async def finish_together(self) -> None:
        """The same, but each host answers all that it holds at once, with success."""
        while busy := self.busy():
            for name in busy:
                await self.report_all(name)
            await self.take()

    async def task(self, task_id: int) -> Task:
        """The task as an operator sees it, after a look for contradictions."""
        assert await self.parts.contradictions() == []
        assert await self.parts.database.read(begun_before_their_batch) == []
        return (await self.parts.tasks.get_task(task_id)).task

    async def states(self, task_id: int, command: int = 0) -> dict[str, str]:
        """The status of one command of a task by host, with the reason if there is one."""
        await self.task(task_id)
        rows = await self.parts.rows(task_id)
        return {row.host: _state(row) for row in rows if row.command == command}

    async def counts(self, task_id: int) -> Counter[str]:
        """How many hosts have which state in the first command."""
        return Counter((await self.states(task_id)).values())


def _state(row: CommandHost) -> str:
    return f"{row.status} {row.reason}".strip()


def begun_before_their_batch(tx: Transaction) -> list[tuple[int, int]]:
    """(task, host) of each host that has begun before its batch."""
    return [tuple(row) for row in tx.execute(_BEFORE_ITS_BATCH)]
