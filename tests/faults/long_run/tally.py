"""What a campaign has done so far, and the table that says so."""

import traceback
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts runs and faults, and keeps the violations, with their stories."""

    runs: int = 0
    rollouts: int = 0
    steps: int = 0
    barriers: int = 0
    commands: int = 0
    transfers: int = 0
    output_bytes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def failed(self, error: Exception, name: str = "") -> None:
        """A run has ended by this error. What is not a check that failed is a violation too: the
        suite itself does not work then, and the run shows nothing."""
        where = f"{name}: " if name else ""
        if isinstance(error, AssertionError):
            self.violations.append(f"{where}{error}{_earlier(error)}")
        else:
            self.violations.append(f"{where}{''.join(traceback.format_exception(error))}")

    def add(self, other: "Tally") -> None:
        """Counts what another process has done."""
        kinds = ("runs", "rollouts", "steps", "barriers", "commands", "transfers", "output_bytes")
        for name in kinds:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults.update(other.faults)
        self.violations += other.violations

    def table(self, how: str) -> str:
        """The table as docs/survives.md shows it; `how` is the command that makes it."""
        rows = [(name, str(count)) for name, count in sorted(self.faults.items())]
        rows += [("**faults**", f"**{self.faults.total()}**")]
        rows += [("runs, each checked whole", str(self.runs))]
        rows += [("tasks with a rollout", str(self.rollouts))]
        rows += [("tasks of several steps", str(self.steps))]
        rows += [("tasks with a barrier", str(self.barriers))]
        rows += [("commands on hosts", str(self.commands))]
        rows += [("copies and fetches that completed on hosts", str(self.transfers))]
        rows += [("output, compared byte by byte", f"{self.output_bytes / 1e6:.1f} MB")]
        rows += [("**violations**", f"**{len(self.violations)}**")]
        lines = [f"`{how}`", "", "| fault | times |", "|---|---:|"]
        return "\n".join([*lines, *(f"| {name} | {count} |" for name, count in rows)])


def _earlier(error: BaseException) -> str:
    """The errors during whose handling this one came: that of a run whose fleet could then not be
    closed, say."""
    texts = []
    while (earlier := error.__context__) is not None and not error.__suppress_context__:
        texts.append(f"\nbefore that: {earlier}")
        error = earlier
    return "".join(texts)
