"""Real agents that have several managers: whom they dial next, and whom they go on dialing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tui_manager_agent.agent import Agent
from tui_manager_agent.identity import credentials
from tui_manager_agent.identity.known_managers import FILE
from tui_manager_agent.link import link, reconnect
from tui_manager_agent.link.link import Link
from tui_manager_agent.link.stream_endings import Ending, StreamEnd
from tui_manager_agent.settings import Settings
from tui_manager_agent.supervisor import record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.authority import Authority
from tests.agent.fake_enrollment import SERVER_NAME, FakeEnrollment, unused_port
from tests.agent.fake_manager import FakeManager
from tests.agent.false_server import Passage
from tests.agent.identity.test_certificate_renewal import issue
from tests.support.waiting import GIVE_UP

SOON = timedelta(minutes=10)  # that only a manager may wait for that said so


@contextlib.asynccontextmanager
async def beside(manager: FakeManager) -> AsyncIterator[FakeManager]:
    """Another manager on the same database, which runs."""
    other = FakeManager()
    other.manager_id, other.host_id = manager.manager_id, manager.host_id
    other.security = manager.security
    await other.start()
    yield other
    await other.stop()
    assert other.complaints == []


def both(manager: FakeManager, other: FakeManager) -> str:
    return f"--manager={manager.address},{other.address}"


def refusal(reason: wire.DisconnectReason.ValueType, retry_after: timedelta) -> wire.Disconnect:
    disconnect = wire.Disconnect(reason=reason, detail="not here")
    disconnect.retry_after.FromTimedelta(retry_after)
    return disconnect


async def test_when_a_manager_is_gone_the_other_one_gets_what_it_lacked(
    manager: FakeManager, fresh: AgentProcess
) -> None:
    async with beside(manager) as other:
        await fresh.start(manager, both(manager, other))
        await wait_for_hello(manager, other)
        first, second = (manager, other) if manager.hellos else (other, manager)
        first.acknowledges = False
        execution_id = first.run("echo output; exit 5")
        await first.result(execution_id)
        await first.stop()
        assert (await second.result(execution_id)).exit_code == 5
        assert second.stored(execution_id).stdout == b"output\n"
        (hello,) = second.hellos
        assert hello.instance_id == first.hellos[0].instance_id
        assert hello.manager_id == manager.manager_id
        await fresh.says(f"address={second.address}")


@pytest.mark.parametrize(
    "reason",
    [
        wire.DISCONNECT_REASON_OVERLOADED,
        wire.DISCONNECT_REASON_SHUTTING_DOWN,
        wire.DISCONNECT_REASON_UNSPECIFIED,
        wire.DISCONNECT_REASON_WRONG_MANAGER,
        wire.DISCONNECT_REASON_PROTOCOL_VERSION,
    ],
    ids=wire.DisconnectReason.Name,
)
async def test_an_agent_does_not_stay_with_a_manager_that_refuses_it(
    reason: wire.DisconnectReason.ValueType, manager: FakeManager, fresh: AgentProcess
) -> None:
    manager.refusal = refusal(reason, SOON)
    async with beside(manager) as other:
        await other.stop()
        await fresh.start(manager, both(manager, other))
        await manager.wait_for(lambda: manager.hellos)
        await other.start()
        await other.wait_for(lambda: other.reports)
        assert len(manager.hellos) == 1


async def test_an_agent_leaves_a_manager_that_ends_its_stream_while_it_works(
    manager: FakeManager, fresh: AgentProcess
) -> None:
    async with beside(manager) as other:
        await fresh.start(manager, both(manager, other))
        await wait_for_hello(manager, other)
        first, second = (manager, other) if manager.hellos else (other, manager)
        await first.wait_for(lambda: first.reports)
        first.send(disconnect=refusal(wire.DISCONNECT_REASON_OVERLOADED, SOON))
        await second.wait_for(lambda: second.reports)


@pytest.mark.parametrize(
    "reason",
    [
        wire.DISCONNECT_REASON_REVOKED,
        wire.DISCONNECT_REASON_REJECTED,
        wire.DISCONNECT_REASON_NAME_TAKEN,
        wire.DISCONNECT_REASON_INVALID_HELLO,
    ],
    ids=wire.DisconnectReason.Name,
)
async def test_what_one_manager_says_of_the_host_is_said_for_all(
    reason: wire.DisconnectReason.ValueType, manager: FakeManager, fresh: AgentProcess
) -> None:
    manager.refusal = refusal(reason, timedelta(0))
    async with beside(manager) as other:
        await other.stop()
        await fresh.start(manager, both(manager, other))
        status, errors = await fresh.ended()
        assert status == 3
        assert "not here" in errors


async def test_if_all_are_other_managers_the_agent_ends(
    manager: FakeManager, fresh: AgentProcess
) -> None:
    async with beside(manager) as other:
        for each in (manager, other):
            each.refusal = refusal(wire.DISCONNECT_REASON_WRONG_MANAGER, timedelta(0))
        await fresh.start(manager, both(manager, other))
        status, errors = await fresh.ended()
        assert status == 3
        assert "This is not the manager that this agent belongs to" in errors
        assert (len(manager.hellos), len(other.hellos)) == (1, 1)


async def test_a_manager_of_another_database_is_named_and_left(
    agent: AgentProcess, manager: FakeManager
) -> None:
    await agent.kill()
    async with beside(manager) as other:
        other.manager_id = "another"
        await manager.stop()
        await agent.start(manager, both(manager, other))
        line = await agent.says("This is not the manager that this agent belongs to")
        assert f"it is another, this agent belongs to {manager.manager_id}" in line
        assert f"address={other.address}" in line
        await manager.start()
        await manager.wait_for(lambda: len(manager.hellos) == 2)


async def test_a_server_with_another_authority_hears_nothing_and_stops_nobody(
    enrolled: AgentProcess, tls_manager: FakeManager
) -> None:
    await enrolled.kill()
    async with beside(tls_manager) as other:
        await other.stop()
        other.security = Authority().server_credentials(SERVER_NAME, clients=None)
        await other.start()
        await tls_manager.stop()
        await enrolled.run(tls_manager, both(tls_manager, other))
        await enrolled.says("is not signed by the authority this host enrolled with")
        await tls_manager.start()
        await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 2)
        assert other.hellos == []


async def test_each_manager_has_its_own_certificate_of_one_authority(
    enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    async with beside(tls_manager) as other:
        await other.stop()
        other.security = authority.server_credentials(SERVER_NAME, clients=authority)
        await other.start()
        tls_manager.send(settings=wire.Settings(managers=[tls_manager.address, other.address]))
        await enrolled.says("the manager tells where to dial")
        await tls_manager.stop()
        await other.wait_for(lambda: other.reports)


async def test_addresses_that_were_learned_outlive_the_agent(
    manager: FakeManager, agent: AgentProcess
) -> None:
    async with beside(manager) as other:
        manager.settings.managers.extend([manager.address, "m:0", other.address])
        manager.hang_up()
        line = await agent.says("of a manager ignored")
        assert "address='m:0'" in line
        await agent.says(f"addresses={manager.address},{other.address}")
        await agent.kill()
        await manager.stop()
        await agent.start(manager)
        await other.wait_for(lambda: other.reports)


async def test_a_damaged_list_stops_no_agent(manager: FakeManager, agent: AgentProcess) -> None:
    await agent.kill()
    (agent.state_dir / FILE).write_bytes(b"0=m1:1")
    await agent.start(manager)
    await agent.says("the file with addresses of managers is damaged and not used")
    await manager.wait_for(lambda: len(manager.hellos) == 2)


@contextlib.asynccontextmanager
async def running_agent(state_dir: Path, *addresses: str) -> AsyncIterator[None]:
    """An agent in this process, so that a test can shorten its times."""
    settings = Settings(managers=addresses, state_dir=state_dir, insecure=True, name="h")
    running = asyncio.create_task(Agent(settings).run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait((running,))


async def test_what_only_accepts_connections_is_left_for_one_that_answers(
    manager: FakeManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconnect, "FIRST_PATIENCE", 0.3)
    await manager.stop()
    async with (
        Passage(0) as silent,
        running_agent(tmp_path / "state", f"127.0.0.1:{silent.port}", manager.address),
    ):
        async with asyncio.timeout(GIVE_UP):
            await silent.connected.wait()
        await manager.start()
        await manager.wait_for(lambda: manager.hellos)


async def test_a_manager_that_stands_still_is_left_for_one_that_answers(
    manager: FakeManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All times of gRPC are a hundredth of the usual ones."""
    times = {name: value // 100 for name, value in link._OPTIONS if name.endswith("_ms")}
    monkeypatch.setattr(link, "_OPTIONS", tuple({**dict(link._OPTIONS), **times}.items()))
    async with beside(manager) as other, Passage(manager.port) as passage:
        await other.stop()
        addresses = (f"127.0.0.1:{passage.port}", other.address)
        async with running_agent(tmp_path / "state", *addresses):
            await manager.wait_for(lambda: manager.reports)
            await other.start()
            passage.stand_still()
            async with asyncio.timeout(40):  # gRPC alone waits a minute for the answer to a ping
                await other.wait_for(lambda: other.hellos)


async def test_all_addresses_of_a_round_are_shown_the_same_certificate(
    enrolled: AgentProcess,
    tls_manager: FakeManager,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a manager that takes only one of the two might always be shown the other."""
    await issue(tls_manager, authority, authority)
    await enrolled.says("certificate renewed")
    await enrolled.terminate()
    newer = record.read(str(enrolled.state_dir / credentials.FOLDER / credentials.NEWER))
    shown: list[tuple[str, bool]] = []
    done = asyncio.Event()

    async def fail(dialed: Link, hello: wire.Hello) -> StreamEnd:
        held = dialed._credentials
        assert held is not None
        shown.append((dialed._target, held.chain.decode() == newer["chain"].lstrip()))
        if len(shown) == 8:
            done.set()
        return StreamEnd(Ending.UNREACHABLE)

    monkeypatch.setattr(Link, "run", fail)
    monkeypatch.setattr(reconnect, "FIRST_PAUSE", 0.0)
    settings = Settings(managers=("m1:1", "m2:1"), state_dir=enrolled.state_dir)
    running = asyncio.create_task(Agent(settings).run())
    await done.wait()
    running.cancel()
    await asyncio.wait((running,))
    assert {target for target, _ in shown} == {"dns:///m1:1", "dns:///m2:1"}
    assert [is_newer for _, is_newer in shown[:8]] == [True, True, False, False] * 2


async def test_a_host_enrols_at_whichever_manager_answers(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    with unused_port() as kept:
        # The port of the token is for all addresses; nobody listens at 127.0.0.2.
        elsewhere = f"127.0.0.2:{kept.getsockname()[1]}"
        await enrollment.stop()
        options = (
            f"--manager={elsewhere},{tls_manager.address}",
            f"--join-token={enrollment.token}",
        )
        await fresh.run(tls_manager, *options)
        line = await fresh.says("127.0.0.2:")
        assert f"{enrollment.port}, where hosts enrol: Connection refused" in line
        await enrollment.start()
        await tls_manager.wait_for(lambda: tls_manager.reports)


async def wait_for_hello(*managers: FakeManager) -> None:
    """Until one of them has a Hello."""
    waiting = [
        asyncio.create_task(each.wait_for(lambda each=each: each.hellos))  # type: ignore[misc]
        for each in managers
    ]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
