"""A real supervisor on a folder of its own, without an agent: the test hears its bell."""

import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tui_manager_agent.spool import Spool
from tui_manager_agent.supervisor import clock, launch, processes, record

PATIENCE = 20.0  # seconds until a wait gives up


class Supervised:
    """One command under its supervisor; use it as a context, which ends what is left."""

    def __init__(self, root: Path, command: str, **order: object) -> None:
        """`order` overrides what is ordered; seconds are given as `timeout` and `kill_grace`."""
        self.id = str(uuid.uuid4())
        self.spool = Spool(root / self.id)
        bell = root / "bell"
        os.mkfifo(bell)
        self._bell = os.open(bell, os.O_RDWR | os.O_NONBLOCK)
        seconds = {"timeout": 60.0, "kill_grace": 0.3}
        for name in seconds:
            seconds[name] = float(str(order.pop(name, seconds[name])))
        self.spool.accept(
            {
                "command": command,
                "cwd": root,
                "output_limit": 1024 * 1024,
                "bell": bell,
                "boot_id": "this",
                **{name: int(value * clock.SECOND) for name, value in seconds.items()},
                f"env:{record.MARK}": self.id,
                "env:PATH": os.environ["PATH"],
                **order,
            }
        )
        self.spool.starting()

    def __enter__(self) -> Self:
        self.process = self.start_another()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pid in processes.find(self.id, 0):
            os.kill(pid, signal.SIGKILL)
        os.close(self._bell)

    def start_another(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-S", launch.__file__, str(self.spool.folder)]
        return subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)

    @property
    def stdout(self) -> bytes:
        return self.spool.read("stdout", 0, 1 << 30)

    @property
    def stderr(self) -> bytes:
        return self.spool.read("stderr", 0, 1 << 30)

    def until(self, condition: Callable[[], object]) -> None:
        """Waits for a ring after which the condition holds."""
        while not condition():
            ready, _, _ = select.select([self._bell], [], [], PATIENCE)
            if not ready:
                seen = f"{self.stdout[-500:]!r} {self.stderr[-500:]!r} {self.spool.result()}"
                raise AssertionError(f"it did not happen; last seen: {seen}")
            os.read(self._bell, 65536)

    def is_started(self) -> bool:
        return bool(self.spool.started("this"))

    def result(self) -> dict[str, str]:
        """The result, once it is there."""
        self.until(self.spool.result)
        return self.spool.result()
