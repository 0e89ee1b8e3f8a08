"""One emulated agent: its link, outbox and backoff are the real agent's; what it runs is not."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable

from grpc import aio
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.identity.credentials import Credentials
from tui_manager_agent.link.link import Link, MessageHandlers
from tui_manager_agent.link.reconnect import Reconnect
from tui_manager_agent.link.stream_endings import Ending, RefusedByManagerError, StreamEnd
from tui_manager_protos.rules import host_variables
from tui_manager_protos.rules.protocol_version import PROTOCOL_VERSION
from tui_manager_protos.v1 import agent_pb2 as pb

from bench.swarm.counts import Tally, Trace
from bench.swarm.executions import Executions, TracingOutbox
from bench.swarm.spool import BOOT_ID

CAPACITY = 64
REMEMBERS = 50
FACTS = pb.Facts(  # as a real agent tells them
    values={
        "os": "debian",
        "os_version": "12",
        "os_name": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.1.0-18-amd64",
        "arch": "x86_64",
        "hostname": "emulated",
        "cpu": "AMD EPYC 7763 64-Core Processor",
        "cores": "8",
        "memory_gib": "8",
        "virtualisation": "kvm",
        "zone": "Etc/UTC",
        "boot_time": "2026-01-02T03:04:05Z",
        "address": "10.0.0.5",
        "address.eth0": "10.0.0.5",
        "disk./": "100 GiB ext4",
    }
)
_GIB = 1 << 30
_Call = aio.StreamStreamCall[pb.AgentMessage, pb.ManagerMessage]


class CuttableLink(Link):
    """A link whose network can fail."""

    _call: _Call | None = None

    async def _exchange(self, call: _Call, hello: pb.Hello) -> StreamEnd:
        self._call = call
        return await super()._exchange(call, hello)

    def cut(self) -> None:
        """The stream ends without a word."""
        if self._call is not None:
            self._call.cancel()


class Agent:
    """Dials until it is cancelled, or turned away for good.

    Attributes:
        welcomed_at: when its newest session began, monotonic seconds; 0: there is none now.
        executions: what it runs.
    """

    def __init__(
        self,
        name: str,
        address: str,
        tally: Tally,
        dice: random.Random,
        *,
        remembers: int = REMEMBERS,
        trace: Trace | None = None,
        credentials: Credentials | None = None,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        """`address` may be several, with commas between them. `moved` is called when a session has
        begun or ended; without credentials there is no TLS."""
        self.name = name
        self.welcomed_at = 0.0
        self._tally = tally
        self._dice = dice
        self._moved = moved
        self._credentials = credentials
        self._outbox = Outbox() if trace is None else TracingOutbox(trace)
        self.executions = Executions(self._outbox, tally, remembers, trace)
        self._reconnect = Reconnect(dice, address.split(","))
        self._journal_id = str(uuid.uuid4())
        self._instance_id = str(uuid.uuid4())
        self._host_id = credentials.host_id if credentials else ""
        self._manager_id = credentials.manager_id if credentials else ""
        self._link: CuttableLink | None = None

    async def run(self) -> None:
        """Dials, converses, dials again."""
        while True:
            self._tally.dials += 1
            self._tally.dials_at[int(time.monotonic())] += 1
            end = await self._converse()
            try:
                pause = self._reconnect.pause_after(end)
            except RefusedByManagerError as error:
                self._tally.refused += 1
                self._tally.refusal = str(error)
                return
            await asyncio.sleep(pause)

    def cut(self) -> None:
        """The network fails: the stream ends without a word."""
        self._tally.cuts += 1
        if self._link:
            self._link.cut()

    def restart(self) -> None:
        """The agent dies and starts again; its journal and what it runs stay."""
        self._tally.restarts += 1
        self._instance_id = str(uuid.uuid4())
        if self._link:
            self._link.cut()

    async def _converse(self) -> StreamEnd:
        self._link = CuttableLink(
            self._reconnect.address,
            self._outbox,
            self._vitals,
            self._welcome,
            credentials=self._credentials,
            patience=self._reconnect.patience,
        )
        session = asyncio.ensure_future(self._link.run(self._hello()))
        try:
            await asyncio.wait([session])
        finally:
            session.cancel()
            await asyncio.wait([session])
            self._link = None
            if self.welcomed_at:
                self.welcomed_at = 0.0
                self._moved()
        # A call that was cut is cancelled, and so is who waits for it.
        return StreamEnd(Ending.BROKEN, "cut") if session.cancelled() else session.result()

    def _welcome(self, welcome: pb.Welcome) -> MessageHandlers:
        self._tally.sessions += 1
        self._host_id, self._manager_id = welcome.host_id, welcome.manager_id
        self.welcomed_at = time.monotonic()
        self._moved()
        return self.executions.handlers()

    def _hello(self) -> pb.Hello:
        hello = pb.Hello(
            protocol_version=PROTOCOL_VERSION,
            agent_version="emulated",
            manager_id=self._manager_id,
            host_id=self._host_id,
            journal_id=self._journal_id,
            machine_id=self.name,
            boot_id=BOOT_ID,
            instance_id=self._instance_id,
            hostname=self.name,
            name=self.name,
            os="linux",
            arch="x86_64",
            capacity=CAPACITY,
            executions=self.executions.begin_session(),
            features=[host_variables.FEATURE, "stdin"],
            facts=FACTS,
        )
        hello.clock.GetCurrentTime()
        return hello

    def _vitals(self) -> pb.Vitals:
        vitals = pb.Vitals(
            cpu_percent=self._dice.uniform(0, 30),
            load_1m=self._dice.uniform(0, 2),
            memory_used=3 * _GIB,
            memory_total=8 * _GIB,
            disks=[pb.Disk(mount="/", used=20 * _GIB, total=100 * _GIB)],
            running=self.executions.running,
            cores=4,
        )
        vitals.uptime.FromSeconds(86_400)
        vitals.clock.GetCurrentTime()
        return vitals
