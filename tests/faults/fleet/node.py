"""A program that may die and be started again: the manager, or an agent."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.inject.points import HIT
from tests.support.programs.warm_programs import Running


@dataclass(slots=True)
class Node:
    """A program that may die and be started again.

    Attributes:
        prefix: the words of a program that starts it.
        code: the folder from which its next start takes our packages; None: the usual one.
        starts_in: a folder; None: that of the test.
        terminated: the process that was sent SIGTERM last.
    """

    name: str
    folder: Path
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)
    code: Path | None = None
    starts_in: Path | None = None
    process: Running | None = None
    terminated: Running | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def arm_path(self) -> Path:
        return self.folder / f"{self.name}.point"

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def broken(self) -> bool:
        """Whether it ended by an error of its own."""
        return self.process is not None and (self.process.poll() or 0) > 0

    @property
    def killed(self) -> bool:
        """Whether a fault of the suite ended it."""
        if self.process is None:
            return False
        code = self.process.poll()
        obeyed = code in (0, -signal.SIGTERM) and self.process is self.terminated
        return obeyed or code == -signal.SIGKILL

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        if self.alive:
            if number is signal.SIGTERM:
                self.terminated = self.process
            os.kill(self.pid, number)

    def arm(self, point: str, count: int = 1, action: str = "kill") -> None:
        """The `count`-th time that `point` is reached from now on, `action` happens."""
        draft = self.arm_path.with_suffix(".draft")
        draft.write_text(f"{point} {count} {action} {time.monotonic_ns()}")
        draft.rename(self.arm_path)

    @property
    def point(self) -> str:
        """The failpoint that is armed, if any."""
        return self.arm_path.read_text().split()[0] if self.arm_path.exists() else ""

    def disarm(self) -> None:
        self.arm_path.unlink(missing_ok=True)

    @property
    def hits(self) -> list[str]:
        """The failpoints that did something."""
        path = Path(f"{self.arm_path}{HIT}")
        return path.read_text().split() if path.exists() else []
