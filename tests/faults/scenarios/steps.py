"""Tasks of several steps while manager, agents and supervisors die between and in them."""

from dataclasses import replace

from tests.faults.checks.checker import Allowed, check
from tests.faults.fleet.command import GO, command
from tests.faults.fleet.fleet import Fleet
from tests.faults.keeping import kept_alive
from tests.faults.scenarios.running import all_ended, new_fleet, scenario
from tui_manager.domain.task_spec.task_spec import CommandSpec

_STATES = """
SELECT trim(ch.status || ' ' || ch.reason) AS state FROM command_hosts AS ch
JOIN hosts AS h ON h.id = ch.host WHERE ch.task_id = ? AND h.name = ? ORDER BY ch.position
"""
_FAILED, _SKIPPED = "failed exit_code", "skipped earlier_failed"
_FAILS = command(20, 3, held=True)
_PLAIN = command(10)
_CLEAN_UP = replace(_PLAIN, always=True)


def _states(fleet: Fleet, task_id: int, host: str = "h1") -> list[str]:
    return [str(row["state"]) for row in fleet.rows(_STATES, task_id, host)]


async def _state(fleet: Fleet, task_id: int, host: str, step: int, wanted: str) -> None:
    await fleet.wait(
        f"step {step} on {host} to be {wanted}",
        lambda: _states(fleet, task_id, host)[step],
        lambda seen: seen == wanted,
    )


async def _held(fleet: Fleet, *hosts: str, steps: tuple[CommandSpec, ...]) -> int:
    """A task whose first step is held on these hosts, and runs there."""
    for host in hosts:
        (fleet.host(host) / GO).unlink(missing_ok=True)
    task_id = await fleet.run("@all", *steps)
    for host in hosts:
        await _state(fleet, task_id, host, 0, "running")
    return task_id


async def _restarted(fleet: Fleet) -> None:
    """The manager is killed, and the keeper has started it again."""
    process = fleet.manager.process
    await fleet.kill(fleet.manager)
    await fleet.wait("a new one", lambda: fleet.manager.process is not process)
    await fleet.gather_agents()


@scenario("the manager killed between two steps of a task")
async def killed_between_steps(seed: str) -> None:
    async with new_fleet(seed, "h1") as fleet, kept_alive(fleet):
        for point in ("before.hand_over", "after.hand_over", "after.send_run_command"):
            task_id = await _held(fleet, "h1", steps=(_FAILS, _PLAIN, _CLEAN_UP))
            node = fleet.gateway_of("h1").node
            fleet.note(f"{node.name} dies at {point}")
            node.arm(point)
            fleet.let_go("h1")
            await all_ended(fleet, task_id)
            assert node.hits.pop() == point, fleet.explain()
            assert _states(fleet, task_id) == [_FAILED, _SKIPPED, "completed"], fleet.explain()
        check(fleet)


@scenario("the manager killed while hosts wait at a barrier, and just after it has opened")
async def killed_at_a_barrier(seed: str) -> None:
    async with new_fleet(seed, "h1", "h2", "h3") as fleet, kept_alive(fleet):
        steps = (command(20, held=True), replace(command(20), barrier=True))
        for count in (1, 2, 3):  # hosts that are sent the step behind it before the death, and one
            task_id = await _held(fleet, "h2", steps=steps)
            for host in ("h1", "h3"):
                fleet.let_go(host)
                await _state(fleet, task_id, host, 0, "completed")
            await _restarted(fleet)
            for host in ("h1", "h3"):
                assert _states(fleet, task_id, host)[1] == "pending", fleet.explain()
            fleet.note(f"the manager dies when it sends step 1 for the time {count}")
            fleet.manager.arm("before.hand_over", count)
            fleet.let_go("h2")
            await all_ended(fleet, task_id)
            assert len(fleet.manager.hits) == count, fleet.explain()
            for host in fleet.agents:
                assert _states(fleet, task_id, host) == ["completed"] * 2, fleet.explain()
        check(fleet)


@scenario("an agent killed in a step that fails and has a clean-up behind it")
async def killed_before_clean_up(seed: str) -> None:
    """The step ends while nobody is there to hear it; what the agent tells later is a known end."""
    async with new_fleet(seed, "h1") as fleet:
        task_id = await _held(fleet, "h1", steps=(_FAILS, _PLAIN, _CLEAN_UP))
        await fleet.kill(fleet.agents["h1"])
        fleet.let_go("h1")
        await fleet.wait("the step to end", fleet.supervisors, lambda found: not found)
        assert _states(fleet, task_id)[2] == "pending", fleet.explain()
        fleet.start_agent("h1")
        await all_ended(fleet, task_id)
        assert _states(fleet, task_id) == [_FAILED, _SKIPPED, "completed"], fleet.explain()
        check(fleet)


@scenario("a supervisor killed, or the task canceled, in a step that has a clean-up behind it")
async def nothing_to_clean_up(seed: str) -> None:
    """The command may still run, or somebody wants nothing more to run: no clean-up."""
    async with new_fleet(seed, "h1") as fleet:
        steps = (_FAILS, _PLAIN, _CLEAN_UP)
        lost = await _held(fleet, "h1", steps=steps)
        fleet.note("SIGKILL of the supervisor")
        for supervisor in fleet.supervisors():
            supervisor.kill()
        await all_ended(fleet, lost)
        assert _states(fleet, lost) == ["failed interrupted", _SKIPPED, _SKIPPED], fleet.explain()
        canceled = await _held(fleet, "h1", steps=steps)
        await fleet.cancel(canceled)
        await all_ended(fleet, canceled)
        assert _states(fleet, canceled) == ["canceled canceled"] * 3, fleet.explain()
        check(fleet, Allowed(reasons={"interrupted"}))
