"""Re-runs of the tasks of the fake operator."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tests.support.fake_operator.fake_target import fold
from tests.support.fake_operator.tasks.fake_output import FakeOutput
from tests.support.fake_operator.tasks.fake_overview import FakeOverview
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError
from tui_manager.domain.tasks.host_class import RERUN_DEFAULT, HostClass, task_target
from tui_manager.domain.tasks.task import Rerun


class FakeReruns(FakeOverview, FakeOutput):
    """Tasks that repeat others."""

    async def rerun_task(
        self,
        task_id: int,
        classes: Sequence[HostClass] = (),
        secrets: Mapping[str, str] | None = None,
        request_id: str = "",
        host_ids: Sequence[str] = (),
    ) -> Rerun:
        self._check("rerun_task")
        task = self._task(task_id)
        if not task.row.status.ended:
            raise IllegalMoveError(f"Task {task_id} is {task.row.status}.")
        of_task, wanted = self.classes_of(task_id), classes or RERUN_DEFAULT
        chosen = [name for name, found in of_task.items() if found in wanted]
        if host_ids:
            chosen = [name for name in of_task if f"host-{name}" in host_ids]
        if not chosen:
            raise IllegalMoveError(f"Task {task_id} has no such host.")
        commands = []
        for command in task.spec.commands:
            if missing := set(command.secrets) - set(secrets or {}):
                raise InvalidInputError("secret", f"Give them again: {', '.join(missing)}.")
            again = {name: (secrets or {})[name] for name in command.secrets}
            commands.append(replace(command, secrets=again))
        target = fold(chosen) if host_ids else task_target(task_id, wanted)
        spec = replace(task.spec, target=target, commands=tuple(commands), template=None)
        made = await self.create_task(spec, request_id)
        row = replace(
            self.tasks[made].row,
            name=task.row.name,
            rerun_of=task_id,
            template=task.row.template,
        )
        self.tasks[made].row = row
        self._touched(task_id)
        admitted = {host.name for host in self.admitted}
        return Rerun(made, tuple(name for name in chosen if name not in admitted))
