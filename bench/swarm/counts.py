"""What the agents of one process counted, and when what happened to each execution."""

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Tally:
    """Counted over all agents of a process.

    Attributes:
        dials: tries to reach the manager; `dials_at` has them by second of the monotonic clock.
        repeats: commands that came again.
        refused: agents that the manager turned away for good; `refusal` is why the last one was.
        unknown: executions that the manager did not know.
    """

    runs: int = 0
    repeats: int = 0
    dials: int = 0
    sessions: int = 0
    cuts: int = 0
    restarts: int = 0
    refused: int = 0
    refusal: str = ""
    unknown: int = 0
    dials_at: Counter[int] = field(default_factory=Counter)

    def counts(self) -> dict[str, int]:
        """The plain numbers."""
        return {
            item.name: value
            for item in fields(self)
            if isinstance(value := getattr(self, item.name), int)
        }


@dataclass(slots=True)
class Moments:
    """Of one execution, on the monotonic clock, which all processes of a machine share; ns."""

    received: int = 0
    told: int = 0
    acknowledged: int = 0


Trace = dict[str, Moments]  # by execution id
