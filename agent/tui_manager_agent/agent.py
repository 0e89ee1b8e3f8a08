"""The parts of the agent put together: its identity, its executions, its link to the manager."""

import asyncio
import logging
import random
from collections.abc import Mapping

from tui_manager_protos.rules import host_variables
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions.cgroup_support import features, find_cgroup_root
from tui_manager_agent.executions.execution_requests import ExecutionRequests
from tui_manager_agent.executions.make_order import FEATURES
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.facts.fact_watch import FactWatch
from tui_manager_agent.facts.vitals import Vitals, describe_host
from tui_manager_agent.identity import credentials
from tui_manager_agent.identity.certificate_renewal import Renewal
from tui_manager_agent.identity.identity import Identity, StateError
from tui_manager_agent.identity.known_managers import KnownManagers
from tui_manager_agent.link.admission import HostAdmission
from tui_manager_agent.link.link import Link, MessageHandlers, WrongManagerError
from tui_manager_agent.link.reconnect import Reconnect
from tui_manager_agent.link.stream_endings import RefusedByManagerError, describe
from tui_manager_agent.policy.policy_file import PolicyFile
from tui_manager_agent.settings import Settings

_LOG = logging.getLogger(__name__)


class Agent:
    """One agent on one state folder."""

    def __init__(self, settings: Settings) -> None:
        """Reads the policy and locks the state folder.

        Raises PolicyError, StateError, DamagedError, OSError.
        """
        self._settings = settings
        self._policy = PolicyFile(settings.policy)
        self._policy.read()
        self._identity = Identity(settings.state_dir)
        try:
            self._renewal = self._load_credentials()
        except Exception:
            self._identity.close()
            raise
        self._cgroup_root = find_cgroup_root(self._identity.journal_id)
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

    async def run(self) -> None:
        """Works until it is cancelled; commands that run then run on.

        Raises RefusedByManagerError if dialling again would not help, OSError if the state folder
        cannot be used.
        """
        refusal: Exception | None = None
        self._facts.start()
        try:
            async with self._tasks:
                self._admission.log_fingerprint()
                if self._identity.manager_id:
                    self._open_executions()
                self._tasks.create_task(self._keep_dialling())
        except* (RefusedByManagerError, OSError) as group:
            refusal = group.exceptions[0]
        finally:
            self._facts.stop()
            if self._executions is not None:
                self._executions.close()
            self._identity.close()
        if refusal is not None:
            raise refusal

    def _load_credentials(self) -> Renewal | None:
        if self._settings.insecure:
            return None
        state_dir = self._settings.state_dir
        held = credentials.load(state_dir)
        if held is None:
            raise StateError(f"The state folder {state_dir} holds no credentials.")
        self._identity.bind_to_issuer(held)
        return Renewal(state_dir, held, credentials.load_newer(state_dir, held))

    def _open_executions(self) -> ExecutionRequests:
        executions = ExecutionRequests(
            self._identity,
            self._outbox,
            self._policy,
            self._settings.capacity,
            self._settings.spool_limit,
            self._cgroup_root,
        )
        self._tasks.create_task(executions.serve())
        self._executions = executions
        return executions

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
        bound = self._identity.manager_id
        if bound and welcome.manager_id != bound:
            raise WrongManagerError(f"it is {welcome.manager_id}, this agent belongs to {bound}")
        self._admission.check(welcome)
        try:
            self._identity.bind(welcome.manager_id, welcome.host_id)
        except ValueError as error:
            raise WrongManagerError(str(error)) from error
        _LOG.info(
            "welcome: name=%s generation=%d address=%s",
            *(welcome.name, welcome.generation, self._reconnect.address),
        )
        executions = self._executions or self._open_executions()
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
        await self._admission.on_settings(settings)
        if await self._managers.learn(settings.managers):
            self._reconnect.set_addresses(self._managers.addresses)

    def _hello(self, facts: Mapping[str, str]) -> wire.Hello:
        hello = wire.Hello(
            **describe_host(self._settings),
            manager_id=self._identity.manager_id,
            journal_id=self._identity.journal_id,
            boot_id=self._identity.boot_id,
            instance_id=self._identity.instance_id,
            capacity=self._settings.capacity,
            executions=self._executions.begin_session() if self._executions else [],
            host_id=self._identity.host_id,
            features=[host_variables.FEATURE, *FEATURES, *features(self._cgroup_root)],
        )
        if facts:
            hello.facts.values.update(facts)
        hello.clock.GetCurrentTime()
        return hello

    def _measure(self) -> wire.Vitals:
        queue = self._executions.queue if self._executions else None
        running, queued = (queue.running, queue.queued) if queue else (0, 0)
        return self._vitals.measure(running=running, queued=queued)
