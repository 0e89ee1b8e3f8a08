"""What an emulated command does, as its text says: bytes, seconds, exit code. No shell runs it."""

import random
import re
from dataclasses import dataclass

_TEXT = re.compile(r"soak bytes=(\d+) seconds=([\d.]+) exit=(\d+)")


@dataclass(frozen=True, slots=True)
class Work:
    """A command: how much it prints, how long it takes, how it ends."""

    size: int
    seconds: float
    code: int

    @property
    def text(self) -> str:
        """As a task's command carries it."""
        return f"soak bytes={self.size} seconds={self.seconds:.3f} exit={self.code}"


def parse(text: str) -> Work:
    """The work that a command's text asks for. Raises ValueError."""
    match = _TEXT.fullmatch(text)
    if not match:
        raise ValueError(f"not a command of the soak: {text!r}")
    return Work(int(match[1]), float(match[2]), int(match[3]))


def some_work(chance: random.Random) -> Work:
    """Mostly short, quiet and successful."""
    size = chance.choice([0, 40, 400, 4000, 40_000])
    seconds = chance.choice([0.0, 0.0, 0.0, 0.2, 2.0])
    return Work(size, seconds, chance.choices([0, 3], [9, 1])[0])


def output(execution_id: str, size: int) -> bytes:
    """The first `size` bytes of what an execution prints: known to whoever checks."""
    line = f"{execution_id}\n".encode()
    return (line * (size // len(line) + 1))[:size]
