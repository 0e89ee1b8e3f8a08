"""Client and server over a real unix socket, on one loop as gRPC wants it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from tui_manager_protos.v1 import operator_pb2 as wire
from tui_manager_protos.v1.operator_pb2_grpc import OperatorServiceStub

from tests.operator.recording import CALLS, EVERYTHING, HOST, SPEC, TOKEN, RecordingOperator, call
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    ManagerError,
    NotFoundError,
    StorageError,
    UnreachableError,
)
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.join_token import NewToken, TokenSpec
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.operator.actor import CURRENT_ACTOR, this_actor
from tui_manager.operator.api import Operator, OutputChunk
from tui_manager.operator.conversion.convert_output import OUTPUT_MAX
from tui_manager.operator.socket.client.client import connect
from tui_manager.operator.socket.convert_errors import FIELD, MESSAGE_MAX, error_of
from tui_manager.operator.socket.server.server import serve_operator
from tui_manager.operator.socket.unix_socket import socket_address
from tui_manager.operator.watching import watching


@pytest.fixture
async def operator(recording: RecordingOperator, state_dir: Path) -> AsyncIterator[Operator]:
    async with serve_operator(recording, state_dir), connect(state_dir) as client:
        yield client


@pytest.mark.parametrize(("name", "arguments", "answer"), CALLS)
async def test_each_call_arrives_and_is_answered(
    operator: Operator,
    recording: RecordingOperator,
    name: str,
    arguments: tuple[Any, ...],
    answer: Any,
) -> None:
    recording.answers[name] = answer
    assert await call(operator, name, arguments) == answer
    assert recording.calls == [(name, *arguments)]


async def test_who_asks_is_known_to_the_manager(
    operator: Operator, recording: RecordingOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    async def cancel_task(task_id: int, host_ids: tuple[str, ...] = ()) -> None:
        seen.append(CURRENT_ACTOR.get())

    monkeypatch.setattr(recording, "cancel_task", cancel_task)
    await operator.cancel_task(7)
    assert seen == [this_actor()]


async def test_who_asks_may_be_said_in_the_request(
    stub: Any, recording: RecordingOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    async def create_token(spec: TokenSpec) -> NewToken:
        seen.append(CURRENT_ACTOR.get())
        return TOKEN

    monkeypatch.setattr(recording, "create_token", create_token)
    await stub.CreateToken(wire.CreateTokenRequest(asked_by="ann@tty1"))
    await stub.CreateToken(wire.CreateTokenRequest(asked_by="x" * 5000))
    await stub.CreateToken(wire.CreateTokenRequest())
    assert seen == ["ann@tty1", "x" * 200, ""]


async def test_all_that_wait_may_be_approved_or_rejected_at_once(
    operator: Operator, recording: RecordingOperator
) -> None:
    await operator.approve_hosts(all_pending=True)
    await operator.reject_hosts(all_pending=True)
    assert recording.calls == [
        ("approve_hosts", (), "all_pending"),
        ("reject_hosts", (), "all_pending"),
    ]


@pytest.mark.parametrize("spec", [TokenSpec(uses=0), TokenSpec(labels={"a b": ""})])
async def test_a_token_out_of_bounds_is_not_asked_for(
    operator: Operator, recording: RecordingOperator, spec: TokenSpec
) -> None:
    with pytest.raises(InvalidInputError):
        await operator.create_token(spec)
    assert recording.calls == []


async def test_defaults_are_those_of_the_protocol(
    operator: Operator, recording: RecordingOperator, stub: Any
) -> None:
    await operator.read_output("e-1", Stream.STDOUT)
    await operator.follow_output(7)
    await operator.list_command_hosts(7, Window())
    await operator.preview_schedule("@daily", "UTC")
    await stub.PreviewSchedule(wire.PreviewScheduleRequest(cron="@daily", zone="UTC"))
    assert recording.calls == [
        ("read_output", "e-1", Stream.STDOUT, 0, 1 << 20),
        ("follow_output", 7, 0, "", 1 << 18, 0, ""),
        ("list_command_hosts", 7, Window(), None),
        ("preview_schedule", "@daily", "UTC", 5),
        ("preview_schedule", "@daily", "UTC", 5),
    ]


async def test_what_is_asked_for_is_bounded(
    operator: Operator, recording: RecordingOperator
) -> None:
    await operator.read_output("e-1", Stream.STDOUT, limit=1 << 40)
    await operator.list_hosts(Window(limit=10**9))
    assert recording.calls == [
        ("read_output", "e-1", Stream.STDOUT, 0, OUTPUT_MAX),
        ("list_hosts", Window(limit=1000)),
    ]


@pytest.mark.parametrize(
    "error",
    [
        InvalidInputError("target", "Not known: wéb[01-02]\n\u2026 and %41 more."),
        InvalidInputError("", "No field."),
        NotFoundError("There is no task 7."),
        IllegalMoveError("Task 7 has ended."),
        StorageError("The database is locked."),
        UnreachableError("The manager ends."),
        ManagerError("Something else."),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_errors_come_back_as_they_were(
    operator: Operator, recording: RecordingOperator, error: ManagerError
) -> None:
    recording.answers["start_task"] = error
    with pytest.raises(ManagerError) as caught:
        await operator.start_task(7)
    assert type(caught.value) is type(error)
    assert str(caught.value) == str(error)
    assert getattr(caught.value, "field", None) == getattr(error, "field", None)


async def test_a_long_message_is_cut(operator: Operator, recording: RecordingOperator) -> None:
    recording.answers["start_task"] = NotFoundError("\U0001f600" * 100_000)
    with pytest.raises(NotFoundError) as caught:
        await operator.start_task(7)
    assert str(caught.value) == "\U0001f600" * (MESSAGE_MAX - 1) + "…"


async def test_a_defect_is_logged_and_named(
    operator: Operator, recording: RecordingOperator, caplog: pytest.LogCaptureFixture
) -> None:
    recording.answers["get_task"] = KeyError("secret detail")
    with caplog.at_level(logging.ERROR), pytest.raises(ManagerError) as caught:
        await operator.get_task(7)
    assert type(caught.value) is ManagerError
    assert "its log has the details (INTERNAL: KeyError)" in str(caught.value)
    assert "secret detail" not in str(caught.value)
    assert "OperatorService.GetTask failed" in caplog.text
    assert "secret detail" in caplog.text
    assert await operator.get_task_status(7)


@pytest.mark.parametrize(
    "spec",
    [
        TaskSpec("web*", (CommandSpec("echo \udcff"),)),
        TaskSpec("\udcff", ()),
    ],
)
async def test_what_is_not_text_is_wrong_input(
    operator: Operator, recording: RecordingOperator, spec: TaskSpec
) -> None:
    with pytest.raises(InvalidInputError, match="cannot be sent"):
        await operator.create_task(spec)
    with pytest.raises(InvalidInputError, match="cannot be sent"):
        await operator.get_task(2**70)
    assert recording.calls == []


async def test_large_replies_pass(operator: Operator, recording: RecordingOperator) -> None:
    labels = {f"key{i}": "v" * 128 for i in range(40)}
    host = HOST
    rows = tuple(
        Host(str(i), f"web{i}", labels, host.admission, True, None, "", "", "", "", 1)
        for i in range(1000)
    )
    recording.answers["list_hosts"] = Page(rows, 1000, 1000)
    assert (await operator.list_hosts(Window(limit=1000))).rows == rows
    chunk = OutputChunk(1, "e-1", "web01", 0, Stream.STDOUT, 0, bytes(6 * 1024 * 1024))
    recording.answers["read_output"] = (chunk,)
    assert await operator.read_output("e-1", Stream.STDOUT) == (chunk,)


async def test_giving_up_a_call_ends_it_on_the_other_side(
    operator: Operator, recording: RecordingOperator
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    recording.answers["start_task"] = hang
    pending = asyncio.create_task(operator.start_task(7))
    await began.wait()
    pending.cancel()
    await ended.wait()
    with pytest.raises(asyncio.CancelledError):
        await pending


async def test_two_clients_are_served_at_once(
    operator: Operator, recording: RecordingOperator, state_dir: Path
) -> None:
    hold = asyncio.Event()

    async def held() -> tuple[str, ...]:
        await hold.wait()
        return ()

    recording.answers["start_task"] = held
    pending = asyncio.create_task(operator.start_task(7))
    async with connect(state_dir) as other, watching(other) as changes:
        assert await anext(changes) == EVERYTHING
        assert await other.create_task(SPEC) == 8
        assert not pending.done()
        hold.set()
        await pending
    assert await operator.get_task_status(7)


async def test_a_connection_that_was_closed_says_so(
    recording: RecordingOperator, state_dir: Path
) -> None:
    async with serve_operator(recording, state_dir):
        async with connect(state_dir) as client:
            pass
        with pytest.raises(UnreachableError, match="within `async with`"):
            await client.manager_status()
        with pytest.raises(UnreachableError, match="within `async with`"):
            await anext(client.watch())


def test_a_call_that_an_ending_manager_drops_is_unreachable() -> None:
    failure = aio.AioRpcError(grpc.StatusCode.CANCELLED, aio.Metadata(), aio.Metadata())
    assert isinstance(error_of(failure, "/state"), UnreachableError)


# ------------------------------------------------------------------------------------ watching


async def test_changes_come_as_they_are_made(
    operator: Operator, recording: RecordingOperator
) -> None:
    queue: asyncio.Queue[Changes] = asyncio.Queue()

    async def from_queue() -> AsyncIterator[Changes]:
        while True:
            yield await queue.get()

    recording.changes = from_queue
    async with watching(operator) as changes:
        assert await anext(changes) == EVERYTHING
        made = Changes(tasks=frozenset({1, 2}), output=frozenset({3}))
        queue.put_nowait(made)
        assert await anext(changes) == made
        await recording.until_watching(1)
    await recording.until_watching(0)


async def test_a_watcher_that_is_cancelled_is_gone(
    operator: Operator, recording: RecordingOperator
) -> None:
    seen = asyncio.Event()

    async def look() -> None:
        async for _ in operator.watch():
            seen.set()

    watcher = asyncio.create_task(look())
    await seen.wait()
    assert recording.watching == 1
    watcher.cancel()
    await recording.until_watching(0)


async def test_an_operator_that_ends_its_changes_ends_the_watch(
    operator: Operator, recording: RecordingOperator
) -> None:
    async def nothing() -> AsyncIterator[Changes]:
        return
        yield

    recording.changes = nothing
    watcher = operator.watch()
    assert await anext(watcher) == EVERYTHING
    with pytest.raises(UnreachableError):
        await anext(watcher)


async def test_a_slow_reader_holds_the_changes_back(
    operator: Operator, recording: RecordingOperator
) -> None:
    made = 0
    large = Changes(tasks=frozenset(range(10**6, 10**6 + 200)))

    async def without_end() -> AsyncIterator[Changes]:
        nonlocal made
        while True:
            made += 1
            yield large
            await asyncio.sleep(0)

    recording.changes = without_end
    async with watching(operator) as changes:
        assert await anext(changes) == EVERYTHING
        before = -1
        for _ in range(100):  # until nothing more is made while others are served
            before = made
            for _ in range(20):
                await operator.get_task_status(7)
            if before == made:
                break
        assert made == before
        for _ in range(made):
            assert await anext(changes) == large
    await recording.until_watching(0)


# ------------------------------------------------------------------- what other clients may send


@pytest.fixture
async def channel(recording: RecordingOperator, state_dir: Path) -> AsyncIterator[Any]:
    async with (
        serve_operator(recording, state_dir) as path,
        aio.insecure_channel(socket_address(path)) as channel,
    ):
        yield channel


@pytest.fixture
def stub(channel: Any) -> Any:
    return OperatorServiceStub(channel)


@pytest.mark.parametrize(
    ("name", "request_", "field"),
    [
        ("ReadOutput", wire.ReadOutputRequest(execution_id="e-1"), "stream"),
        ("RevokeHosts", wire.HostsRequest(all_pending=True), "all_pending"),
        (
            "CreateTask",
            wire.CreateTaskRequest(spec=wire.TaskSpec(commands=[wire.CommandSpec(priority=1)])),
            "priority",
        ),
    ],
)
async def test_requests_that_cannot_be_read_are_wrong_input(
    stub: Any, recording: RecordingOperator, name: str, request_: Any, field: str
) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await getattr(stub, name)(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert dict(caught.value.trailing_metadata())[FIELD] == field
    assert recording.calls == []


async def test_calls_of_a_newer_client_are_unimplemented(channel: Any) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await channel.unary_unary("/tui_manager.v1.OperatorService/OfLaterYears")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
