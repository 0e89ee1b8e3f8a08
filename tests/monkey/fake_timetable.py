"""What other operators and the clock do to templates and schedules of the fake operator."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from random import Random

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.seeded.seeded_schedules import BACKUP, CHECK, RESTART
from tui_manager.domain.errors import ManagerError
from tui_manager.domain.schedules.schedule import ScheduleSpec, SkipReason, TemplateUse

TEXTS = (
    BACKUP,
    RESTART,
    CHECK,
    RESTART.replace("Restarts a", "[b]备份[/b] 🚀 " * 9),
    'target = "db*"\n[params.K]\ntype = "secret"\nhelp = "[red]\\u001b[31m"\n[[steps]]\nrun = "a"',
)
CRONS = ("* * * * *", "0 2 * * *", "*/15 * * * *", "0 0 29 2 *", "0 0 30 2 *")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
MOST = 150  # templates, and schedules; a list holds some 130 rows
PROBLEMS = ("", "", "The template [b]x[/b] is not there.", "All hosts are in maintenance." * 9)


class FakeTimetable:
    """One change after the other, by chance."""

    def __init__(self, operator: FakeOperator) -> None:
        self._operator = operator

    async def fill(self, random: Random) -> None:
        """Templates and schedules with a history."""
        for _ in range(random.choice((0, 5, 160))):
            await self.change("save_template", random)
            await self.change("add_schedule", random)
        for _ in range(60):
            await self.change("due", random)

    async def change(self, kind: str, random: Random) -> None:
        """One change; none if there is nothing that it could change."""
        with suppress(ManagerError):  # a template may be used, a name taken
            await getattr(self, f"_{kind}")(random)

    def _schedule(self, random: Random) -> str:
        names = sorted(self._operator.schedules)
        return random.choice(names) if names else ""

    def _template(self, random: Random) -> str:
        names = sorted(name for name, one in self._operator.templates.items() if one.versions)
        return random.choice(names) if names else ""

    async def _save_template(self, random: Random) -> None:
        name = f"{random.choice('abmz')}{random.randrange(MOST):03}"
        await self._operator.save_template(name, random.choice(TEXTS))

    async def _delete_template(self, random: Random) -> None:
        await self._operator.delete_template(self._template(random))

    async def _add_schedule(self, random: Random) -> None:
        use = TemplateUse(self._template(random), parameters={"TICKET": "OPS-1"})
        spec = ScheduleSpec(
            f"{random.choice('abmz')}{random.randrange(MOST):03}",
            random.choice(CRONS),
            random.choice(ZONES),
            template=use if random.random() < 0.5 else None,
        )
        if spec.template is None:
            spec = replace(spec, task_file=CHECK)
        await self._operator.add_schedule(spec)

    async def _edit_schedule(self, random: Random) -> None:
        one = self._operator.schedules.get(self._schedule(random))
        if one is not None:
            spec = replace(one.spec, cron=random.choice(CRONS), zone=random.choice(ZONES))
            await self._operator.edit_schedule(spec, one.revision)

    async def _pause_schedule(self, random: Random) -> None:
        one = self._operator.schedules.get(self._schedule(random))
        if one is not None:
            act = self._operator.resume_schedule if one.paused else self._operator.pause_schedule
            await act(one.spec.name)

    async def _delete_schedule(self, random: Random) -> None:
        await self._operator.delete_schedule(self._schedule(random))

    async def _problem(self, random: Random) -> None:
        if name := self._schedule(random):
            self._operator.set_problem(name, random.choice(PROBLEMS))

    async def _due(self, random: Random) -> None:
        """A due time comes: a task, a reason why not, or it waits."""
        if not (name := self._schedule(random)):
            return
        due = self._operator.now() - timedelta(seconds=random.randrange(90))
        match random.randrange(4):
            case 0:
                self._operator.add_run(name, due, waits=True)
            case 1:
                reason = random.choice(list(SkipReason))
                self._operator.add_run(
                    name, due, skipped=reason, count=random.choice((1, 37)), detail="[b]why\x1b[2J"
                )
            case _ if self._operator.tasks:
                task_id = random.choice(list(self._operator.tasks))
                self._operator.add_run(name, due, task_id=task_id, by_operator=due.second % 2 == 0)
