"""Takes the agent away from one host, and the host out of the manager."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.agent_install.manager_calls import HostReader
from tui_manager.agent_install.outcomes import HostProblemError, Outcome, Status
from tui_manager.agent_install.probe import Probe, read_probe
from tui_manager.agent_install.ssh.host_session import (
    HostSession,
    SshSettings,
    first_value,
    open_session,
)
from tui_manager.agent_install.ssh.ssh_targets import SshTarget
from tui_manager.agent_install.stages import Report, Stage
from tui_manager.domain.errors import IllegalMoveError, NotFoundError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.status import Admission

_OFFLINE_WITHIN = 30.0  # seconds until the manager has noticed that the agent is gone
_SHOWN = 3  # commands that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class UninstallOrder:
    """What is wanted on all hosts.

    Attributes:
        manager_id: of the manager that is asked.
        force: also while commands run there.
        keep_host: the manager keeps the host, as offline. Its key is gone all the same.
        run: tells this run from others.
    """

    manager_id: str
    force: bool = False
    keep_host: bool = False
    run: str = ""
    ssh: SshSettings = field(default_factory=SshSettings)


class HostUninstall:
    """The removal on one host; `run` does it once."""

    def __init__(
        self, target: SshTarget, order: UninstallOrder, fleet: HostReader, report: Report
    ) -> None:
        self._target = target
        self._order = order
        self._fleet = fleet
        self._report = report
        self.stage = Stage.WAITING

    async def run(self) -> tuple[Outcome, Host | None]:
        """How it ended.

        Raises:
            HostProblemError: it cannot be taken away, with the reason.
            UnreachableError: the manager does not answer any more.
        """
        self._enter(Stage.CONNECTING)
        session = await open_session(self._target, self._order.ssh)
        try:
            self._enter(Stage.LOOKING)
            probe = await self._probe(session)
            if probe.package:
                raise HostProblemError(
                    f"Its agent comes from a {probe.package} package: the package manager removes "
                    "it."
                )
            known = await self._find(probe)
            going_on = await self._check_idle(known) if known else ""
            await session.ask("lock", [("run", self._order.run), ("owner", self._target.typed)])
            self._enter(Stage.REMOVING)
            answer = await session.ask("uninstall")
        finally:
            await session.close()
        notes = (
            [f"{first_value(answer, 'left')} stays, as its owner made it"]
            if "left" in answer
            else []
        )
        if probe.manager_id not in ("", self._order.manager_id):
            notes.append(f"it belonged to the manager {probe.manager_id}")
        notes += [going_on] if going_on else []
        if known and not self._order.keep_host:
            notes.append(await self._remove(known))
        elif known and "had" in answer:
            notes.append(
                f"the manager keeps {known.name}, as offline: `tui-manager hosts remove "
                f"{known.name}` before another install under this name"
            )
        had = "had" in answer or (known is not None and not self._order.keep_host)
        if not had:
            notes.insert(0, _no_agent(probe))
        return self._outcome(Status.REMOVED if had else Status.UNCHANGED, known, notes), None

    async def _probe(self, session: HostSession) -> Probe:
        challenge = secrets.token_hex(32)
        return read_probe(await session.ask("probe", [("challenge", challenge)]), challenge)

    async def _find(self, probe: Probe) -> Host | None:
        """The host at the manager, by the key or the id that was found on the host. An id proves
        nothing, so the name must be the one that was typed."""
        if probe.manager_id not in ("", self._order.manager_id):
            return None
        if probe.identity is None:
            host = await self._fleet.by_id(probe.host_id)
            typed = (self._target.name, self._target.host)
            return host if host and host.name in typed else None
        return await self._fleet.by_key(probe.identity.fingerprint)

    async def _check_idle(self, host: Host) -> str:
        """Says which commands of the manager go on there if the agent is taken away by force.

        Raises HostProblemError if commands run there and it must not be.
        """
        detail = await self._fleet.operator.get_host(host.host_id)
        runs = [run for run in detail.runs if not run.row.status.ended and run.row.started_at]
        if not runs:
            return ""
        named = [f"task {run.row.task_id} ({run.task})" for run in runs[:_SHOWN]]
        more = f" and {len(runs) - _SHOWN} more" if len(runs) > _SHOWN else ""
        listed = f"{', '.join(named)}{more}"
        if self._order.force and len(runs) == 1:
            return f"1 command goes on there, and nobody hears of it any more: {listed}"
        if self._order.force:
            return f"{len(runs)} commands go on there, and nobody hears of them any more: {listed}"
        raise HostProblemError(
            f"Commands run there: {listed}. Wait for them or cancel them; with --force the agent "
            "is taken away all the same, they go on, and their results are lost."
        )

    async def _remove(self, host: Host) -> str:
        """Revokes and removes a host, and says what has become of it."""
        operator = self._fleet.operator
        try:
            if host.admission is Admission.ADMITTED:
                await operator.revoke_hosts([host.host_id])
            elif host.admission is Admission.PENDING:
                await operator.reject_hosts([host.host_id])
            await self._remove_offline(host)
        except NotFoundError:
            return f"the manager had no host {host.name}"
        except IllegalMoveError as error:
            raise HostProblemError(
                f"The agent is gone from the host, and the manager keeps {host.name}: {error}"
            ) from error
        return f"the manager has removed {host.name}, whose history stays"

    async def _remove_offline(self, host: Host) -> None:
        """Raises IllegalMoveError if the host stays online, or has commands that do not end."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _OFFLINE_WITHIN
        while True:
            try:
                await self._fleet.operator.remove_hosts([host.host_id])
            except IllegalMoveError:
                if loop.time() > until:
                    raise
                await asyncio.sleep(self._fleet.interval)
            else:
                return

    def _enter(self, stage: Stage) -> None:
        self.stage = stage
        self._report(self._target, stage)

    def _outcome(self, status: Status, host: Host | None, notes: Sequence[str]) -> Outcome:
        return Outcome(
            host=self._target.typed,
            status=status,
            detail="; ".join(notes),
            name=host.name if host else self._target.name,
            host_id=host.host_id if host else "",
        )


def _no_agent(probe: Probe) -> str:
    """Says that there was none, and names that of another user of the machine."""
    if not probe.other:
        return "there was no agent"
    return (
        f"{probe.user} has no agent there, but there is one {probe.other_words}: to take that one "
        f"away, {probe.other_login}"
    )
