"""What a campaign has done so far, and the table that says so."""

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
    output_bytes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def table(self, how: str) -> str:
        """The table as docs/survives.md shows it; `how` is the command that makes it."""
        rows = [(name, str(count)) for name, count in sorted(self.faults.items())]
        rows += [("**faults**", f"**{self.faults.total()}**")]
        rows += [("runs, each checked whole", str(self.runs))]
        rows += [("tasks with a rollout", str(self.rollouts))]
        rows += [("tasks of several steps", str(self.steps))]
        rows += [("tasks with a barrier", str(self.barriers))]
        rows += [("commands on hosts", str(self.commands))]
        rows += [("output, compared byte by byte", f"{self.output_bytes / 1e6:.1f} MB")]
        rows += [("**violations**", f"**{len(self.violations)}**")]
        lines = [f"`{how}`", "", "| fault | times |", "|---|---:|"]
        return "\n".join([*lines, *(f"| {name} | {count} |" for name, count in rows)])
