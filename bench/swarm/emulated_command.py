"""What an emulated command does, as its text says: bytes, seconds, exit code. No shell runs it.

Chance is drawn from the execution's id, so that whoever checks the database knows the outcome too.
"""

import random
import re
from dataclasses import dataclass

_NUMBER = r"(\d+(?:\.\d+)?)"
_TEXT = re.compile(
    rf"emulate bytes=(\d+) seconds={_NUMBER} spread={_NUMBER} exit=(\d+) share={_NUMBER}"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one execution: bytes printed, seconds until its end, exit code."""

    size: int
    seconds: float
    code: int


@dataclass(frozen=True, slots=True)
class Work:
    """A command on many hosts.

    Attributes:
        size: bytes that it prints on each.
        seconds: that it takes at least.
        code: its exit code.
        spread: seconds that it takes longer, at most; each host has its own share of them.
        share: of the hosts on which it ends with `code`; on the others with 0.
    """

    size: int = 0
    seconds: float = 0.0
    code: int = 0
    spread: float = 0.0
    share: float = 1.0

    @property
    def text(self) -> str:
        """As a task's command carries it."""
        return (
            f"emulate bytes={self.size} seconds={self.seconds:.3f} spread={self.spread:.3f} "
            f"exit={self.code} share={self.share:.4f}"
        )

    def outcome(self, execution_id: str) -> Outcome:
        """What it comes to in an execution. Its id is a UUID of version 7: this begins with the
        time, and its last twelve digits are random."""
        slow, unlucky = _chance(execution_id[-12:-6]), _chance(execution_id[-6:]) < self.share
        return Outcome(self.size, self.seconds + slow * self.spread, self.code if unlucky else 0)


def _chance(six_digits: str) -> float:
    return int(six_digits, 16) / 2**24


def parse(text: str) -> Work:
    """The work that a command's text asks for. Raises ValueError."""
    match = _TEXT.fullmatch(text)
    if not match:
        raise ValueError(f"not a command for emulated agents: {text!r}; such as {Work().text!r}")
    size, seconds, spread, code, share = match.groups()
    return Work(int(size), float(seconds), int(code), float(spread), float(share))


def some_work(chance: random.Random) -> Work:
    """Mostly short, quiet and successful."""
    size = chance.choice([0, 40, 400, 4000, 40_000])
    seconds = chance.choice([0.0, 0.0, 0.0, 0.2, 2.0])
    return Work(size, seconds, chance.choices([0, 3], [9, 1])[0])


def output(execution_id: str, size: int, offset: int = 0) -> bytes:
    """`size` bytes from `offset` on of what an execution prints: its id, line after line."""
    line = f"{execution_id}\n".encode()
    begin = offset % len(line)
    return (line * ((begin + size) // len(line) + 1))[begin : begin + size]
