"""The parts of the agent put together: its identity, its executions, its link to the manager."""

import asyncio
import logging
import random
from collections.abc import Mapping
from contextlib import suppress

from tui_manager_protos.rules import host_variables
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent import installation
from tui_manager_agent.executions.execution_requests import ExecutionRequests
from tui_manager_agent.executions.orders.cgroup_support import features, find_cgroup_root
from tui_manager_agent.executions.orders.make_order import FEATURES
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.facts.fact_watch import FactWatch
from tui_manager_agent.facts.vitals import Vitals, describe_host
from tui_manager_agent.files.transfer_work import StopSignal
from tui_manager_agent.identity import credentials
from tui_manager_agent.identity.certificate_renewal import CertificateRenewal
from tui_manager_agent.identity.identity import Identity, StateError
from tui_manager_agent.identity.known_managers import KnownManagers
from tui_manager_agent.link.admission import HostAdmission
from tui_manager_agent.link.link import Link, MessageHandlers, WrongManagerError
from tui_manager_agent.link.reconnect import Reconnect
from tui_manager_agent.link.stream_endings import RefusedByManagerError, describe
from tui_manager_agent.policy.policy_file import PolicyFile
from tui_manager_agent.settings import Settings
from tui_manager_agent.update import trial
from tui_manager_agent.update.start_new_version import Switch, Updates
from tui_manager_agent.update.trial import Trial, TrialOverError
from tui_manager_agent.update.versions import FEATURE, why_no_update

_LOOK_EVERY = 1.0  # seconds: the clock of a trial goes on while the host sleeps
_LOG = logging.getLogger(__name__)


class _SwitchBegins(Exception):  # noqa: N818  # no error: it ends all tasks
    """The agent ends, to become another version."""


