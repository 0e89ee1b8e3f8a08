"""Every field of every request at its extremes: what is out of bounds is said, and is no defect."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import Message
from grpc import aio
from tui_manager_protos.v1 import operator_pb2 as wire
from tui_manager_protos.v1.operator_pb2_grpc import OperatorServiceStub

from tests.support.managers.secure_manager import secure_manager
from tui_manager.operator.socket.unix_socket import socket_address, socket_path

SERVICE = wire.DESCRIPTOR.services_by_name["OperatorService"]
METHODS = [method.name for method in SERVICE.methods if method.input_type.fields]
# What only reads leaves nothing behind, so one manager answers all of it.
_READS = (
    "Complete",
    "Find",
    "Follow",
    "Get",
    "List",
    "Plan",
    "Preview",
    "Read",
    "Search",
    "Summarize",
)
READING = [name for name in METHODS if name.startswith(_READS)]
WITH_WINDOW = [m.name for m in SERVICE.methods if "window" in m.input_type.fields_by_name]
EXTREMES: dict[int, tuple[object, ...]] = {
    Field.TYPE_INT64: (-(2**63), -(2**31), -1, 0, 1, 1000, 2**31, 2**63 - 1),
    Field.TYPE_SINT32: (-(2**31), -1, 0, 2**31 - 1),
    Field.TYPE_INT32: (-(2**31), -1, 999_999_999, 2**31 - 1),  # the nanoseconds of a duration
    Field.TYPE_ENUM: (-(2**31), -1, 0, 1, 2, 99, 2**31 - 1),
    Field.TYPE_BOOL: (False, True),
    Field.TYPE_STRING: ("", "\0", "%", "-1", "x" * 60_000, "€" * 60_000, "\\" * 30_000),
    Field.TYPE_BYTES: (b"", b"\xff", b"x" * 200_000),
}
SCHEDULE = wire.ScheduleSpec(
    name="nightly", cron="@yearly", zone="UTC", task_file="target = '@all'\n[[steps]]\nrun = 'x'"
)
SCHEDULE.misfire.seconds = 60
WINDOWS = (
    (wire.Window(text="x" * 1001), "A filter has at most 1000 characters; this one has 1001."),
    (wire.Window(sort="nonsense"), "cannot be sorted by 'nonsense'"),
    (wire.Window(offset=-1), "An offset is 0 or more, not -1."),
    (wire.Window(limit=-1), "A limit is 0 or more, not -1."),
)
ANSWERS = {
    None,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
}


def usual(name: str, execution_id: str, host_id: str) -> Message:
    """A request that is answered."""
    request: Message = getattr(wire, SERVICE.methods_by_name[name].input_type.name)()
    if isinstance(request, wire.CreateTaskRequest):
        spec = wire.TaskSpec(target="@all", commands=[wire.CommandSpec(text="true")])
        request.spec.CopyFrom(spec)
        request.spec.commands[0].timeout.seconds = 5
        request.spec.commands[0].parameters["P"] = "p"
        request.spec.commands[0].secrets["S"] = b"s"
        request.spec.delivery_timeout.seconds = 5
    if isinstance(request, wire.AddScheduleRequest | wire.EditScheduleRequest):
        request.spec.CopyFrom(SCHEDULE)
    for field, value in (
        *(("task_id", 1), ("execution_id", execution_id), ("host_id", host_id)),
        *(("stream", 1), ("target", "@all"), ("uses", 1), ("names", ["web01"])),
        *(("name", SCHEDULE.name), ("cron", SCHEDULE.cron), ("zone", SCHEDULE.zone)),
    ):
        if field in request.DESCRIPTOR.fields_by_name:
            if isinstance(value, list):
                getattr(request, field).extend(value)
            else:
                setattr(request, field, value)
    return request


def extremes(request: Message) -> Iterator[tuple[str, Message]]:
    """The request with one field at an extreme, for each field and each extreme."""
    for path, field in _fields(request, ()):
        for value in EXTREMES[field.type]:
            changed = type(request)()
            changed.CopyFrom(request)
            holder: Any = changed
            for step in path:
                holder = getattr(holder, step) if isinstance(step, str) else holder[step]
            _set(holder, field, value)
            shown = repr(value)[:40]
            yield f"{'.'.join(map(str, (*path, field.name)))} = {shown}", changed


def _fields(
    message: Message, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    for field in message.DESCRIPTOR.fields:
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            if field.message_type is None:
                yield path, field
            continue
        value = getattr(message, field.name)
        if field.is_repeated:
            for number, item in enumerate(value):
                yield from _fields(item, (*path, field.name, number))
        else:
            yield from _fields(value, (*path, field.name))


def _set(holder: Any, field: Any, value: object) -> None:
    if field.is_repeated:
        getattr(holder, field.name)[:] = [value]
    else:
        setattr(holder, field.name, value)


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[tuple[Any, str, str]]:
    """The stub of a manager that has a host, a started task and a schedule; an execution and the
    host's id."""
    async with secure_manager(tmp_path) as manager:
        host = await manager.host("web01")
        await manager.start()
        row = await manager.row(1)
        path = socket_path(manager.state_dir)
        async with aio.insecure_channel(socket_address(path)) as channel:
            stub: Any = OperatorServiceStub(channel)
            await stub.AddSchedule(wire.AddScheduleRequest(spec=SCHEDULE))
            yield stub, row.execution_id, host.host_id


async def _answer(stub: Any, name: str, request: Message) -> None:
    """Makes the call, and reads all of its answer."""
    method = SERVICE.methods_by_name[name]
    if method.client_streaming:
        stream = getattr(stub, name)()
        await stream.write(request)
        await stream.done_writing()
    elif method.server_streaming:
        stream = getattr(stub, name)(request)
        if name == "FollowTask":  # the task does not end
            await stream.read()
            return
    else:
        await getattr(stub, name)(request)
        return
    async for _ in stream:
        pass


async def _wrong_answers(asked: tuple[Any, str, str], name: str) -> list[str]:
    """What a call answers to extremes that no call should answer."""
    stub, execution_id, host_id = asked
    wrong = []
    for what, request in extremes(usual(name, execution_id, host_id)):
        try:
            await _answer(stub, name, request)
        except aio.AioRpcError as error:
            if error.code() not in ANSWERS:
                wrong.append(f"{name}: {what}: {error.code().name} {error.details()}")
    return wrong


async def test_what_is_out_of_bounds_is_no_defect_of_reading(asked: tuple[Any, str, str]) -> None:
    assert len(READING) > 20
    assert [wrong for name in READING for wrong in await _wrong_answers(asked, name)] == []


@pytest.mark.parametrize("name", [name for name in METHODS if name not in READING])
async def test_what_is_out_of_bounds_is_no_defect(asked: tuple[Any, str, str], name: str) -> None:
    assert await _wrong_answers(asked, name) == []


async def test_a_window_that_means_nothing_is_refused(asked: tuple[Any, str, str]) -> None:
    stub, execution_id, host_id = asked
    for name, (window, said) in itertools.product(WITH_WINDOW, WINDOWS):
        request: Any = usual(name, execution_id, host_id)
        request.window.CopyFrom(window)
        with pytest.raises(aio.AioRpcError) as caught:
            await getattr(stub, name)(request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, name
        assert said in (caught.value.details() or ""), name
