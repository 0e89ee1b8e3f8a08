"""The only module that uses a private part of grpc.aio: the name `socket` in `grpc._cython.cygrpc`.

A thread of gRPC waits for what happens on all connections. For each event it puts a byte into a
pair of sockets, which wakes the event loop. The loop handles all events that have come, but takes
only one byte in each of its turns. On Linux the pair holds 278 bytes. When it is full, the thread
stops until the loop has made some 200 turns without an event, and meanwhile nothing is read from
any connection. With thousands of busy agents an operator then waits for many seconds.

`wake_ups_through_a_pipe` gives gRPC a pipe instead. It holds 65,536 bytes, and the loop takes all
of them at once. If an update of gRPC changes this, `tests/transport/test_grpc_wake_ups.py` says
what to do.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import grpc.aio
from grpc._cython import cygrpc  # type: ignore[attr-defined]

PRIVATE_PART = "socket"
_ALL = 65_536  # bytes: what a pipe holds on Linux


class ReadEnd:
    """The end of the pipe that the loop reads. It has the methods of a socket that gRPC calls."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Its descriptor."""
        return self._descriptor

    def setblocking(self, flag: bool) -> None:
        """Whether `recv` waits."""
        os.set_blocking(self._descriptor, flag)

    def recv(self, _size: int) -> bytes:
        """Takes everything. If several loops are woken, the others find nothing."""
        try:
            return os.read(self._descriptor, _ALL)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Closes the descriptor."""
        os.close(self._descriptor)


class WriteEnd:
    """The end into which the thread of gRPC writes, by its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Its descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Closes the descriptor."""
        os.close(self._descriptor)


class _PipeAsSockets:
    """Takes the place of the module `socket`, but its pair is a pipe."""

    def socketpair(self) -> tuple[ReadEnd, WriteEnd]:
        reading, writing = os.pipe()
        return ReadEnd(reading), WriteEnd(writing)

    def __getattr__(self, name: str) -> Any:
        return getattr(socket, name)


@contextlib.contextmanager
def wake_ups_through_a_pipe() -> Iterator[None]:
    """Starts grpc.aio with such a pipe, and keeps it until the block is left. If grpc.aio is in use
    already, it stays as it is.

    Only for a process with one event loop. gRPC stops at an event whose loop is closed. The events
    behind it are handled when the next byte comes, and the pipe has no byte left: a call of another
    loop may get no answer.
    """
    setattr(cygrpc, PRIVATE_PART, _PipeAsSockets())
    try:
        grpc.aio.init_grpc_aio()
    finally:
        setattr(cygrpc, PRIVATE_PART, socket)
    try:
        yield
    finally:
        grpc.aio.shutdown_grpc_aio()
