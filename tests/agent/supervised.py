"""A real supervisor on a folder of its own, without an agent: the test gets its notifications."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import psutil
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.supervisor import clock, launch, record
from tui_manager_agent.supervisor.processes import processes
from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot

from tests.agent import orders
from tests.support.programs.warm_programs import forkers
from tests.support.waiting import GIVE_UP


def own_children() -> list[psutil.Process]:
    """The children of the test, without those that start programs for it, and without the server of
    databases that other tests of this process have started."""
    return [
        child
        for child in psutil.Process().children()
        if child.pid not in forkers() and child.name() != "postgres"
    ]


class ForkServer:
    """A real one, without an agent."""

    def __init__(self, cgroup_root: CgroupRoot | None = None, before: Sequence[str] = ()) -> None:
        """`before`: the words of a program that starts it."""
        self.agent, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            command = [*before, sys.executable, "-I", "-S", launch.__file__, str(descriptor), "/"]
            command += [cgroup_root.base, cgroup_root.agent_cgroup] if cgroup_root else []
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(descriptor,),
                start_new_session=True,
            )

    def start(self, folder: Path) -> None:
        self.agent.sendall(os.fsencode(folder) + b"\0")

    def read_exits(self) -> dict[str, str]:
        """The exits that it reports next; none if it has exited itself."""
        self.agent.settimeout(GIVE_UP)
        return record.decode(self.agent.recv(65536))

    def close(self) -> None:
        self.agent.close()
        self.process.wait(GIVE_UP)


class Supervisor:
    """A supervisor, forked for one folder."""

    def __init__(
        self,
        spool: ExecutionFolder,
        cgroup_root: CgroupRoot | None = None,
        before: Sequence[str] = (),
    ) -> None:
        self._spool = spool
        self._server = ForkServer(cgroup_root, before)
        self._server.start(spool.folder)
        self.ended = False

    @property
    def pid(self) -> int:
        """Once it has claimed the folder."""
        name = record.CLAIM if self._spool.has(record.CLAIM) else record.RESULT
        return int(record.read(str(self._spool.folder / name))["pid"])

    def poll(self) -> bool:
        """Whether it has ended."""
        if not self.ended and select.select([self._server.agent], [], [], 0)[0]:
            self.wait()
        return self.ended

    def wait(self) -> None:
        """Until it has ended."""
        if not self.ended:
            assert self._server.read_exits() == {self._spool.folder.name: ""}
            self._server.close()
            self.ended = True

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Supervised:
    """One command under its supervisor; use it as a context, which ends what is left."""

    def __init__(
        self, root: Path, command: str, cgroup_root: CgroupRoot | None = None, /, **order: object
    ) -> None:
        """`order` overrides what is ordered; seconds are given as `timeout` and `kill_grace`. With
        a `cgroup_root` the command gets a cgroup. `files` are what the order brings along, `before`
        the words of a program that starts the supervisor."""
        self._before = cast("Sequence[str]", order.pop("before", ()))
        files = cast("Mapping[str, bytes]", order.pop("files", {}))
        self._cgroup_root = cgroup_root
        self.id = str(uuid.uuid4())
        self.spool = ExecutionFolder(root / self.id)
        root.mkdir(exist_ok=True)
        fifo = root / "bell"
        os.mkfifo(fifo)
        self._fifo = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        seconds = {"timeout": 60.0, "kill_grace": 0.3}
        for name in seconds:
            seconds[name] = float(str(order.pop(name, seconds[name])))
        entries: dict[str, object] = {
            "command": command,
            "cwd": root,
            "bell": fifo,
            **{name: int(value * clock.SECOND) for name, value in seconds.items()},
            f"env:{record.MARK}": self.id,
            "env:PATH": os.environ["PATH"],
        }
        self.spool.accept(orders.order(**{**entries, **order}), files)
        self.spool.mark_starting()

    def __enter__(self) -> Self:
        self.process = self.start_another()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if not self.process.poll():
            self.process.send(signal.SIGKILL)
        self.process.wait()
        for pid in processes.find(self.id, 0):
            os.kill(pid, signal.SIGKILL)
        os.close(self._fifo)

    def start_another(self) -> Supervisor:
        return Supervisor(self.spool, self._cgroup_root, self._before)

    @property
    def stdout(self) -> bytes:
        return self.spool.read("stdout", 0, 1 << 30)

    @property
    def stderr(self) -> bytes:
        return self.spool.read("stderr", 0, 1 << 30)

    def until(self, condition: Callable[[], object]) -> None:
        """Waits for a notification after which the condition is true."""
        while not condition():
            ready, _, _ = select.select([self._fifo], [], [], GIVE_UP)
            if not ready:
                seen = f"{self.stdout[-500:]!r} {self.stderr[-500:]!r} {self.spool.result()}"
                raise AssertionError(f"it did not happen; last seen: {seen}")
            os.read(self._fifo, 65536)

    def is_started(self) -> bool:
        return bool(self.spool.started("this"))

    def result(self) -> dict[str, str]:
        """The entries of the result, once it is there."""
        self.until(self.spool.result)
        return record.read(str(self.spool.folder / record.RESULT))
