"""A host that has enrolled and is given a join token: the one from before, or another one."""

import asyncio
import logging
from pathlib import Path

import grpc
import pytest
from tui_manager_agent.identity import child_process, credentials
from tui_manager_agent.identity.credentials import Credentials
from tui_manager_agent.identity.identity import Identity
from tui_manager_agent.link import enrollment_program, reconnect
from tui_manager_agent.link.enrollment import Enrollment
from tui_manager_agent.settings import Settings
from tui_manager_agent.supervisor import record
from tui_manager_protos.rules.join_token import JoinToken

from tests.agent.agent_process import AgentProcess
from tests.agent.authority import DAY, MONTH, EnrollmentKey
from tests.agent.fake_enrollment import FakeEnrollment
from tests.agent.fake_manager import FakeManager
from tests.agent.false_server import FalseServer
from tests.agent.faults import full

SECOND = "2" * 32


def held_by(state_dir: Path) -> Credentials:
    held = credentials.load(state_dir)
    assert held is not None
    return held


@pytest.fixture
async def stopped(enrolled: AgentProcess) -> AgentProcess:
    """Enrolled, and not running."""
    await enrolled.terminate()
    return enrolled


async def test_a_token_is_not_used_while_the_identity_is_valid(
    enrolled: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    await enrolled.terminate()
    await enrollment.stop()
    await enrolled.run(tls_manager, f"--join-token={enrollment.token}")
    await enrolled.says("enrolled already, the join token is not used")
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 2)
    assert len(enrollment.requests) == 1


async def test_a_token_brings_a_host_back_whose_certificate_has_ended(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    enrollment.lasts = -DAY
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    line = await fresh.says("no manager: ")
    assert "this host's certificate ended on 2" in line
    assert "enrol again with a new --join-token" in line
    await fresh.terminate()
    enrollment.lasts = MONTH
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    await fresh.says("enrolling with the same key")
    await tls_manager.wait_for(lambda: tls_manager.hellos)
    assert len(enrollment.hosts) == 1


async def test_another_token_enrols_the_same_key_again(
    stopped: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    before = held_by(stopped.state_dir)
    (key,) = enrollment.hosts
    enrollment.hosts.clear()  # as a manager does whose database is older than the host
    token = enrollment.another_token()
    await stopped.run(tls_manager, f"--join-token={token}")
    await stopped.says("the join token is another one than before: enrolling with the same key")
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 2)
    assert list(enrollment.hosts) == [key]
    assert tls_manager.hellos[1].host_id == enrollment.hosts[key] != before.host_id
    await tls_manager.result(tls_manager.run("true"))
    await stopped.terminate()
    await stopped.run(tls_manager, f"--join-token={token}")
    await stopped.says("enrolled already, the join token is not used")
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 3)
    assert len(enrollment.requests) == 2


async def test_credentials_that_tell_of_no_token_are_those_of_another_one(
    stopped: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    folder = stopped.state_dir / credentials.FOLDER
    fields = record.read(str(folder / credentials.CERTIFICATE))
    del fields["token_hash"]
    record.write(str(folder), credentials.CERTIFICATE, record.encode(fields))
    assert held_by(stopped.state_dir).token_hash == b""
    reports = len(tls_manager.reports)
    await stopped.run(tls_manager, f"--join-token={enrollment.token}")
    await tls_manager.wait_for(lambda: len(tls_manager.reports) > reports)
    assert len(enrollment.requests) == 2
    assert held_by(stopped.state_dir).token_hash == JoinToken.parse(enrollment.token).secret_hash


@pytest.mark.parametrize(
    "refuses",
    [
        (grpc.StatusCode.UNAUTHENTICATED, "it has expired"),
        (grpc.StatusCode.PERMISSION_DENIED, "it was rejected"),
        (grpc.StatusCode.INVALID_ARGUMENT, "it has no name"),
        (grpc.StatusCode.UNAVAILABLE, "the disk is full"),
        (grpc.StatusCode.INTERNAL, "something broke"),
        None,
    ],
)
async def test_what_a_host_has_stays_in_use_when_it_cannot_enrol_again(
    refuses: tuple[grpc.StatusCode, str] | None,
    stopped: AgentProcess,
    tls_manager: FakeManager,
    enrollment: FakeEnrollment,
) -> None:
    before = held_by(stopped.state_dir)
    token, enrollment.refuses = enrollment.another_token(), refuses
    if refuses is None:  # nobody there
        await enrollment.stop()
    await stopped.run(tls_manager, f"--join-token={token}")
    line = await stopped.says("not enrolled again, what this host has stays in use: ")
    assert (refuses[1] if refuses else "Connection refused") in line
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 2)
    assert tls_manager.hellos[1].host_id == before.host_id
    await tls_manager.result(tls_manager.run("true"))
    assert held_by(stopped.state_dir) == before


async def test_a_false_server_gets_neither_the_second_secret_nor_the_host(
    stopped: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment, tmp_path: Path
) -> None:
    before = held_by(stopped.state_dir)
    other = EnrollmentKey()
    async with FalseServer(tmp_path, other.key, other.certificate) as false:
        token = f"tm1.{enrollment.key.pin}.{SECOND}.{false.port}"
        await stopped.run(tls_manager, f"--join-token={token}")
        await stopped.says("not enrolled again, what this host has stays in use: ")
        await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 2)
    assert false.heard == b""
    assert held_by(stopped.state_dir) == before


async def test_a_full_disk_keeps_no_host_from_its_work(
    stopped: AgentProcess, enrollment: FakeEnrollment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held_by(stopped.state_dir)
    identity = Identity(stopped.state_dir)
    monkeypatch.setattr(record, "write_all", full)
    settings = Settings(managers=["127.0.0.1:1"], state_dir=stopped.state_dir)
    try:
        await Enrollment(settings, identity, JoinToken.parse(enrollment.another_token())).enroll()
    finally:
        identity.close()
    assert len(enrollment.requests) == 1
    assert held_by(stopped.state_dir) == before


@pytest.mark.parametrize(
    "code",
    [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED],
    ids=lambda code: code.name,
)
async def test_what_passes_is_waited_for_but_not_for_ever(
    code: grpc.StatusCode,
    stopped: AgentProcess,
    enrollment: FakeEnrollment,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def ask(_: str, order: dict[str, str]) -> dict[str, str]:
        return await asyncio.to_thread(enrollment_program._answer, order)

    monkeypatch.setattr(child_process, "ask", ask)  # five starts of a program show no more
    monkeypatch.setattr(reconnect, "FIRST_PAUSE", 0.0)
    enrollment.refuses = (code, "not now")
    settings = Settings(managers=["127.0.0.1:1"], state_dir=stopped.state_dir)
    identity = Identity(settings.state_dir)
    try:
        with caplog.at_level(logging.WARNING):
            await Enrollment(
                settings, identity, JoinToken.parse(enrollment.another_token())
            ).enroll()
    finally:
        identity.close()
    assert len(enrollment.requests) == 1 + 5
    assert caplog.messages[-1].startswith("not enrolled again, what this host has stays in use: ")


async def test_a_token_of_another_manager_ends_the_agent_and_changes_nothing(
    stopped: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    before, belongs = held_by(stopped.state_dir), tls_manager.manager_id
    tls_manager.manager_id = "another"
    await stopped.run(tls_manager, f"--join-token={enrollment.another_token()}")
    status, errors = await stopped.ended()
    assert status == 3
    assert f"it is another, this agent belongs to {belongs}" in errors
    assert held_by(stopped.state_dir) == before
