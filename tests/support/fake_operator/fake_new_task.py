"""What the fake operator offers while a task is typed."""

from collections.abc import Sequence

from tests.support.fake_operator.tasks.fake_tasks import FakeTasks
from tui_manager.domain.status import Admission
from tui_manager.domain.targets.target_completion import completions
from tui_manager.domain.targets.target_matching import TargetHost
from tui_manager.domain.tasks.command_history import PastCommand


class FakeNewTask(FakeTasks):
    """Past commands and completions. There are no groups."""

    async def list_command_history(self, text: str, limit: int) -> Sequence[PastCommand]:
        self._check("list_command_history")
        found: dict[str, PastCommand] = {}
        for task in sorted(self.tasks.values(), key=lambda task: -task.row.task_id):
            command = task.spec.commands[0].text
            if command and len(task.spec.commands) == 1 and text.lower() in command.lower():
                found.setdefault(command, PastCommand(command, task.row))
        return tuple(found.values())[:limit]

    async def complete_target(self, target: str, limit: int) -> Sequence[str]:
        self._check("complete_target")
        hosts = [
            TargetHost(host.host_id, host.name, host.labels)
            for host in self.known
            if host.admission is Admission.ADMITTED
        ]
        return completions(target, sorted(hosts, key=lambda host: host.name), (), limit)
