"""`tui-manager demo`: the dashboard with real local agents, in a temporary folder."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tui_manager.cli.commands.dashboard import check_terminal, opened, show, signal_handlers
from tui_manager.cli.commands.demo_agents import DemoAgents, agent_program, host_names
from tui_manager.client.read_lists import all_command_hosts, all_hosts, all_tasks
from tui_manager.domain.errors import IllegalMoveError, ManagerError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.status import Admission, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.logs import log_to_file, redirect_stderr_for_dashboard
from tui_manager.operator.api import Operator
from tui_manager.operator.watching import watching
from tui_manager.settings import Settings

READY_SECONDS = 120.0  # limit until the agents have joined and run the first task
END_SECONDS = 10.0  # limit for running tasks to end when the demo ends
QUIT_TEXT = "The demo ends: its agents, everything that they run, and its folder."
_LOOK_SECONDS = 0.1  # between two checks of the agents' processes
_KILL_GRACE = timedelta(seconds=2)
_PROGRESS = {Admission.PENDING: "have enrolled", Admission.ADMITTED: "belong and are online"}

HELLO = TaskSpec(
    target="@all",
    name="hello",
    description="The first task of the demo.",
    commands=(CommandSpec('echo "hello from a $(uname -s) host"; uname -r; date'),),
    created_by="demo",
)


def demo_settings(folder: Path, user: Settings) -> Settings:
    """The settings of a demo in a folder: of what the user has set, only what the dashboard looks
    like, its keys, and how it calls."""
    return Settings(
        state_dir=folder / "manager",
        log_dir=folder / "log",
        listen="127.0.0.1:0",
        kill_grace=_KILL_GRACE,
        keys=user.keys,
        theme=user.theme,
        notify=user.notify,
        notify_after=user.notify_after,
    )


def run_demo(count: int, user: Settings) -> int:
    """Shows a dashboard with `count` agents, and returns the exit status."""
    check_terminal("run `tui-manager demo` in one")
    agent_program()
    with (
        signal_handlers((signal.SIGTERM, signal.SIGHUP), _end),
        tempfile.TemporaryDirectory(prefix="tui-manager-demo-", ignore_cleanup_errors=True) as made,
    ):
        folder = Path(made)
        settings = demo_settings(folder, user)
        log_file = log_to_file(settings)
        with redirect_stderr_for_dashboard(log_file):
            return _show_fleet(settings, folder, log_file, count)


def _show_fleet(settings: Settings, folder: Path, log_file: Path, count: int) -> int:
    from tui_manager.run_manager import manager_thread

    with manager_thread(settings) as manager:
        fleet = DemoAgents(folder, manager.address)
        try:
            asyncio.run(_prepare(manager.operator, fleet, count))
            return show(opened(manager.operator), log_file, settings, quit_text=QUIT_TEXT)
        finally:
            _clean_up(manager.operator, fleet)


async def _prepare(operator: Operator, fleet: DemoAgents, count: int) -> None:
    """Starts agents that enrol, approves them, and runs a first task on them."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            token = await operator.create_token(TokenSpec(uses=count))
            fleet.start(host_names(count), token.text)
            await _approve(operator, fleet, await _until(operator, fleet, Admission.PENDING))
            await _until(operator, fleet, Admission.ADMITTED)
            hello = await operator.start_new_task(HELLO)
            await _wait_for_end(operator, {hello.task_id})
    except TimeoutError:
        words = "\n".join(f"{agent.name}: {agent.last_words}" for agent in fleet.agents)
        raise ManagerError(
            f"Not all {count} agents were ready after {READY_SECONDS:g} s.\n{words}"
        ) from None
    finally:
        _print("\n")


async def _until(operator: Operator, fleet: DemoAgents, admission: Admission) -> list[Host]:
    """Waits until the hosts of all agents are online with this admission, and returns them."""
    wanted, word = len(fleet.agents), _PROGRESS[admission]
    while True:
        fleet.check_alive()
        hosts = await all_hosts(operator)
        ready = [host for host in hosts if host.online and host.admission is admission]
        _print(f"\r\x1b[K{len(ready)} of {wanted} agents {word}")
        if len(ready) >= wanted:
            return ready
        await asyncio.sleep(_LOOK_SECONDS)


async def _approve(operator: Operator, fleet: DemoAgents, waiting: Sequence[Host]) -> None:
    """Approves exactly the agents that were started.

    They all run on one machine. The manager flags all but the first for review because of that.
    Here it is intended.
    """
    came = sorted(host.name for host in waiting)
    started = sorted(agent.name for agent in fleet.agents)
    if came != started:
        raise ManagerError(f"Others ask to join: {fold_names(came)}, not {fold_names(started)}.")
    await operator.approve_hosts([host.host_id for host in waiting])


async def _wait_for_end(operator: Operator, task_ids: set[int]) -> None:
    async with watching(operator) as changes:
        async for _ in changes:
            statuses = [await operator.get_task_status(task_id) for task_id in task_ids]
            if all(status.ended for status in statuses):
                return


def _clean_up(operator: Operator, fleet: DemoAgents) -> None:
    """Ends running commands and then the agents, also if something fails meanwhile."""
    with signal_handlers((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), _carry_on):
        executions: set[str] = set()
        try:
            with suppress(ManagerError, TimeoutError):
                asyncio.run(_cancel_all(operator, executions))
        finally:
            fleet.stop(executions)


async def _cancel_all(operator: Operator, executions: set[str]) -> None:
    """Cancels running tasks and waits for their end; adds the ids of all executions to
    `executions`."""
    async with asyncio.timeout(END_SECONDS):
        tasks = await all_tasks(operator)
        for task in tasks:
            rows = await all_command_hosts(operator, task.task_id)
            executions.update(row.execution_id for row in rows)
        running = {task.task_id for task in tasks if task.status is TaskStatus.RUNNING}
        for task_id in running:
            with suppress(IllegalMoveError):  # it has ended meanwhile
                await operator.cancel_task(task_id)
        if running:
            await _wait_for_end(operator, running)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """Raises an error, so that everything is cleaned up."""
    raise SystemExit(128 + number)


def _carry_on(_number: int, _frame: FrameType | None) -> None:
    """Ignores a signal while the demo ends."""


def _print(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