class Agent:
    """One agent on one state folder.

    Attributes:
        switch: what the agent is to become now that `run` has ended; None: nothing. Its state
            folder is still locked then.
        identity: who it is.
    """

    def __init__(self, settings: Settings) -> None:
        """Reads the policy and locks the state folder.

        Raises PolicyError, StateError, DamagedError, TrialOverError, OSError.
        """
        self._settings = settings
        self._policy = PolicyFile(settings.policy)
        self._policy.read()
        self.identity = Identity(settings.state_dir)
        self._here = installation.find()
        try:
            self._trial = trial.find(self.identity, self._here)
            self._renewal = self._load_credentials()
        except Exception:
            self.identity.close()
            raise
        self._cgroup_root = find_cgroup_root(self.identity.journal_id)
        self._admission = HostAdmission(self._renewal)
        self._vitals = Vitals()
        self._facts = FactWatch(settings.facts)
        self._managers = KnownManagers(
            settings.state_dir, settings.managers, only_loopback=settings.insecure
        )
        self._reconnect = Reconnect(random.Random(), self._managers.addresses)
        self._outbox = Outbox()
        self._executions: ExecutionRequests | None = None
        self._tasks = asyncio.TaskGroup()
        self._is_connected = False
        self._switch_begins = asyncio.Event()
        self._is_admitted, self._is_accepted = asyncio.Event(), asyncio.Event()  # of a trial
        self._last_end = ""  # of a stream or a dial
        self.switch: Switch | None = None

    async def run(self) -> None:
        """Works until it is cancelled. Commands that run at that time go on. It also ends to become
        another version, see `start_new_version.py`.

        Raises RefusedByManagerError if dialling again would not help, TrialOverError if this
        version is on trial and not accepted, OSError if the state folder cannot be used.
        """
        refusal: Exception | None = None
        self._facts.start()
        try:
            async with self._tasks:
                self._admission.log_fingerprint()
                if self.identity.manager_id:
                    await self._go_on()
                self._tasks.create_task(self._keep_dialling())
                self._tasks.create_task(self._wait_for_switch())
        except* _SwitchBegins:
            pass
        except* (RefusedByManagerError, TrialOverError, OSError) as group:
            refusal = group.exceptions[0]
        finally:
            self._facts.stop()
            if self._executions is not None:
                self._executions.close()
            if self.switch is None:
                self.identity.close()
        if refusal is None:
            return
        if self._trial is not None and not isinstance(refusal, TrialOverError):
            refusal = self._trial.end(refusal)
        raise refusal

    def stopped(self) -> None:
        """Notes, once `run` has ended, that this agent was asked to stop."""
        if self._trial is not None and self._trial.is_open:
            self._trial.stopped()

    async def _go_on(self) -> None:
        """Continues what an earlier agent has left, and ends the update that was on trial."""
        executions = self._make_executions()
        if self._trial is not None and self._trial.is_open:
            self._tasks.create_task(self._pass_trial(self._trial, executions))
            return
        if self._trial is not None:
            await self._end_update(self._trial, executions)
        self._tasks.create_task(executions.serve())

    def _load_credentials(self) -> CertificateRenewal | None:
        if self._settings.insecure:
            return None
        state_dir = self._settings.state_dir
        held = credentials.load(state_dir)
        if held is None:
            raise StateError(f"The state folder {state_dir} holds no credentials.")
        self.identity.bind_to_issuer(held)
        return CertificateRenewal(state_dir, held, credentials.load_newer(state_dir, held))

    def _make_executions(self) -> ExecutionRequests:
        self._executions = ExecutionRequests(
            self.identity,
            self._outbox,
            self._policy,
            self._settings.capacity,
            self._settings.spool_limit,
            self._cgroup_root,
            updates=Updates(self._here, self.identity.state_dir, self._begin_switch),
            on_trial=self._trial.execution_id if self._trial else "",
        )
        return self._executions

    async def _keep_dialling(self) -> None:
        await self._facts.wait_for_first()
        while True:
            held = self._renewal.credentials if self._renewal else None
            address = self._reconnect.address
            link = Link(
                address,
                self._outbox,
                self._measure,
                self._on_welcome,
                credentials=held,
                patience=self._reconnect.patience,
            )
            self._admission.begin_session(link)
            facts = self._facts.begin_session(link.send_facts)
            end = await link.run(self._hello(facts))
            self._is_connected = False
            self._last_end = describe(end)
            pause = self._reconnect.pause_after(end)
            # All addresses of a round are shown the same certificate.
            if self._renewal and (link.welcomed or self._reconnect.begins_round):
                self._renewal.stream_ended(welcomed=link.welcomed)
            _LOG.warning(
                "no manager: reason=%r address=%s again_in=%.1fs next=%s",
                *(describe(end), address, pause, self._reconnect.address),
            )
            await asyncio.sleep(pause)

    def _on_welcome(self, welcome: wire.Welcome) -> MessageHandlers:
        bound = self.identity.manager_id
        if bound and welcome.manager_id != bound:
            raise WrongManagerError(f"it is {welcome.manager_id}, this agent belongs to {bound}")
        if self._trial is not None and self._trial.is_open:
            self._trial.check_welcome(welcome.host_id, welcome.settings.admission)
        self._admission.check(welcome)
        try:
            self.identity.bind(welcome.manager_id, welcome.host_id)
        except ValueError as error:
            raise WrongManagerError(str(error)) from error
        _LOG.info(
            "welcome: name=%s generation=%d address=%s",
            *(welcome.name, welcome.generation, self._reconnect.address),
        )
        self._is_connected = True
        executions = self._executions
        if executions is None:
            executions = self._make_executions()
            self._tasks.create_task(executions.serve())
        return {
            "run_command": executions.run,
            "cancel_command": executions.cancel,
            "resume": executions.resume,
            "acknowledge": executions.acknowledge,
            "file_part": self._outbox.files.on_part,
            "file_request": self._outbox.files.on_request,
            "files_stored": self._outbox.files.on_stored,
            **self._admission.handlers(),
            "settings": self._on_settings,
        }

    async def _on_settings(self, settings: wire.Settings) -> None:
        if self._trial is not None and self._trial.is_open:
            self._is_admitted.set()  # these settings are those of the Welcome
            await self._is_accepted.wait()  # no message is handled before
        await self._admission.on_settings(settings)
        if await self._managers.learn(settings.managers):
            self._reconnect.set_addresses(self._managers.addresses)

    # ------------------------------------------------------------------------------- the update

    def _begin_switch(self, what: Switch) -> bool:
        """False if the manager does not hear this agent: it would not hear the new version."""
        if self._is_connected:
            self.switch = what
            self._switch_begins.set()
        return self._is_connected

    async def _wait_for_switch(self) -> None:
        await self._switch_begins.wait()
        raise _SwitchBegins

    async def _pass_trial(self, running: Trial, executions: ExecutionRequests) -> None:
        """Makes this version the one in use once its manager has admitted it, and begins to work.

        Raises TrialOverError if that does not come in time.
        """
        while not self._is_admitted.is_set():
            if running.left <= 0:
                raise running.too_late(self._last_end)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(running.left, _LOOK_EVERY)):
                    await self._is_admitted.wait()
        await asyncio.to_thread(running.accept)
        await self._end_update(running, executions)
        self._is_accepted.set()
        self._tasks.create_task(executions.serve())

    async def _end_update(self, ended: Trial, executions: ExecutionRequests) -> None:
        """Ends the execution of an update of which the outcome is known."""
        await asyncio.to_thread(ended.finish)
        result = ended.result(self.identity.boot_id)
        _LOG.info("update ended: status=%s detail=%r", result.status, result.detail)
        if await executions.end_update(ended.execution_id, result):
            await asyncio.to_thread(ended.forget)
        self._tasks.create_task(_clean_up(ended))

    # --------------------------------------------------------------------------- what it says

    def _hello(self, facts: Mapping[str, str]) -> wire.Hello:
        hello = wire.Hello(
            **describe_host(self._settings),
            manager_id=self.identity.manager_id,
            journal_id=self.identity.journal_id,
            boot_id=self.identity.boot_id,
            instance_id=self.identity.instance_id,
            capacity=self._settings.capacity,
            executions=self._executions.begin_session() if self._executions else [],
            host_id=self.identity.host_id,
            features=[
                *(host_variables.FEATURE, *FEATURES, *features(self._cgroup_root)),
                *(() if why_no_update(self._here) else (FEATURE,)),
            ],
            build=self._here.build,
            installed_by=self._here.installed_by,
        )
        if facts:
            hello.facts.values.update(facts)
        hello.clock.GetCurrentTime()
        return hello

    def _measure(self) -> wire.Vitals:
        queue = self._executions.queue if self._executions else None
        running, queued = (queue.running, queue.queued) if queue else (0, 0)
        return self._vitals.measure(running=running, queued=queued)


async def _clean_up(ended: Trial) -> None:
    """The end of the agent stops it: its thread would hold up that, and the switch of an update."""
    stop = StopSignal()
    try:
        await asyncio.to_thread(ended.clean_up, stop)
    finally:
        stop.set()
