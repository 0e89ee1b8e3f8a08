"""Real hosts and tasks for the monkey in a terminal, and what happens to them."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from tests.support.programs.processes import Machine
from tests.support.programs.programs import Program
from tui_manager.domain.errors import ManagerError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.status import Admission
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import Task
from tui_manager.operator.api import Operator

AGENTS = 4
# What a monkey types into the form of a new task is refused: only what begins so may run.
POLICY = '[allow.monkey]\nregex = "(?s): monkey;.*"\n'
COMMANDS = (
    "echo one line",
    "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done",
    "i=0; while [ $i -lt 40 ]; do echo slow $i; i=$((i+1)); sleep 0.3; done",
    r"printf '\033[31mred\033[0m \033[2J\233J \377\376 [b]x[/b] \r\n'; printf 'no end'",
    "head -c 200000 /dev/urandom",
    "echo to stderr >&2; exit 3",
    "sleep 20",
    "trap '' TERM; sleep 20",
    "yes | head -n 3000",
)
TARGETS = ("@all", "@all", "role=db", "role=web")
NAMES = ("upgrade", "restart [web]", "备份 🚀", "x" * 70, "")


@dataclass
class RealFleet:
    """Agents on this machine that come and go.

    Args:
        machine: its manager is reached through the state folder.
    """

    machine: Machine
    random: Random
    agents: dict[str, Program] = field(default_factory=dict)
    _number: int = 0

    def hosts(self) -> list[Host]:
        """All that the manager knows."""
        return list(
            self.machine.ask(lambda operator: operator.list_hosts(Window(limit=LIMIT_MAX))).rows
        )

    def tasks(self) -> list[Task]:
        """The newest of them."""
        return list(
            self.machine.ask(lambda operator: operator.list_tasks(Window(limit=LIMIT_MAX))).rows
        )

    def refill(self) -> None:
        """As many agents as at the start, and one at least that is given work."""
        for name, program in list(self.agents.items()):
            if program.process.poll() is not None:  # turned away, or killed for good
                del self.agents[name]
        while len(self.agents) < AGENTS:
            self._start_new()
        admitted = [host for host in self.hosts() if host.admission is Admission.ADMITTED]
        if not any(host.online for host in admitted):
            self._approve_all()

    def happen(self) -> str:
        """Something happens; returns what."""
        acts = (
            (self._start_task, 6), (self._cancel_task, 1), (self._approve_all, 1),
            (self._revoke_one, 0.3), (self._kill_one, 0.7), (self._restart_one, 0.7),
        )  # fmt: skip
        act = self.random.choices([act for act, _ in acts], [weight for _, weight in acts])[0]
        try:
            return act()
        except ManagerError as error:  # the monkey was there before
            return f"{act.__name__}: {error}"

    def end(self) -> None:
        """Cancels what runs, waits for its end, and ends the agents."""
        for task in self.tasks():
            if not task.status.ended:
                with suppress(ManagerError):
                    self._cancel(task)
        for program in self.agents.values():
            program.process.terminate()
        for program in self.agents.values():
            program.wait()

    def _start_new(self) -> None:
        self._number += 1
        role = ("web", "db")[self._number % 2]
        policy = self.machine.folder / "policy.toml"
        if not policy.exists():
            policy.write_text(POLICY)
        token = self.machine.ask(lambda operator: operator.create_token(TokenSpec())).text
        self._start(f"{role}{self._number:02}", token)

    def _start(self, name: str, token: str = "") -> None:
        self.agents[name] = self.machine.agent(
            name, "--label", f"role={name[:-2]}", "--policy", f"{self.machine.folder}/policy.toml",
            token=token,
        )  # fmt: skip

    def _start_task(self) -> str:
        text = ": monkey; " + self.random.choice(COMMANDS)
        command = CommandSpec(text, timeout=timedelta(seconds=30))
        spec = TaskSpec(self.random.choice(TARGETS), (command,), self.random.choice(NAMES))

        async def act(operator: Operator) -> None:
            await operator.start_task(await operator.create_task(spec))

        self.machine.ask(act)
        return f"started {text!r} on {spec.target}"

    def _cancel_task(self) -> str:
        running = [task for task in self.tasks() if not task.status.ended and not task.canceling]
        if not running:
            return "nothing to cancel"
        return self._cancel(self.random.choice(running))

    def _cancel(self, task: Task) -> str:
        self.machine.ask(lambda operator: operator.cancel_task(task.task_id))
        return f"canceled task {task.task_id}"

    def _approve_all(self) -> str:
        ids = [host.host_id for host in self.hosts() if host.admission is Admission.PENDING]
        if not ids:
            return "nobody to approve"
        return f"approved {self.machine.ask(lambda operator: operator.approve_hosts(ids))}"

    def _revoke_one(self) -> str:
        ids = [host.host_id for host in self.hosts() if host.admission is Admission.ADMITTED]
        if not ids:
            return "nobody to revoke"
        one = self.random.choice(ids)
        return f"revoked {self.machine.ask(lambda operator: operator.revoke_hosts([one]))}"

    def _one(self) -> str:
        return self.random.choice(list(self.agents))

    def _kill_one(self) -> str:
        """Its commands go on without it; it comes back with its state."""
        name = self._one()
        self.agents[name].process.kill()
        self.agents[name].process.wait()
        self._start(name)
        return f"killed the agent of {name}, and started it again"

    def _restart_one(self) -> str:
        name = self._one()
        self.agents[name].process.terminate()
        self.agents[name].wait()
        self._start(name)
        return f"restarted the agent of {name}"
