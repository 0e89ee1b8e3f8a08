"""Starts the fork server when it is needed, and tells it which supervisors to start."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tui_manager_agent.supervisor import launch, record
from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot

IDLE = 300.0  # seconds without a supervisor, after which it is ended
EXIT_WITHIN = 1.0  # seconds
_LOADER = ("LD_", "DYLD_")  # a Python outside of the usual paths may need them
# The loader resolves symbols once, and not in each supervisor, which would copy its tables.
_BIND = {"LD_BIND_NOW": "1"}
_READ = 64 * 1024
_LOG = logging.getLogger(__name__)


class ForkServerClient:
    """Starts the fork server with the first order, and another one after its exit.

    Args:
        on_exit: called with an execution when its supervisor has exited, and with why there could
            be no supervisor, if so.
        on_lost: called with an execution whose supervisor may live, but the fork server has died.
        cgroup_root: where commands get cgroups; None: they do not.
    """

    def __init__(
        self,
        on_exit: Callable[[str, str], None],
        on_lost: Callable[[str], None],
        cgroup_root: CgroupRoot | None = None,
    ) -> None:
        self._cgroup_root = cgroup_root
        self._on_exit = on_exit
        self._on_lost = on_lost
        self._server: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._unfinished = b""  # the record that the last read cut
        self._sending = asyncio.Lock()
        self._can_send = asyncio.Event()  # a send that waits may continue
        self._supervised: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._needed_at = 0.0
        self._closed = False

    async def request_supervisor(self, folder: Path) -> bool:
        """Asks the fork server for the supervisor of the execution in a folder. Raises OSError.

        False if this was closed before: no supervisor will ever be started for it.
        """
        line = os.fsencode(folder) + b"\0"
        async with self._sending:
            while not self._closed:
                channel = self._socket or self._open(folder.parent)
                self._needed_at = asyncio.get_running_loop().time()
                if await self._send(channel, line):
                    self._supervised.add(folder.name)
                    return True
        return False

    def close(self) -> None:
        """Ends the fork server. The supervisors live on, and their exits are not reported."""
        self._closed = True
        if self._socket is not None and self._server is not None:
            self._supervised.clear()
            self._drop_channel(self._socket)
            try:
                self._server.wait(EXIT_WITHIN)
            except subprocess.TimeoutExpired:
                self._server.returncode = 0  # it is stopped: avoids the warning of Popen

    async def _send(self, channel: socket.socket, line: bytes) -> bool:
        """False if the server exited before it had the whole line. Then it did not act on it."""
        while line and channel is self._socket:
            try:
                line = line[channel.send(line) :]
            except BlockingIOError:
                await self._wait_for_room(channel)
            except (BrokenPipeError, ConnectionResetError):
                self._server_gone(channel)
        return not line

    async def _wait_for_room(self, channel: socket.socket) -> None:
        """Waits until the server has read something, or has exited."""
        loop = asyncio.get_running_loop()
        self._can_send.clear()
        loop.add_writer(channel, self._can_send.set)
        try:
            await self._can_send.wait()
        finally:
            if channel is self._socket:
                loop.remove_writer(channel)

    def _open(self, folder: Path) -> socket.socket:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-I", "-S", launch.__file__, str(theirs.fileno()), str(folder)]
        if self._cgroup_root is not None:
            command += [self._cgroup_root.base, self._cgroup_root.agent_cgroup]
        try:
            self._server = subprocess.Popen(
                command,
                cwd="/",
                env={**_BIND, **_loader_settings()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # stderr is the agent's; a supervisor replaces it
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(ours, self._read, ours)
        self._socket = ours
        self._unfinished = b""
        self._timer = loop.call_later(IDLE, self._check_idle, ours)
        return ours

    def _read(self, channel: socket.socket) -> None:
        try:
            data = channel.recv(_READ)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        whole, _, self._unfinished = (self._unfinished + data).rpartition(b"\0")
        for execution_id, problem in record.decode(whole + b"\0").items():
            self._supervised.discard(execution_id)
            self._needed_at = asyncio.get_running_loop().time()
            self._on_exit(execution_id, problem)
        if not data:
            self._server_gone(channel)

    def _server_gone(self, channel: socket.socket) -> None:
        """It has exited, or is about to."""
        if channel is not self._socket or self._server is None:
            return
        self._drop_channel(channel)
        self._server.kill()  # it may wait for a reader of its stderr, after an error
        self._server.wait()
        lost, self._supervised = self._supervised, set()
        if lost:
            _LOG.warning("the fork server died: executions=%d", len(lost))
        for execution_id in lost:
            self._on_lost(execution_id)

    def _drop_channel(self, channel: socket.socket) -> None:
        self._socket = None
        loop = asyncio.get_running_loop()
        loop.remove_reader(channel)
        loop.remove_writer(channel)
        channel.close()
        self._can_send.set()
        if self._timer is not None:
            self._timer.cancel()

    def _check_idle(self, channel: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        idle_at = self._needed_at + IDLE
        if self._supervised or loop.time() < idle_at:
            again = loop.time() + IDLE if self._supervised else idle_at
            self._timer = loop.call_at(again, self._check_idle, channel)
        else:
            channel.shutdown(socket.SHUT_WR)  # it exits, and `_read` sees that


def _loader_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_LOADER)}
