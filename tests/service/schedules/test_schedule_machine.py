"""Schedules through random days: operators, restarts, long tasks, and a clock that is wrong."""

import contextlib
import itertools
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.support.databases.engines import check
from tests.support.managers.manager_parts import Parts, TurnedClock, manager_parts
from tests.support.managers.schedules import ANA, hourly, runs
from tests.support.run_length import examples
from tui_manager.domain.errors import IllegalMoveError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.schedules.cron_and_zone import read_cron
from tui_manager.domain.schedules.schedule import Overlap
from tui_manager.domain.tasks.task import Task

STEPS = 120
CRON = read_cron("*/20 * * * *", "Europe/Berlin")
HOUR = 3600


@dataclass
class Days:
    """What happens to one schedule.

    Attributes:
        wrong_by: how far the clock is ahead of what it should show.
    """

    folder: Path
    dice: random.Random
    clock: TurnedClock = field(default_factory=TurnedClock)
    wrong_by: timedelta = timedelta(0)
    story: list[str] = field(default_factory=list)

    async def run(self, overlap: Overlap) -> None:
        """Does random things, and compares rows and tasks at the end."""
        spec = hourly(cron=CRON.expression, zone=CRON.zone.key, overlap=overlap)
        async with manager_parts(self.folder, self.clock) as parts:
            await parts.connect("web01")
            created = (await parts.schedules.add_schedule(spec, ANA)).created_at
        for _ in range(STEPS // 10):
            async with manager_parts(self.folder, self.clock) as parts:
                for _ in range(self.dice.randint(1, 20)):
                    await self._step(parts)
            assert check(self.folder).findings == (), self.story
        async with manager_parts(self.folder, self.clock) as parts:
            await self._calm_down(parts)
            await self._compare(parts, created)

    async def _step(self, parts: Parts) -> None:
        often = (self._pass, self._look, self._look, self._end)
        seldom = (self._pause, self._edit, self._start, self._jump, self._accept)
        act = self.dice.choice((*often, *often, *seldom))
        self.story.append(f"{self.clock.instant:%d %H:%M} {act.__name__}")
        with contextlib.suppress(IllegalMoveError):
            await act(parts)
        assert len(await unended(parts)) <= 1, self.story

    async def _pass(self, parts: Parts) -> None:
        self.clock.turn(self.dice.choice((60, 1200, 4 * HOUR)) * self.dice.random())
        await parts.watch.run_once()

    async def _look(self, parts: Parts) -> None:
        await parts.schedule_loop.run_once()

    async def _end(self, parts: Parts) -> None:
        for task in await unended(parts):
            await parts.tasks.cancel_task(task.task_id)

    async def _pause(self, parts: Parts) -> None:
        if (await parts.schedules.get_schedule("nightly")).schedule.paused:
            await parts.schedules.resume_schedule("nightly", ANA)
        else:
            await parts.schedules.pause_schedule("nightly", ANA)

    async def _edit(self, parts: Parts) -> None:
        schedule = (await parts.schedules.get_schedule("nightly")).schedule
        misfire = timedelta(seconds=self.dice.randint(1, HOUR))
        spec = hourly(cron=CRON.expression, zone=CRON.zone.key, misfire=misfire,
                      overlap=self.dice.choice(list(Overlap)))  # fmt: skip
        await parts.schedules.edit_schedule(spec, schedule.revision, ANA)

    async def _start(self, parts: Parts) -> None:
        await parts.schedules.run_schedule("nightly", ANA)

    async def _jump(self, parts: Parts) -> None:
        by = -self.wrong_by or timedelta(seconds=self.dice.randint(-5 * HOUR, 5 * HOUR))
        self.clock.instant += by
        self.wrong_by += by
        await parts.watch.run_once()

    async def _accept(self, parts: Parts) -> None:
        if self.wrong_by > timedelta(0):
            await parts.watch.accept(ANA)
            self.wrong_by = timedelta(0)

    async def _calm_down(self, parts: Parts) -> None:
        if self.wrong_by:
            await self._jump(parts)
        self.clock.turn(6 * HOUR)
        await parts.watch.accept(ANA)
        await self._look(parts)
        if (await parts.schedules.get_schedule("nightly")).schedule.paused:
            await self._pause(parts)
        await self._end(parts)
        await self._look(parts)

    async def _compare(self, parts: Parts, created: datetime) -> None:
        found = await runs(parts)
        assert {run.task_id for run in found if run.task_id} == {
            task.task_id for task in await all_tasks(parts)
        }, self.story
        assert len({run.task_id for run in found if run.task_id}) == len(
            [run for run in found if run.task_id]
        )
        due = sorted((run for run in found if not run.by_operator), key=lambda run: run.due)
        for before, after in itertools.pairwise(due):
            assert before.due < (after.first_due or after.due), self.story
        handled = CRON.last_due(created, self.clock.instant)
        assert handled
        assert sum(run.count for run in due) == CRON.count_due(created, handled), self.story
        assert all(run.decided_at for run in found)


async def all_tasks(parts: Parts) -> list[Task]:
    return list((await parts.tasks.list_tasks(Window(limit=1000))).rows)


async def unended(parts: Parts) -> list[Task]:
    return [task for task in await all_tasks(parts) if not task.status.ended]


@pytest.mark.parametrize("overlap", list(Overlap))
@pytest.mark.parametrize("seed", range(examples(3, few=1)))
async def test_each_due_time_is_one_row_and_one_task_at_most(
    tmp_path: Path, seed: int, overlap: Overlap
) -> None:
    await Days(tmp_path, random.Random(seed)).run(overlap)
