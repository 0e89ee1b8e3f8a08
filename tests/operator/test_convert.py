"""What goes onto the wire comes back the same."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from tui_manager_protos.v1 import agent_pb2 as agent
from tui_manager_protos.v1 import operator_pb2 as wire

from tests.operator.examples import made
from tests.support.run_length import examples
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.host import Host, HostDetail
from tui_manager.domain.hosts.join_token import TTL_DEFAULT, NewToken, Token, TokenSpec, TokenState
from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.gateway import Gateway
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.domain.output.output_by_host import OutputByHost
from tui_manager.domain.output.output_search import OutputMatches
from tui_manager.domain.schedules.schedule import (
    MISFIRE_DEFAULT,
    Overlap,
    Schedule,
    ScheduleDetail,
    ScheduleRun,
    ScheduleSpec,
    SkipReason,
)
from tui_manager.domain.status import Admission, CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_files.template import Template, TemplateDetail
from tui_manager.domain.task_spec.task_spec import TIMEOUT_DEFAULT, TaskSpec
from tui_manager.domain.tasks.command_history import PastCommand
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.domain.tasks.task import CommandHost, Counts, Progress, Task, TaskDetail
from tui_manager.domain.tasks.task_map import TaskMap
from tui_manager.operator.api import OutputChunk
from tui_manager.operator.conversion import (
    convert_host,
    convert_manager,
    convert_output,
    convert_rollout,
    convert_schedule,
    convert_security,
    convert_spec,
    convert_task,
    convert_task_overview,
    convert_values,
)

WAYS: list[tuple[type, Callable[[Any], Message], Callable[[Any], Any]]] = [
    (ManagerStatus, convert_manager.status_to_wire, convert_manager.status_from_wire),
    (Gateway, convert_manager.gateway_to_wire, convert_manager.gateway_from_wire),
    (Host, convert_host.host_to_wire, convert_host.host_from_wire),
    (HostDetail, convert_host.host_detail_to_wire, convert_host.host_detail_from_wire),
    (NewToken, convert_security.new_token_to_wire, convert_security.new_token_from_wire),
    (Token, convert_security.token_to_wire, convert_security.token_from_wire),
    (AuditEntry, convert_security.entry_to_wire, convert_security.entry_from_wire),
    (TargetPreview, convert_rollout.preview_to_wire, convert_rollout.preview_from_wire),
    (OutputChunk, convert_output.chunk_to_wire, convert_output.chunk_from_wire),
    (OutputByHost, convert_output.by_host_to_wire, convert_output.by_host_from_wire),
    (OutputMatches, convert_output.matches_to_wire, convert_output.matches_from_wire),
    (Changes, convert_values.changes_to_wire, convert_values.changes_from_wire),
    (TaskSpec, convert_spec.spec_to_wire, convert_spec.spec_from_wire),
    (Counts, convert_task.counts_to_wire, convert_task.counts_from_wire),
    (TaskMap, convert_task_overview.task_map_to_wire, convert_task_overview.task_map_from_wire),
    (PastCommand, convert_task.past_command_to_wire, convert_task.past_command_from_wire),
    (Task, convert_task.task_to_wire, convert_task.task_from_wire),
    (TaskDetail, convert_task.detail_to_wire, convert_task.detail_from_wire),
    (Template, convert_schedule.template_to_wire, convert_schedule.template_from_wire),
    (
        TemplateDetail,
        convert_schedule.template_detail_to_wire,
        convert_schedule.template_detail_from_wire,
    ),
    (CommandHost, convert_task.command_host_to_wire, convert_task.command_host_from_wire),
    (Progress, convert_task.progress_to_wire, convert_task.progress_from_wire),
    (ScheduleSpec, convert_schedule.spec_to_wire, convert_schedule.spec_from_wire),
    (Schedule, convert_schedule.schedule_to_wire, convert_schedule.schedule_from_wire),
    (ScheduleDetail, convert_schedule.detail_to_wire, convert_schedule.detail_from_wire),
    (ScheduleRun, convert_schedule.run_to_wire, convert_schedule.run_from_wire),
]


@pytest.mark.parametrize(("kind", "there", "back"), WAYS, ids=lambda one: one.__name__)
@settings(max_examples=examples(100, few=10))
@given(data=st.data())
def test_every_field_survives(
    kind: type, there: Callable[[Any], Message], back: Callable[[Any], Any], data: st.DataObject
) -> None:
    value = data.draw(made(kind))
    message = there(value)
    survived = back(type(message).FromString(message.SerializeToString()))
    assert survived == (without_secrets(value) if isinstance(value, TaskDetail) else value)


def without_secrets(detail: TaskDetail) -> TaskDetail:
    """What is stored is shown with the names of its secrets alone."""
    return replace(
        detail,
        commands=tuple(
            replace(one, spec=replace(one.spec, secrets=dict.fromkeys(one.spec.secrets, "")))
            for one in detail.commands
        ),
    )


def test_a_secret_that_is_no_text_is_wrong_input() -> None:
    spec = wire.TaskSpec(commands=[wire.CommandSpec(secrets={"K": b"hunter\xff"})])
    with pytest.raises(InvalidInputError) as caught:
        convert_spec.spec_from_wire(spec)
    assert (caught.value.field, str(caught.value)) == ("secret", "The secret K is not UTF-8.")


@given(made(AuditEntry), st.permutations("abcdefghij"))
def test_what_the_audit_keeps_stays_in_its_order(entry: AuditEntry, names: list[str]) -> None:
    message = convert_security.entry_to_wire(replace(entry, detail=dict.fromkeys(names, "x")))
    sent = wire.AuditEntry.FromString(message.SerializeToString())
    assert list(convert_security.entry_from_wire(sent).detail) == names
    del sent.detail_names[:]
    assert list(convert_security.entry_from_wire(sent).detail) == sorted(names)


@given(made(TokenSpec))
def test_a_tokens_every_field_survives_but_no_uses_are_one(spec: TokenSpec) -> None:
    message = convert_security.token_spec_to_wire(spec)
    back = convert_security.token_spec_from_wire(message)
    assert back == replace(spec, uses=spec.uses or 1)


@given(made(Window))
def test_a_window_survives_with_its_limit_bounded(window: Window) -> None:
    back = convert_values.window_from_wire(convert_values.window_to_wire(window))
    assert back.limit == min(window.limit, LIMIT_MAX)
    assert convert_values.window_to_wire(back).offset == window.offset
    assert (back.text, back.sort, back.descending, back.faults_only) == (
        window.text,
        window.sort,
        window.descending,
        window.faults_only,
    )


def test_absent_fields_mean_the_defaults() -> None:
    assert convert_values.window_from_wire(wire.Window()) == Window()
    spec = convert_spec.spec_from_wire(wire.TaskSpec(commands=[wire.CommandSpec(text="x")]))
    assert spec.commands[0].timeout == TIMEOUT_DEFAULT
    zero = wire.TaskSpec(commands=[wire.CommandSpec(timeout=Duration())])
    assert convert_spec.spec_from_wire(zero).commands[0].timeout == timedelta(0)
    assert convert_security.token_spec_from_wire(wire.CreateTokenRequest()) == TokenSpec()
    zero_ttl = wire.CreateTokenRequest(ttl=Duration())
    assert convert_security.token_spec_from_wire(zero_ttl).ttl == timedelta(0) != TTL_DEFAULT
    schedule = convert_schedule.spec_from_wire(wire.ScheduleSpec())
    assert (schedule.overlap, schedule.misfire) == (Overlap.SKIP, MISFIRE_DEFAULT)
    no_misfire = wire.ScheduleSpec(misfire=Duration())
    assert convert_schedule.spec_from_wire(no_misfire).misfire == timedelta(0)
    assert convert_output.output_limit(wire.ReadOutputRequest(), 7) == 7
    assert convert_output.output_limit(wire.ReadOutputRequest(limit=0), 7) == 0
    assert (
        convert_output.output_limit(wire.FollowOutputRequest(limit=1 << 40), 7)
        == convert_output.OUTPUT_MAX
    )


def test_a_page_says_how_much_there_is() -> None:
    page = Page(rows=(1, 2), matching=5, total=9)
    assert convert_values.page_from_wire([1, 2], convert_values.size_to_wire(page)) == page


@pytest.mark.parametrize(
    ("words", "table", "numbers"),
    [
        (Stream, convert_values.STREAMS, agent.Stream),
        (Admission, convert_host.ADMISSIONS, agent.Admission),
        (TaskStatus, convert_task.TASK_STATUSES, wire.TaskStatus),
        (CommandHostStatus, convert_task.COMMAND_HOST_STATUSES, wire.CommandHostStatus),
        (Reason, convert_task.REASONS, wire.Reason),
        (HostClass, convert_task.HOST_CLASSES, wire.HostClass),
        (TokenState, convert_security.TOKEN_STATES, wire.TokenState),
        (Overlap, convert_schedule.OVERLAPS, wire.Overlap),
        (SkipReason, convert_schedule.SKIP_REASONS, wire.SkipReason),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_each_word_has_its_number(words: Any, table: Mapping[Any, int], numbers: Any) -> None:
    assert set(table) == set(words)
    assert set(table.values()) | {0} == set(numbers.values())
    for word, number in table.items():
        assert numbers.Name(number).endswith(f"_{word.name}") or word is Reason.NONE


@pytest.mark.parametrize("number", [0, 99])
def test_an_unknown_number_is_wrong_input(number: int) -> None:
    with pytest.raises(InvalidInputError, match=f"no stream with the number {number}") as caught:
        convert_values.word(convert_values.STREAMS, number)
    assert caught.value.field == "stream"


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("priority", wire.TaskSpec(commands=[wire.CommandSpec(priority=-1)])),
    ],
)
def test_what_would_not_happen_is_refused(field: str, spec: wire.TaskSpec) -> None:
    with pytest.raises(InvalidInputError) as caught:
        convert_spec.spec_from_wire(spec)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "at",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(0))),
        datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
    ],
)
def test_a_time_is_written_and_read_as_protobuf_does_it(at: datetime) -> None:
    message, expected = wire.Task(), Timestamp()
    convert_values.set_timestamp(message.created_at, at)
    expected.FromDatetime(at)
    assert message.created_at == expected
    assert message.HasField("created_at")  # also if it is 1970
    assert convert_values.instant(expected) == expected.ToDatetime(tzinfo=UTC) == at


@pytest.mark.parametrize("nanos", [-1, 1_000_000_000])
def test_a_time_with_too_many_nanoseconds_is_wrong(nanos: int) -> None:
    with pytest.raises(ValueError, match="nanoseconds"):
        convert_values.instant(Timestamp(seconds=1, nanos=nanos))


@pytest.mark.parametrize(
    "length", [timedelta(0), timedelta(microseconds=-1), timedelta(days=-3, hours=1), timedelta.max]
)
def test_a_length_is_written_as_protobuf_does_it(length: timedelta) -> None:
    message, expected = Duration(), Duration()
    convert_values.set_duration(message, length)
    expected.FromTimedelta(length)
    assert message == expected


def test_chunks_of_a_reply_are_those_that_one_message_has() -> None:
    chunks = [
        OutputChunk(1, "e1", "web01", 0, Stream.STDOUT, 0, b"\xff\n"),
        OutputChunk(
            2, "e2", "web02", 3, Stream.STDERR, 7, b"", 5, datetime(2026, 1, 2, tzinfo=UTC)
        ),
    ]
    reply = convert_output.chunks_to_wire(chunks)
    assert list(reply.chunks) == [*map(convert_output.chunk_to_wire, chunks)]
    assert [*map(convert_output.chunk_from_wire, reply.chunks)] == chunks
