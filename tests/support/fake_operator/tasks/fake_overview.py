"""The overview of the tasks of the fake operator, by the rules of the domain."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tests.support.fake_operator.tasks.fake_rows import FAULTS
from tests.support.fake_operator.tasks.fake_tasks import FakeTasks
from tui_manager.domain.errors import InvalidInputError, NotFoundError
from tui_manager.domain.output.last_line import IDS_MAX, LastLine, last_line
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.tasks.common_label import CommonLabel, TaskLabels, common_labels
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.tasks.task_map import (
    LETTERS,
    NAMES_IN_GROUP,
    WORST_FIRST,
    FailureGroup,
    TaskMap,
    TaskSummary,
    announced_percent,
    host_letter,
)
from tui_manager.domain.text.host_name_ranges import fold_names


class FakeOverview(FakeTasks):
    """One task summed up."""

    async def read_last_lines(
        self, task_id: int, execution_ids: Sequence[str]
    ) -> Mapping[str, LastLine]:
        self._check("read_last_lines")
        if len(execution_ids) > IDS_MAX:
            raise InvalidInputError("execution_ids", f"{len(execution_ids)} are too many.")
        return self._last_lines(task_id, execution_ids)

    def _last_lines(self, task_id: int, execution_ids: Sequence[str]) -> Mapping[str, LastLine]:
        task, lines = self._task(task_id), {}
        printed: dict[str, dict[Stream, bytes]] = defaultdict(lambda: dict.fromkeys(Stream, b""))
        newest: dict[str, Stream] = {}
        for chunk in task.output:
            printed[chunk.execution_id][chunk.stream] += chunk.data
            newest[chunk.execution_id] = chunk.stream
        for execution_id in {*execution_ids} & printed.keys():
            tails = printed[execution_id]
            line = last_line(tails[Stream.STDOUT], tails[Stream.STDERR], newest[execution_id])
            if line is not None:
                lines[execution_id] = line
        return lines

    async def get_task_map(self, task_id: int) -> TaskMap:
        self._check("get_task_map")
        batches: dict[int, str] = defaultdict(str)
        for rows in self._by_host(task_id):
            batches[rows[0].batch] += host_letter(row.status for row in rows)
        away = [row.waits_until for row in self._task(task_id).rows.values() if row.waits_until]
        texts = tuple(text for _, text in sorted(batches.items()))
        return TaskMap(texts, len(away), min(away, default=None))

    async def find_task_host(self, task_id: int, number: int) -> CommandHost:
        self._check("find_task_host")
        hosts = self._by_host(task_id)
        if not 0 <= number < len(hosts):
            raise NotFoundError(f"Task {task_id} has no host with the number {number}.")
        return min(hosts[number], key=lambda row: WORST_FIRST.index(LETTERS[row.status]))

    async def summarize_failures(self, task_id: int) -> Sequence[FailureGroup]:
        self._check("summarize_failures")
        return self._failures(task_id)

    def _failures(self, task_id: int) -> Sequence[FailureGroup]:
        found: dict[tuple[object, ...], list[CommandHost]] = defaultdict(list)
        for row in self._task(task_id).rows.values():
            failed = row.status in FAULTS or row.reason is Reason.CANCEL_UNCONFIRMED
            if failed and row.reason is not Reason.EARLIER_FAILED:
                found[row.status, row.reason, row.exit_code, row.signal].append(row)
        groups = []
        for rows in found.values():
            first, names = rows[0], list(dict.fromkeys(row.host for row in rows))
            shown = names[:NAMES_IN_GROUP]
            groups.append(
                FailureGroup(
                    first.status, first.reason, first.exit_code, first.signal, len(names),
                    fold_names(shown), len(shown), self._label(task_id, rows),
                )
            )  # fmt: skip
        return sorted(groups, key=lambda group: -group.hosts)

    def _label(self, task_id: int, failed: list[CommandHost]) -> CommonLabel | None:
        labels = {host.host_id: host.labels for host in self.hosts.values()}
        of_task = self._task(task_id).rows.values()
        group, every = ({row.host_id for row in rows} for rows in (failed, of_task))
        common = common_labels(labels.get(host_id, {}) for host_id in group)
        of_all = TaskLabels([labels.get(host_id, {}) for host_id in every])
        return of_all.common_label(common, len(group))

    async def summarize_tasks(self, task_ids: Sequence[int]) -> Mapping[int, TaskSummary]:
        self._check("summarize_tasks")
        return {task_id: self._summary(task_id) for task_id in task_ids}

    def _summary(self, task_id: int) -> TaskSummary:
        rows = self._task(task_id).rows.values()
        running = [row.execution_id for row in rows if row.status is CommandHostStatus.RUNNING]
        lines = self._last_lines(task_id, running)
        percents = [
            lines[key].percent if key in lines else self._transferred_percent(task_id, key)
            for key in running
        ]
        failures = tuple(self._failures(task_id))
        return TaskSummary(failures, announced_percent(percents))

    def _transferred_percent(self, task_id: int, key: str) -> int | None:
        """Of the bytes of a copy or a fetch."""
        task = self._task(task_id)
        row = task.rows[key]
        copy = task.spec.commands[row.command].copy
        found = copy.files if copy else row.transfer and row.transfer.stored
        return row.transfer.bytes * 100 // found.bytes if row.transfer and found else None

    def _by_host(self, task_id: int) -> list[list[CommandHost]]:
        """The rows of each host, in the order of the rollout."""
        hosts: dict[str, list[CommandHost]] = defaultdict(list)
        for row in self._task(task_id).rows.values():
            hosts[row.host].append(row)
        return sorted(hosts.values(), key=lambda rows: rows[0].batch)
