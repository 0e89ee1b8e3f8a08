"""A manager that cannot reach its database lets its agents go to the others."""

from dataclasses import dataclass, field

from tests.support.managers.manager_parts import TurnedClock
from tui_manager.service.core.clock import Clock
from tui_manager.service.core.hosts.host_directory import Directory
from tui_manager.service.managers.database_watch import LOOKS_MAX, DatabaseWatch


@dataclass
class _Agents:
    """An AgentConnections that notes what it is told."""

    told: list[str] = field(default_factory=list)

    def disconnect_all(self, why: str) -> None:
        self.told.append(why)

    def accept_again(self) -> None:
        self.told.append("")


@dataclass
class _Database:
    answers: int = 0


@dataclass
class _Core:
    database: _Database = field(default_factory=_Database)
    directory: Directory = field(default_factory=Directory)
    agents: _Agents = field(default_factory=_Agents)
    clock: Clock = field(default_factory=TurnedClock().clock)

    def __post_init__(self) -> None:
        self.watch = DatabaseWatch(self, self.agents)  # type: ignore[arg-type]

    def run_once(self, times: int) -> None:
        for _ in range(times):
            self.watch.run_once()

    def answer(self) -> None:
        self.database.answers += 1
        self.watch.run_once()


def test_the_agents_go_once_and_come_back_after_the_next_answer() -> None:
    core = _Core(directory=Directory(runs={2: 1}))
    core.answer()
    core.run_once(LOOKS_MAX - 1)
    assert core.agents.told == []
    core.directory.alive = frozenset()  # it hears nobody any more
    core.run_once(10 * LOOKS_MAX)
    assert core.agents.told == ["Another manager may reach it."]
    core.answer()
    core.run_once(2)
    assert core.agents.told[1:] == [""]


def test_a_manager_that_gets_answers_keeps_its_agents() -> None:
    core = _Core(directory=Directory(runs={2: 1}))
    for _ in range(5):
        core.answer()
        core.run_once(LOOKS_MAX - 1)
    assert core.agents.told == []


def test_the_only_manager_keeps_its_agents() -> None:
    core = _Core()
    core.answer()
    core.run_once(10 * LOOKS_MAX)
    assert core.agents.told == []
