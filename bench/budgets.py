"""The budgets of the design, held against what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import INSECURE, MTLS, Figure, number, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One line of the design.

    Attributes:
        key: of the figure; the one with the most agents counts.
        limit: what the figure may be at most, or must be at least.
        of_floor: the limit is a multiple of the floor.
        agents: that it is about; 0 where that means nothing.
    """

    what: str
    key: str
    limit: float
    security: str = ""
    at_least: bool = False
    of_floor: bool = False
    agents: int = 0

    def kept(self, figure: Figure) -> bool:
        """Whether a figure is within it."""
        value = figure.ratio if self.of_floor else figure.value
        if value is None:
            return False
        return value >= self.limit if self.at_least else value <= self.limit

    def words(self, unit: str) -> str:
        """The limit for people."""
        bound = "≥" if self.at_least else "≤"
        return f"{bound} {self.limit:g} {'x floor' if self.of_floor else unit}"


def _both(
    what: str, key: str, insecure: float, mtls: float, *, of_floor: bool = True
) -> list[Budget]:
    return [
        Budget(what=what, key=key, limit=limit, security=security, of_floor=of_floor, agents=10_000)
        for security, limit in ((INSECURE, insecure), (MTLS, mtls))
    ]


BUDGETS: tuple[Budget, ...] = (
    *(
        Budget(
            what=f"commands, committed: {what}",
            key=key,
            limit=limit,
            security=security,
            at_least=True,
            of_floor=True,
            agents=10_000,
        )
        for what, key, limit in (
            ("one under way on each host", "command_rate", 0.5),
            ("eight tasks at once", "tasks_at_once_rate", 0.8),
        )
        for security in (INSECURE, MTLS)
    ),
    *_both("agents connected and idle: CPU", "idle_cpu", 0.6, 0.6),
    *_both("agents connected and idle: memory each", "idle_memory", 1.5, 1.2),
    *_both("agents after a manager restart: all back", "restart_seconds", 2, 2),
    *_both("agents after a manager restart: dials of each", "restart_dials", 3, 3, of_floor=False),
    Budget(
        what="key to paint while agents answer, p95",
        key="key_p95",
        limit=1.5,
        of_floor=True,
        agents=5_000,
    ),
    Budget(what="line printed to line on the screen, p95", key="line_p95", limit=60),
    Budget(
        what="sustained output into the database",
        key="output_10mb_rate",
        limit=0.6,
        at_least=True,
        of_floor=True,
    ),
    Budget(
        what="a file to hosts",
        key="file_rate",
        limit=0.5,
        at_least=True,
        of_floor=True,
        agents=10,
    ),
    Budget(what="the manager's memory meanwhile", key="file_memory", limit=64),
    Budget(what="its memory: growth over three runs", key="output_10mb_growth", limit=16),
    Budget(
        what="1,000,000 command hosts: start",
        key="history_start",
        limit=3,
        of_floor=True,
    ),
    Budget(
        what="1,000,000 command hosts: slowest query",
        key="history_worst",
        limit=100,
        of_floor=True,
    ),
    Budget(
        what="the same on PostgreSQL: start",
        key="postgresql_history_start",
        limit=3,
        of_floor=True,
    ),
    Budget(
        what="the same on PostgreSQL: slowest query",
        key="postgresql_history_worst",
        limit=100,
        of_floor=True,
    ),
    Budget(
        what="PostgreSQL instead of SQLite",
        key="postgresql_rate",
        limit=0.7,
        at_least=True,
        of_floor=True,
        agents=1_000,
    ),
    Budget(
        what="`run HOST -- true`: the whole process", key="run_seconds", limit=1.25, of_floor=True
    ),
    Budget(what="an idle agent: PSS", key="agent_pss", limit=30),
    Budget(what="an idle agent: CPU", key="agent_cpu", limit=1),
    Budget(
        what="the supervisor: CPU of a command", key="supervisor_cpu", limit=0.35, of_floor=True
    ),
    Budget(what="the supervisor: PSS", key="supervisor_pss", limit=4),
)
_NOT_MEASURED = "not measured"


def budget_table(figures: Sequence[Figure], *, full: bool) -> str:
    """Every budget with what became of it; in brackets where less was measured than it is about,
    as all is unless the run is a `full` one."""
    head = ("what", "security", "agents", "budget", "measured", "floor", "ratio", "kept")
    return table(head, [_row(budget, find(budget, figures), full) for budget in BUDGETS])


def find(budget: Budget, figures: Sequence[Figure]) -> Figure | None:
    """The figure that a budget is about: with the most agents, and of these the worst. None when it
    was not measured."""
    fitting = [
        figure
        for figure in figures
        if figure.key == budget.key and budget.security in ("", figure.security)
    ]
    sign = -1 if budget.at_least else 1
    return max(fitting, key=lambda figure: (figure.agents, sign * figure.value), default=None)


def _row(budget: Budget, figure: Figure | None, full: bool) -> tuple[str, ...]:
    if figure is None:
        return (budget.what, budget.security, "", budget.words(""), "", "", "", _NOT_MEASURED)
    kept = "yes" if budget.kept(figure) else "NO"
    if not full or figure.agents < budget.agents:
        kept = f"({kept})"
    return (
        budget.what,
        budget.security,
        f"{figure.agents:,}" if figure.agents else "",
        budget.words(figure.unit),
        f"{number(figure.value)} {figure.unit}",
        "" if figure.floor is None else number(figure.floor),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        kept,
    )


def verdicts(figures: Sequence[Figure]) -> list[dict[str, object]]:
    """The same for programs; a budget that was not measured has `kept` null."""
    found: list[dict[str, object]] = []
    for budget in BUDGETS:
        figure = find(budget, figures)
        found.append(
            {
                "budget": budget.what,
                "security": budget.security,
                "limit": budget.words(figure.unit if figure else ""),
                "agents": figure.agents if figure else None,
                "measured": figure.value if figure else None,
                "floor": figure.floor if figure else None,
                "ratio": figure.ratio if figure else None,
                "kept": budget.kept(figure) if figure else None,
            }
        )
    return found
