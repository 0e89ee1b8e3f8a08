"""Cancels that race with what they cancel, and with death."""

import psutil

from tests.faults.checks.checker import check
from tests.faults.fleet.command import command
from tests.faults.fleet.processes import stopped
from tests.faults.keeping import kept_alive
from tests.faults.scenarios.running import all_ended, new_fleet, only_execution, status

CANCEL_POINTS = (
    "before.handle_run_command",
    "after.accept",
    "before.start_supervisor",
    "after.take",
    "before.shell",
    "after.shell",
    "before.finish",
    "before.end",
    "before.append",
    "after.remove",
)


async def canceled_at(seed: str, point: str) -> None:
    """Cancels while agent or supervisor stand still at a point."""
    async with new_fleet(seed, "h1") as fleet:
        agent = fleet.agents["h1"]

        def find() -> list[psutil.Process]:
            return stopped([psutil.Process(agent.pid), *fleet.supervisors()])

        agent.arm(point, 1, "stop")
        task_id = await fleet.run("h1", command(20))
        await fleet.wait(f"{point} to be reached", lambda: agent.hits and find())
        fleet.note(f"stopped at {point}")
        await fleet.cancel_if_running(task_id)
        for process in find():
            process.resume()
        await all_ended(fleet, task_id)
        check(fleet)


CANCEL_DEATHS = (
    ("manager", "before.send_cancel_command"),
    ("manager", "after.send_cancel_command"),
    ("agent", "before.handle_cancel_command"),
    ("agent", "before.request_cancel"),
    ("agent", "after.request_cancel"),
    ("agent", "after.handle_cancel_command"),
)


async def cancel_on_host_outlives(seed: str, who: str, point: str) -> None:
    """The same for a cancel on one host; the task goes on with the other one."""
    query = "SELECT h.name, execution_id FROM command_hosts JOIN hosts AS h ON h.id = host"
    async with new_fleet(seed, "h1", "h2") as fleet:
        node = fleet.manager if who == "manager" else fleet.agents["h1"]
        task_id = await fleet.run("h1,h2", command(3000))
        execution = {row["name"]: str(row["execution_id"]) for row in fleet.rows(query)}
        for one in execution.values():
            await status(fleet, one, "running")
        async with kept_alive(fleet):
            node.arm(point)
            fleet.note(f"{who} dies at {point}")
            await fleet.cancel_on_host(task_id, "h1")
            await status(fleet, execution["h1"], "canceled", "canceled")
        assert node.hits == [point], fleet.explain()
        await status(fleet, execution["h2"], "running")
        await fleet.cancel_on_host(task_id, "h2")
        await all_ended(fleet, task_id)
        check(fleet)


async def cancel_outlives(seed: str, who: str, point: str) -> None:
    """Manager or agent dies while a cancel is on its way, and the cancel is carried out."""
    async with new_fleet(seed, "h1") as fleet:
        node = fleet.manager if who == "manager" else fleet.agents["h1"]
        task_id = await fleet.run("h1", command(3000))
        await status(fleet, only_execution(fleet), "running")
        async with kept_alive(fleet):
            node.arm(point)
            fleet.note(f"{who} dies at {point}")
            await fleet.cancel_if_running(task_id)
            await all_ended(fleet, task_id)
        assert node.hits == [point], fleet.explain()
        await status(fleet, only_execution(fleet), "canceled", "canceled")
        check(fleet)
