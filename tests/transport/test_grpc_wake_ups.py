"""gRPC uses the pipe that the loop empties at once."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import grpc
import pytest

from tui_manager.transport.ports import grpc_wake_ups
from tui_manager.transport.ports.grpc_wake_ups import (
    PRIVATE_PART,
    ReadEnd,
    WriteEnd,
    _PipeAsSockets,
)

WHAT_TO_DO = (
    f"grpcio {grpc.__version__} does not take the pipe of "
    "tui_manager/transport/ports/grpc_wake_ups.py any more. Look into "
    "src/python/grpcio/grpc/_cython/_cygrpc/aio/completion_queue.pyx.pxi of gRPC for what wakes "
    "the loop. If `_handle_events` takes all bytes at once now, remove the module. Else change it."
)

_CALL = f"""
import asyncio, sys
from grpc import aio
from grpc._cython import cygrpc
from tui_manager.transport.ports import grpc_wake_ups
import grpc, socket

reads = 0
recv = grpc_wake_ups.ReadEnd.recv

def counted(end, size):
    global reads
    reads += 1
    return recv(end, size)

grpc_wake_ups.ReadEnd.recv = counted

async def main():
    async def echo(request, context):
        return request
    server = aio.server()
    handler = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("s", {{"m": handler}})])
    server.add_insecure_port(sys.argv[1])
    await server.start()
    async with aio.insecure_channel(sys.argv[1]) as channel:
        assert await channel.unary_unary("/s/m")(b"hello") == b"hello"
    await server.stop(None)

with grpc_wake_ups.wake_ups_through_a_pipe():
    assert cygrpc.{PRIVATE_PART} is socket
    asyncio.run(main())
print(reads)
"""


def test_an_update_of_grpc_keeps_the_private_part(tmp_path: Path) -> None:
    """In a process of its own, because grpc.aio is in use in this one."""
    address = f"unix:{tmp_path}/socket"
    ran = subprocess.run(
        [sys.executable, "-c", _CALL, address], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 0, WHAT_TO_DO


def test_the_pipe_takes_many_events_and_is_emptied_at_once() -> None:
    reading, writing = _PipeAsSockets().socketpair()
    try:
        reading.setblocking(False)
        os.set_blocking(writing.fileno(), False)  # in gRPC it blocks: here it would raise
        for _ in range(20_000):  # two for each of 10,000 agents
            os.write(writing.fileno(), b"1")
        assert len(reading.recv(1)) == 20_000
        assert reading.recv(1) == b""
    finally:
        reading.close()
        writing.close()


@pytest.mark.parametrize("end", [ReadEnd, WriteEnd])
def test_an_end_has_the_methods_of_a_socket_that_grpc_calls(
    end: type[ReadEnd] | type[WriteEnd],
) -> None:
    descriptor = os.open(os.devnull, os.O_RDWR)
    one = end(descriptor)
    assert one.fileno() == descriptor
    one.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_managers_in_this_process_do_not_use_it() -> None:
    """The process has a loop for each test. A program that is started uses it."""
    used: object = grpc_wake_ups.wake_ups_through_a_pipe
    assert used is nullcontext
