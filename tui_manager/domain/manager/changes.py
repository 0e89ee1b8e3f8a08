"""What has changed since a watcher last read: changes that can be merged."""

from tui_manager_protos.lazy_dataclass import dataclass

_TASKS_MAX = 200  # named one by one; if there are more, a watcher reads everything again


@dataclass(frozen=True, slots=True)
class Changes:
    """What a watcher should read again. It contains no data: a watcher reads the window that it
    shows.

    Attributes:
        hosts: some host changed (state, vitals, labels).
        tasks: tasks whose status, counts or command hosts changed.
        output: tasks for which new output is stored.
        all_tasks: too many tasks changed to name them.
        manager: the figures of the manager changed.
        templates: some template was saved or deleted.
        schedules: some schedule, or its history, changed.
    """

    hosts: bool = False
    tasks: frozenset[int] = frozenset()
    output: frozenset[int] = frozenset()
    all_tasks: bool = False
    manager: bool = False
    templates: bool = False
    schedules: bool = False

    def __or__(self, other: "Changes") -> "Changes":
        tasks, output = self.tasks | other.tasks, self.output | other.output
        all_tasks = self.all_tasks or other.all_tasks
        if max(len(tasks), len(output)) > _TASKS_MAX:
            tasks, output, all_tasks = frozenset(), frozenset(), True
        return Changes(
            hosts=self.hosts or other.hosts,
            tasks=tasks,
            output=output,
            all_tasks=all_tasks,
            manager=self.manager or other.manager,
            templates=self.templates or other.templates,
            schedules=self.schedules or other.schedules,
        )

    def __bool__(self) -> bool:
        some = self.hosts or self.tasks or self.output or self.all_tasks or self.manager
        return bool(some or self.templates or self.schedules)

    def touches(self, task_id: int) -> bool:
        """Whether something of this task may have changed."""
        return self.all_tasks or task_id in self.tasks or task_id in self.output
