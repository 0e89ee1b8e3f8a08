"""The parts of the soak: arithmetic, picture, and emulated agents against a real manager."""

import asyncio
import contextlib
import random
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from bench.chart import Line, Panel, draw, minutes
from bench.process_memory import MIB, Weight
from bench.soak import verify
from bench.soak.samples import Sample
from bench.soak.slope import slope
from bench.soak.verdict import picture, slopes
from bench.swarm.agent import Agent
from bench.swarm.counts import Tally
from bench.swarm.emulated_command import Work, output, parse
from tests.support.waiting import GIVE_UP, wait_until
from tui_manager.domain.ids import new_execution_ids
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.run_manager import run_manager
from tui_manager.settings import Settings
from tui_manager.state_files import DATABASE


def test_a_line_has_its_slope_and_a_restart_hides_nothing() -> None:
    assert slope([(1, at, 2.0 * at + 5) for at in range(10)]) == pytest.approx(2)
    sawtooth = [(life, 10 * life + at, float(at)) for life in range(5) for at in range(10)]
    assert slope(sawtooth) == pytest.approx(1)
    assert slope([(1, 3.0, 7.0)]) == 0.0


def _samples(growth: float, minutes: int = 20) -> list[Sample]:
    """A manager that grows by so many MiB a minute, ended once in the first half."""
    return [
        Sample(
            at=at,
            life=1 if at < 200 else 2,
            manager=Weight(int((50 + growth * at / 60) * MIB), None, 30),
            fleet=Weight(40 * MIB, 39 * MIB, 900),
            database_bytes=int(at) * 1000,
            commit_seconds=0.002,
        )
        for at in map(float, range(0, 60 * minutes, 5))
    ]


def test_growth_is_judged_and_a_short_run_is_not() -> None:
    assert [one.flat for one in slopes(_samples(0.1))] == [True] * 4
    grown = [one.name for one in slopes(_samples(3.0)) if not one.flat]
    assert grown == ["manager's memory (MiB)"]
    assert slopes(_samples(3.0, minutes=2)) == []


def test_the_picture_is_an_svg() -> None:
    root = ET.fromstring(picture(_samples(0.1), 200))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    lines = [element for element in root if element.tag.endswith("polyline")]
    assert len(lines) == 6
    assert len([e for e in root if e.get("class") == "event"]) == 4


def test_a_gap_breaks_a_line() -> None:
    line = Line("a", [(0, 1.0), (1, None), (2, 2.0)])
    assert draw("t", [Panel("p", [line])], minutes(2)).count("<polyline") == 2


def test_work_survives_its_text() -> None:
    work = Work(40, 0.25, 3)
    assert parse(work.text) == work
    assert len(output("abc", 10)) == 10
    with pytest.raises(ValueError, match="not a command for emulated agents"):
        parse("rm -rf /")


def test_hosts_of_one_task_differ() -> None:
    """Although the ids of their executions begin alike."""
    work = Work(0, 1.0, 3, spread=8.0, share=0.5)
    outcomes = [work.outcome(one) for one in new_execution_ids(1_700_000_000_000_000, 400)]
    assert all(1 <= one.seconds < 9 for one in outcomes)
    quarters = Counter((int((one.seconds - 1) / 2), one.code) for one in outcomes)
    assert set(quarters) == {(quarter, code) for quarter in range(4) for code in (0, 3)}
    assert max(quarters.values()) < 100  # 50 are expected, and a deviation is 7


async def test_emulated_agents_lose_nothing_when_they_are_cut_and_restarted(
    tmp_path: Path,
) -> None:
    settings = Settings(state_dir=tmp_path, listen="127.0.0.1:0", insecure=True, free_disk=0)
    async with run_manager(settings) as manager, asyncio.timeout(GIVE_UP):
        operator, tally = manager.operator, Tally()
        addresses = f"127.0.0.1:1,{manager.address}"  # one of a manager that is away
        agents = [Agent(f"h{n}", addresses, tally, random.Random(n)) for n in range(3)]
        running = [asyncio.create_task(agent.run()) for agent in agents]
        await wait_until(operator.manager_status, lambda status: status.hosts_online == 3)
        work = Work(50_000, 0.3, 0)
        commands = (CommandSpec(work.text), CommandSpec(Work(10, 0.0, 3).text))
        task_ids = [await operator.create_task(TaskSpec("@all", commands)) for _ in range(5)]
        for task_id in task_ids:
            await operator.start_task(task_id)
            agents[task_id % 3].cut()
            agents[(task_id + 1) % 3].restart()
        for task_id in task_ids:

            async def status(task_id: int = task_id) -> TaskStatus:
                return await operator.get_task_status(task_id)

            await wait_until(status, lambda found: found.ended)
        for task in running:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*running)
    assert verify.problems(tmp_path / DATABASE, random.Random(1)) == []
    outcomes = verify.outcomes(tmp_path / DATABASE)
    assert set(outcomes) <= {
        "completed",
        "failed exit_code",
        "failed undeliverable",
        "skipped earlier_failed",
    }
    assert outcomes["completed"] > 0
