"""What operators do with a fleet. Each call goes to any of its managers that answers."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import TypeVar

from tests.faults.fleet.manager_of_fleet import ManagerOfFleet
from tests.faults.fleet.watching import GIVE_UP, Watching
from tests.support.waiting import wait_until
from tui_manager.domain.errors import IllegalMoveError, StorageError, UnreachableError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, RolloutSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, TaskSpec
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client.client import connect

Reply = TypeVar("Reply")


class Operators(Watching):
    """The operators of a fleet.

    Attributes:
        asked: the managers that they talk to.
    """

    asked: list[ManagerOfFleet]

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.dice = random.Random(f"{seed} operators")
        self.connections = AsyncExitStack()
        self._connected: dict[int, Operator] = {}  # by the process id of the manager

    async def ask(
        self,
        call: Callable[[Operator], Awaitable[Reply]],
        manager: ManagerOfFleet | None = None,
    ) -> Reply:
        """Calls the operator's API until a manager answers that has a database.

        Args:
            manager: None: any one.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + GIVE_UP
        while True:
            answering = [one for one in self.asked if one.answers]
            chosen = manager or self.dice.choice(answering or self.asked)
            try:
                return await self._ask(call, chosen)
            except (UnreachableError, StorageError) as error:
                if loop.time() > give_up_at:
                    raise AssertionError(f"No manager: {error}\n{self.explain()}") from None
                await asyncio.sleep(0.05)

    async def _ask(
        self, call: Callable[[Operator], Awaitable[Reply]], manager: ManagerOfFleet
    ) -> Reply:
        """Asks a manager once. A connection is kept while the manager answers: to make one takes
        the test and the manager five times as long as to ask. It is closed with the fleet, as
        several may ask."""
        pid = manager.node.pid
        try:
            if pid not in self._connected:
                connecting = connect(manager.state_dir)
                self._connected[pid] = await self.connections.enter_async_context(connecting)
            return await call(self._connected[pid])
        except UnreachableError:
            self._connected.pop(pid, None)
            raise

    async def see_online(self, *names: str) -> None:
        """Waits until all managers that are asked see these hosts online. Nobody is asked before
        the database says so: to ask takes far more CPU time."""
        query = "SELECT name FROM hosts WHERE online"
        await self.wait(
            f"{names} in the database",
            lambda: {row["name"] for row in self.rows(query)},
            lambda found: found >= set(names),
        )
        await self._see(names, online=True)

    async def see_offline(self, *names: str) -> None:
        """Waits until all managers that are asked see these hosts offline."""
        await self._see(names, online=False)

    async def run(
        self,
        target: str,
        *commands: CommandSpec,
        offline: Offline = Offline.FAIL,
        rollout: RolloutSpec = ALL_AT_ONCE,
    ) -> int:
        """Creates and starts a task; returns its task_id.

        A manager that dies before it answers may leave a task that is never started, but none that
        is and that nobody waits for.
        """
        spec = TaskSpec(target, commands, name="fault", offline=offline, rollout=rollout)
        task_id = await self.ask(lambda operator: operator.create_task(spec))

        async def start(operator: Operator) -> None:
            if await operator.get_task_status(task_id) is TaskStatus.PENDING:
                await operator.start_task(task_id)

        await self.ask(start)
        return task_id

    async def cancel(self, task_id: int) -> None:
        """Cancels a task."""
        self.note(f"cancel task {task_id}")
        await self.ask(lambda operator: operator.cancel_task(task_id))

    async def cancel_if_running(self, task_id: int) -> bool:
        """Cancels a task unless it has just ended; whether it did."""
        self.note(f"cancel task {task_id}")
        return await self._moved(lambda operator: operator.cancel_task(task_id))

    async def cancel_on_host(self, task_id: int, name: str) -> bool:
        """Cancels a task on one of its hosts unless it has just ended there; whether it did."""
        self.note(f"cancel task {task_id} on {name}")
        (row,) = self.rows("SELECT host_id FROM hosts WHERE name = ?", name)
        return await self._moved(lambda operator: operator.cancel_task(task_id, (row["host_id"],)))

    async def pause(self, task_id: int) -> bool:
        """Pauses a task unless it is paused, being canceled, or has just ended; whether it did."""
        self.note(f"pause task {task_id}")
        return await self._moved(lambda operator: operator.pause_task(task_id))

    async def resume(self, task_id: int) -> bool:
        """Ends the pause and the hold of a task; whether there was one."""
        self.note(f"resume task {task_id}")
        return await self._moved(lambda operator: operator.resume_task(task_id))

    async def attention(self, manager: ManagerOfFleet | None = None) -> tuple[str, ...]:
        """The sentences that need an operator, as a manager shows them."""
        return await self.ask(_attention, manager)

    async def said_by(self, manager: ManagerOfFleet) -> tuple[str, ...]:
        """What an operator reads who asks this manager now for what needs attention: its sentences,
        or why there are none."""
        try:
            return await self._ask(_attention, manager)
        except (UnreachableError, StorageError) as error:
            return (str(error),)

    async def _see(self, names: Sequence[str], *, online: bool) -> None:
        async def ask(operator: Operator) -> set[str]:
            page = await operator.list_hosts(Window(limit=1000))
            return {host.name for host in page.rows if host.online is online}

        async def seen() -> set[str]:
            found = set(names)
            for manager in [one for one in self.asked if one.answers] or self.asked[:1]:
                found &= await self.ask(ask, manager)
            return found

        try:
            await wait_until(seen, lambda found: found >= set(names), GIVE_UP)
        except AssertionError as error:
            raise AssertionError(f"waiting for {names}: {error}\n{self.explain()}") from None

    async def _moved(self, call: Callable[[Operator], Awaitable[None]]) -> bool:
        try:
            await self.ask(call)
        except IllegalMoveError:
            return False
        return True


async def _attention(operator: Operator) -> tuple[str, ...]:
    return tuple(alert.text for alert in (await operator.manager_status()).attention)
