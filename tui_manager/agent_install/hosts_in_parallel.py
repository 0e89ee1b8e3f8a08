"""Works on several hosts at the same time, and keeps the outcome of each."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from tui_manager.agent_install.manager_calls import check_hosts
from tui_manager.agent_install.outcomes import (
    HostProblemError,
    LostConnectionError,
    Outcome,
    Status,
)
from tui_manager.agent_install.ssh import host_problems
from tui_manager.agent_install.ssh.host_session import RefusedRequestError
from tui_manager.agent_install.ssh.ssh_targets import SshTarget
from tui_manager.agent_install.stages import Stage
from tui_manager.domain.errors import ManagerError, UnreachableError
from tui_manager.domain.hosts.host import Host
from tui_manager.operator.api import Operator

_LOG = logging.getLogger(__name__)


class HostWork(Protocol):
    """The work on one host."""

    stage: Stage

    async def run(self) -> tuple[Outcome, Host | None]:
        """How it ended, and the host if it is online. Raises HostProblemError, ManagerError."""
        ...


class ParallelHostWork:
    """The work on all hosts of a command.

    Attributes:
        manager_lost: the manager has stopped answering meanwhile.
        check_task: the task that has tried a command on the hosts; 0: none has.

    Args:
        make: makes the work on a host.
        on_end: is told of each outcome, once.
        parallel: how many hosts at a time.
    """

    def __init__(
        self,
        targets: Sequence[SshTarget],
        make: Callable[[SshTarget], HostWork],
        on_end: Callable[[Outcome], None],
        parallel: int,
    ) -> None:
        self._targets = targets
        self._works = {target: make(target) for target in targets}
        self._on_end = on_end
        self._turns = asyncio.Semaphore(parallel)
        self._ended: dict[SshTarget, Outcome] = {}
        self._online: dict[str, Host] = {}  # by host_id
        self.manager_lost = False
        self.check_task = 0

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """How it ended on each host, in the order in which they were named. A host on which it has
        not ended was interrupted."""
        return tuple(
            self._ended.get(target) or self._interrupted(target) for target in self._targets
        )

    async def run(self) -> None:
        """Works until it has ended on all hosts."""
        async with asyncio.TaskGroup() as group:
            for target in self._targets:
                group.create_task(self._one(target))

    async def check(self, operator: Operator, on_begin: Callable[[], None]) -> None:
        """Tries a command on all hosts that are online now; `on_begin` is called before, if there
        are any."""
        if not self._online:
            return
        on_begin()
        try:
            self.check_task, problems = await check_hosts(operator, tuple(self._online.values()))
        except UnreachableError:
            self.manager_lost = True
            problems = {}
        except ManagerError as error:
            problems = dict.fromkeys(self._online, f"no command could be tried there: {error}")
        self._note_problems(problems)

    def _note_problems(self, problems: Mapping[str, str]) -> None:
        for target, outcome in self._ended.items():
            if problem := problems.get(outcome.host_id, ""):
                detail = f"The agent is online, and {problem}"
                self._ended[target] = replace(outcome, status=Status.FAILED, detail=detail)
                self._on_end(self._ended[target])

    async def _one(self, target: SshTarget) -> None:
        async with self._turns:
            outcome = await self._try(target)
        self._ended[target] = outcome
        self._on_end(outcome)

    async def _try(self, target: SshTarget) -> Outcome:
        work = self._works[target]
        try:
            outcome, host = await work.run()
        except RefusedRequestError as error:
            return _failed(target, host_problems.describe(error))
        except LostConnectionError as error:
            after = "" if work.stage is Stage.CONNECTING else f" Here {work.stage.left_behind}."
            return _failed(target, f"{error}{after}")
        except HostProblemError as error:
            return _failed(target, str(error))
        except UnreachableError:
            self.manager_lost = True
            return _failed(
                target, f"The manager does not answer any more: {work.stage.left_behind}."
            )
        except ManagerError as error:
            return _failed(target, str(error))
        except Exception as error:  # what one host says must not end the work on others
            _LOG.exception("the work on a host failed: host=%r", target.typed)
            what = f"{type(error).__name__}: {error}"
            return _failed(
                target, f"An error of this program, {what}. Here {work.stage.left_behind}."
            )
        if host is not None:
            self._online[host.host_id] = host
        return outcome

    def _interrupted(self, target: SshTarget) -> Outcome:
        detail = f"{self._works[target].stage.left_behind}; repeat the command to go on"
        return Outcome(
            host=target.typed, status=Status.INTERRUPTED, detail=detail, name=target.name
        )


def _failed(target: SshTarget, sentence: str) -> Outcome:
    if not sentence.startswith(("ssh", "sudo")):
        sentence = sentence[:1].upper() + sentence[1:]
    return Outcome(host=target.typed, status=Status.FAILED, detail=sentence, name=target.name)
