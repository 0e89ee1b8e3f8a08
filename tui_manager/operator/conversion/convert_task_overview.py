"""The overview of a task between the wire and the domain."""

from collections.abc import Iterable, Mapping

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.output.last_line import LastLine
from tui_manager.domain.tasks.common_label import CommonLabel
from tui_manager.domain.tasks.task_map import FailureGroup, TaskMap, TaskSummary
from tui_manager.operator.conversion.convert_task import COMMAND_HOST_STATUSES, REASONS
from tui_manager.operator.conversion.convert_values import instant, timestamp, word


def last_lines_to_wire(lines: Mapping[str, LastLine]) -> wire.ReadLastLinesResponse:
    return wire.ReadLastLinesResponse(
        lines=(
            wire.LastLine(
                execution_id=execution_id, text=line.text, stderr=line.stderr, percent=line.percent
            )
            for execution_id, line in lines.items()
        )
    )


def last_lines_from_wire(message: wire.ReadLastLinesResponse) -> dict[str, LastLine]:
    return {
        line.execution_id: LastLine(
            line.text, line.stderr, line.percent if line.HasField("percent") else None
        )
        for line in message.lines
    }


def task_map_to_wire(task_map: TaskMap) -> wire.TaskMap:
    return wire.TaskMap(
        batches=task_map.batches,
        hosts_away=task_map.hosts_away,
        away_until=timestamp(task_map.away_until),
    )


def task_map_from_wire(message: wire.TaskMap) -> TaskMap:
    until = instant(message.away_until) if message.HasField("away_until") else None
    return TaskMap(tuple(message.batches), message.hosts_away, until)


def failures_to_wire(groups: Iterable[FailureGroup]) -> wire.SummarizeFailuresResponse:
    return wire.SummarizeFailuresResponse(groups=map(failure_group_to_wire, groups))


def failure_group_to_wire(group: FailureGroup) -> wire.FailureGroup:
    return wire.FailureGroup(
        status=COMMAND_HOST_STATUSES[group.status],
        reason=REASONS[group.reason],
        exit_code=group.exit_code,
        signal=group.signal,
        hosts=group.hosts,
        names=group.names,
        named=group.named,
        label=_label_to_wire(group.label) if group.label else None,
    )


def _label_to_wire(label: CommonLabel) -> wire.CommonLabel:
    return wire.CommonLabel(text=label.text, elsewhere=label.elsewhere, others=label.others)


def _label_from_wire(message: wire.CommonLabel) -> CommonLabel:
    return CommonLabel(message.text, message.elsewhere, message.others)


def failure_group_from_wire(message: wire.FailureGroup) -> FailureGroup:
    return FailureGroup(
        status=word(COMMAND_HOST_STATUSES, message.status),
        reason=word(REASONS, message.reason),
        exit_code=message.exit_code if message.HasField("exit_code") else None,
        signal=message.signal if message.HasField("signal") else None,
        hosts=message.hosts,
        names=message.names,
        named=message.named,
        label=_label_from_wire(message.label) if message.HasField("label") else None,
    )


def summaries_to_wire(summaries: Mapping[int, TaskSummary]) -> wire.SummarizeTasksResponse:
    return wire.SummarizeTasksResponse(
        tasks=(
            wire.TaskSummary(
                task_id=task_id,
                failures=map(failure_group_to_wire, summary.failures),
                percent=summary.percent,
            )
            for task_id, summary in summaries.items()
        )
    )


def summaries_from_wire(message: wire.SummarizeTasksResponse) -> dict[int, TaskSummary]:
    return {
        task.task_id: TaskSummary(
            tuple(map(failure_group_from_wire, task.failures)),
            task.percent if task.HasField("percent") else None,
        )
        for task in message.tasks
    }
