"""What a report changed, for whoever answers the agent, logs and counts."""

from dataclasses import dataclass, field

from tui_manager.domain.errors import RefusedError
from tui_manager.domain.report import Acknowledged, Result


@dataclass(slots=True)
class ReportOutcome:
    """What a report changed, and what of it could not be stored.

    Attributes:
        refused: the host was turned away meanwhile; nothing of the report was stored.
        output: tasks for which output was stored.
        has_room: commands of the host have ended, so it has room for the next ones.
        started: (task_id, execution_id).
        results: accepted results, with their tasks.
        late: how many of these results replaced a guess.
        conflicts: second, different results, with their tasks; the first result stays.
        unknown: executions that the database does not know.
        foreign: executions of another host, which this host must not report.
        holes: executions of which output between the stored bytes and the reported ones is missing.
        over_limit: executions with more output than their limit; the rest was counted, not stored.
    """

    refused: RefusedError | None = None
    acknowledged: list[Acknowledged] = field(default_factory=list)
    output: set[int] = field(default_factory=set)
    output_bytes: int = 0
    has_room: bool = False
    started: list[tuple[int, str]] = field(default_factory=list)
    results: list[tuple[int, Result]] = field(default_factory=list)
    late: int = 0
    conflicts: list[tuple[int, Result]] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    holes: set[str] = field(default_factory=set)
    over_limit: set[str] = field(default_factory=set)

    def violations(self) -> list[str]:
        """What of the report breaks the rules of the wire, a sentence each; they end a session."""
        return [
            sentence.format(sorted(executions)[0])
            for executions, sentence in (
                (self.foreign, "It reported execution {}, which is another host's."),
                (self.over_limit, "More output of {} came than its limit allows."),
                (self.holes, "Output of {} begins behind what is stored."),
            )
            if executions
        ]
