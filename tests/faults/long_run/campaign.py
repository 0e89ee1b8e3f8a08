"""Runs of random tasks under random faults; everything follows from the seed but the scheduling."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from tests.faults.checks.checker import Allowed, check
from tests.faults.checks.file_checks import compare_fetched
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet, fleet_of
from tests.faults.keeping import kept_alive, resumed
from tests.faults.long_run import faults_of_managers as faults_of_managers  # which adds to FAULTS
from tests.faults.long_run.faults import FAULTS
from tests.faults.long_run.tally import Tally
from tests.support.memory_folder import memory_folder
from tests.support.waiting import wait_until
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, HoldRule, Order, RolloutSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, OnFailure, has_barrier

AGENTS = ("h1", "h2", "h3", "h4")
RUNS_OF_A_FLEET = 10
AT_A_FAILPOINT = (
    "killed at a chosen place in the program (manager, agent, fork server or supervisor)"
)
_LINE = 129  # bytes that a command prints a line
_STORED = "SELECT sum(stdout_bytes) FROM command_hosts"


async def campaign(seed: str, runs: int, tally: Tally, kinds: Sequence[str] = ()) -> None:
    """Makes so many runs, a new fleet every few of them, and after a violation.

    Args:
        kinds: faults to draw from; each comes up before any comes up again. Empty: all that these
            fleets can have.
    """
    kinds = kinds or [name for name, fault in FAULTS.items() if fault.fits]
    deck: list[str] = []
    goal = tally.runs + runs
    while tally.runs < goal:
        name = f"{seed}-{tally.runs}"
        dice = random.Random(name)
        with memory_folder("faults-") as folder:
            try:
                cgroups = dice.random() < 0.5
                made = fleet_of(folder, name, *AGENTS, cgroups=cgroups, spread=True)
                async with made as fleet:
                    size = min(RUNS_OF_A_FLEET, goal - tally.runs)
                    await _runs_of_a_fleet(fleet, dice, size, tally, kinds, deck)
            except Exception as error:
                tally.runs += 1
                tally.failed(error)


async def _runs_of_a_fleet(
    fleet: Fleet,
    dice: random.Random,
    runs: int,
    tally: Tally,
    kinds: Sequence[str],
    deck: list[str],
) -> None:
    reasons = {"undeliverable"}  # of hosts that are offline when a task starts
    async with (
        kept_alive(fleet, dice),
        resumed(fleet, random.Random(dice.random())),
        fleet.files.watched(),
    ):
        for _ in range(runs):
            names = [_draw(dice, kinds, deck) for _ in range(dice.randint(1, 3))]
            reasons.update(*(FAULTS[name].reasons for name in names))
            await fleet.online(*fleet.agents)
            fleet.note(f"run with {', '.join(names)}")
            hits = _hits(fleet)
            await _run(fleet, dice, names, tally)
            tally.faults[AT_A_FAILPOINT] += _hits(fleet) - hits
            await compare_fetched(fleet, fleet.files)
            check(fleet, Allowed(reasons=reasons))
            tally.runs += 1
    tally.commands += fleet.number("SELECT count(*) FROM command_hosts")
    tally.transfers += fleet.number("SELECT count(*) FROM transfers")
    tally.output_bytes += fleet.number("SELECT sum(length(data)) FROM output_chunks")


def _draw(dice: random.Random, kinds: Sequence[str], deck: list[str]) -> str:
    if not deck:
        deck += dice.sample(kinds, len(kinds))
    return deck.pop()


def _hits(fleet: Fleet) -> int:
    return sum(len(node.hits) for node in fleet.nodes)


async def _run(fleet: Fleet, dice: random.Random, names: list[str], tally: Tally) -> None:
    """Some tasks, and these faults at random moments of them; returns when all has ended."""
    before = fleet.number(_STORED)
    planned = 0
    for _ in range(dice.randint(1, 3)):
        lengths = [dice.randint(10, 120) for _ in range(dice.choice((1, 1, 2, 3, 4)))]
        planned += len(fleet.agents) * sum(lengths) * _LINE
        commands = [_step(dice, lines) for lines in lengths]
        at = dice.randint(0, len(commands))
        commands[at:at] = await _file_steps(fleet, dice)
        rollout = _rollout(dice)
        if has_barrier(commands):
            rollout = replace(rollout, strict=False)
            tally.barriers += 1
        tally.steps += len(commands) > 1
        tally.rollouts += rollout != ALL_AT_ONCE
        await fleet.run("@all", *commands, rollout=rollout)
    for name in names:
        await _moment(fleet, before + int(dice.random() * planned * 0.8))
        if await FAULTS[name].inject(fleet, dice):
            tally.faults[name] += 1
    await fleet.wait("all tasks to end", lambda: _running(fleet), lambda running: not running)
    for node in fleet.nodes:
        node.disarm()
    await fleet.settled()


def _step(dice: random.Random, lines: int) -> CommandSpec:
    """A command that prints so many lines, and fails on some hosts now and then."""
    code = 3 if dice.random() < 0.3 else 0
    fails_on = dice.sample(AGENTS, dice.randint(1, len(AGENTS)))
    return replace(
        command(lines, code, fails_on=fails_on, brings=dice.random() < 0.3),
        on_failure=dice.choice(tuple(OnFailure)),
        always=dice.random() < 0.3,
        barrier=dice.random() < 0.3,
    )


async def _file_steps(fleet: Fleet, dice: random.Random) -> list[CommandSpec]:
    """Copies and fetches, in every other task."""
    kinds = dice.choice(("", "", "", "c", "f", "cf", "ccf"))
    steps = [
        await (fleet.files.copy(dice) if kind == "c" else fleet.files.fetch(dice)) for kind in kinds
    ]
    return [replace(step, on_failure=dice.choice(tuple(OnFailure))) for step in steps]


def _rollout(dice: random.Random) -> RolloutSpec:
    """None for every other task."""
    if dice.random() < 0.5:
        return ALL_AT_ONCE
    batches = dice.choice(("", "1", "1,rest", "50%", "2,1"))
    budget = dice.choice(("", "", "0", "1", "50%"))
    spec = RolloutSpec(
        batches=batches,
        order=dice.choice(tuple(Order)),
        delay=timedelta(seconds=dice.choice((0, 0.3)) if batches else 0),
        max_concurrency=dice.choice(("", "1", "50%")),
        max_failures=budget,
        strict=bool(budget) and dice.random() < 0.5,
        hold=dice.choice(tuple(HoldRule)) if batches else HoldRule.NEVER,
        hold_timeout=timedelta(seconds=dice.choice((1, 3600))),
    )
    spec.check()
    return spec


async def _moment(fleet: Fleet, stored: int) -> None:
    """Until so much output is stored, or nothing more is to come."""

    async def look() -> bool:
        return fleet.number(_STORED) >= stored or not _running(fleet)

    await wait_until(look, bool, 60)


def _running(fleet: Fleet) -> int:
    return fleet.number("SELECT count(*) FROM tasks WHERE status = 'running'")
