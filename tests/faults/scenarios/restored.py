"""A database that is restored from a backup."""

from tests.faults.checks.checker import Allowed, check
from tests.faults.fleet.command import command
from tests.faults.scenarios.running import new_fleet, scenario, status, stored


@scenario("the database restored from a backup")
async def put_back(seed: str) -> None:
    async with new_fleet(seed, "h1", "h2") as fleet:
        short = await fleet.run("h1", command(40, held=True))
        long = await fleet.run("h2", command(300))
        await fleet.wait(
            "both to run",
            lambda: fleet.number("SELECT count(*) FROM command_hosts WHERE status = 'running'"),
            lambda running: running == 2,
        )
        await stored(fleet, 2000)
        fleet.note("a backup is made")
        fleet.database.back_up()
        fleet.let_go("h1")
        await fleet.ended_tasks([short])  # and acknowledged: its output is gone from the host
        unknown = await fleet.run("h2", command(100, held=True))
        (row,) = fleet.rows("SELECT execution_id FROM command_hosts WHERE task_id = ?", unknown)
        await status(fleet, row[0], "running")
        for manager in fleet.managers:
            await fleet.kill(manager.node)
        fleet.note("the backup is put back")
        fleet.database.restore()
        await fleet.start_managers()
        await fleet.ended_tasks([short, long])
        await fleet.wait(
            "what is unknown to be left alone until it ends",
            lambda: [row[0] in held for held in fleet.held()],
            lambda held: held == [True],
        )
        fleet.let_go("h2")
        unknown_ended = fleet.host("h2") / "trace"
        await fleet.wait("it to end", unknown_ended.read_text, lambda text: f"end {row[0]}" in text)
        assert fleet.said("agent holds an unknown execution"), fleet.explain()
        rows = fleet.rows("SELECT status FROM command_hosts")
        assert [row["status"] for row in rows] == ["completed"] * 2, fleet.explain()
        check(fleet, Allowed(gaps=True, unknown=True))
