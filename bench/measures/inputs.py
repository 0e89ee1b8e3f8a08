"""A large stdin for each host, while the manager's memory is watched."""

from bench.figures import Figure
from bench.measures.volume import watched
from bench.swarm.work import Work
from bench.under_test.fleet import Fleet
from bench.weight import MIB
from tui_manager.domain.task_spec.script_and_stdin import CONTENT_LENGTH, content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec


async def inputs(fleet: Fleet) -> list[Figure]:
    """The largest stdin for each agent, beside the same command without it."""
    without, with_stdin = (
        CommandSpec(Work().text),
        CommandSpec(Work().text, stdin=content_of(bytes(CONTENT_LENGTH))),
    )
    await fleet.run(without)
    async with watched(fleet.manager.running) as bare:
        await fleet.run(without)
    async with watched(fleet.manager.running) as seen:
        ran = await fleet.run(with_stdin)
    what = f"{CONTENT_LENGTH / MIB:g} MiB of stdin to each"
    rate = CONTENT_LENGTH * fleet.agents / ran.seconds / 1e6
    return [
        fleet.figure("input_rate", what, rate, "MB/s"),
        fleet.figure(
            "input_memory",
            f"{what}: memory at most, above that of the same command without it",
            (max(seen) - max(bare)) / MIB,
            "MiB",
        ),
    ]
