"""How a host joins its manager, and that nobody else learns the secret of its token."""

import asyncio
import random
import socket
import stat
from pathlib import Path

import grpc
import psutil
import pytest
from tui_manager_agent.link import enrollment_program as enrollment_module
from tui_manager_agent.link.enrollment_program import NotEnrolledError, enroll, pinned_certificate
from tui_manager_agent.link.reconnect import Reconnect
from tui_manager_agent.link.stream_endings import Ending, RefusedByManagerError, StreamEnd
from tui_manager_protos.v1 import enrollment_pb2

from tests.agent.agent_process import AgentProcess
from tests.agent.authority import DAY, EnrollmentKey, der
from tests.agent.fake_enrollment import SECRET, FakeEnrollment, unused_port
from tests.agent.fake_manager import FakeManager
from tests.agent.false_server import FalseServer, Switch

P256 = bytes.fromhex("2a8648ce3d030107")  # the curve's name in DER


@pytest.mark.usefixtures("new_processes")
async def test_a_host_enrols_once(
    enrolled: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    assert f"admission=pending host_id={tls_manager.host_id}" in await enrolled.says("enrolled: ")
    words = (await enrolled.says("this host is known by")).split("known by ")[1].split()[0]
    execution_id = tls_manager.run("echo hello")
    assert (await tls_manager.result(execution_id)).exit_code == 0
    assert (await enrolled.terminate())[0] == 0
    await enrolled.run(tls_manager)  # no token
    await enrolled.says(f"this host is known by {words}")
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 2)
    (request,) = enrollment.requests
    assert (request.secret, request.protocol_version) == (SECRET, 1)
    (host_id,) = enrollment.hosts.values()
    for hello in tls_manager.hellos:
        assert (hello.manager_id, hello.host_id) == (tls_manager.manager_id, host_id)


@pytest.mark.usefixtures("new_processes")
async def test_nothing_shows_the_token_once_the_host_has_enrolled(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    for options, environment in (
        ([f"--join-token={enrollment.token}"], {}),
        (["--join-token", enrollment.token], {}),
        ([], {"TUI_MANAGER_AGENT_JOIN_TOKEN": enrollment.token}),
    ):
        tls_manager.reports.clear()
        await fresh.run(tls_manager, *options, **environment)
        await tls_manager.wait_for(lambda: tls_manager.reports)
        proc = Path(f"/proc/{fresh.pid}")
        assert SECRET.encode() not in (proc / "cmdline").read_bytes()
        assert SECRET.encode() not in (proc / "environ").read_bytes()
        execution_id = tls_manager.run("tr '\\0' '\\n' < /proc/self/environ")
        await tls_manager.result(execution_id)
        assert SECRET.encode() not in tls_manager.stored(execution_id).stdout
        await fresh.kill()
    for path in fresh.state_dir.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


async def test_credentials_are_for_their_owner_alone(enrolled: AgentProcess) -> None:
    folders = [enrolled.state_dir, *filter(Path.is_dir, enrolled.state_dir.rglob("*"))]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    files = list((enrolled.state_dir / "credentials").iterdir())
    assert {file.name for file in files} == {"key.pem", "certificate"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_false_enrolment_server_never_sees_the_secret(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment, tmp_path: Path
) -> None:
    other = EnrollmentKey()
    async with FalseServer(tmp_path, other.key, other.certificate) as false:
        token = f"tm1.{enrollment.key.pin}.{SECRET}.{false.port}"
        await fresh.run(tls_manager, f"--join-token={token}")
        status, errors = await fresh.ended()
    assert status == 3
    assert "The server that answers is not the manager that made the join token" in errors
    assert SECRET not in errors
    assert false.connections >= 1  # agents of other tests may dial here as well
    assert false.heard == b""
    assert not (fresh.state_dir / "credentials" / "certificate").exists()


async def test_a_server_that_is_swapped_after_the_look_at_its_key_never_sees_the_secret(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment, tmp_path: Path
) -> None:
    other = EnrollmentKey()
    async with (
        FalseServer(tmp_path, other.key, other.certificate) as false,
        Switch(enrollment.port, false.port) as switch,
    ):
        token = f"tm1.{enrollment.key.pin}.{SECRET}.{switch.port}"
        await fresh.run(tls_manager, f"--join-token={token}")
        await fresh.says("not enrolled: ")
        await fresh.terminate()
    assert switch.connections > 1
    assert SECRET.encode() not in false.heard
    assert enrollment.requests == []


async def test_the_agent_tries_until_somebody_answers(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    await enrollment.stop()
    with unused_port() as kept:
        enrollment.port = kept.getsockname()[1]
        await fresh.run(tls_manager, f"--join-token={enrollment.token}")
        line = await fresh.says("not enrolled: ")
        assert f"127.0.0.1:{enrollment.port}, where hosts enrol: Connection refused" in line
        assert "again_in=" in line
        await enrollment.start()
        await tls_manager.wait_for(lambda: tls_manager.hellos)


async def test_a_token_that_is_refused_ends_the_agent(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    enrollment.refuses = (grpc.StatusCode.UNAUTHENTICATED, "it was used up an hour ago")
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    status, errors = await fresh.ended()
    assert status == 3
    assert errors.splitlines()[-1] == (
        "tui-manager-agent: The manager does not take the join token: it was used up an hour ago. "
        "The agent stops, because trying again would not help."
    )


async def test_a_busy_manager_is_asked_again(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    enrollment.refuses = (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many hosts enrol")
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    await fresh.says("The manager has too much to do: too many hosts enrol")
    enrollment.refuses = None
    await tls_manager.wait_for(lambda: tls_manager.hellos)


async def test_an_answer_that_was_lost_makes_no_second_host(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    enrollment.loses_answer = True
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    await tls_manager.wait_for(lambda: tls_manager.hellos)
    assert len(enrollment.requests) == 2
    assert [tls_manager.hellos[0].host_id] == list(enrollment.hosts.values())


@pytest.mark.usefixtures("new_processes")
async def test_an_agent_that_is_killed_while_it_enrols_goes_on_as_the_same_host(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    enrollment.gate.clear()
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    await enrollment.wait_for(lambda: enrollment.requests)
    await fresh.kill_alone()
    again = AgentProcess(fresh.state_dir)
    await again.run(tls_manager, f"--join-token={enrollment.token}")
    await enrollment.wait_for(lambda: len(enrollment.requests) == 2)
    enrollment.gate.set()
    await tls_manager.wait_for(lambda: tls_manager.hellos)
    assert len(enrollment.hosts) == 1
    await again.close()
    await fresh.ended()


@pytest.mark.usefixtures("new_processes")
async def test_a_child_that_is_killed_is_started_again(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    enrollment.gate.clear()
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    await enrollment.wait_for(lambda: enrollment.requests)
    (child,) = psutil.Process(fresh.pid).children()
    assert SECRET not in " ".join(child.cmdline()) + str(child.environ())
    child.kill()
    assert "ended with status -9" in await fresh.says("not enrolled: ")
    enrollment.gate.set()
    await tls_manager.wait_for(lambda: tls_manager.hellos)
    assert len(enrollment.hosts) == 1


@pytest.mark.usefixtures("new_processes")
async def test_sigterm_ends_an_enrolment_and_its_child(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    enrollment.gate.clear()
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    await enrollment.wait_for(lambda: enrollment.requests)
    (child,) = psutil.Process(fresh.pid).children()
    status, errors = await fresh.terminate()
    enrollment.gate.set()
    assert (status, "Traceback" in errors) == (0, False)
    assert not child.is_running()


async def test_a_host_of_another_manager_is_not_enrolled(
    fresh: AgentProcess, tls_manager: FakeManager, manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    await fresh.start(manager)
    await manager.wait_for(lambda: manager.reports)
    await fresh.terminate()
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    status, errors = await fresh.ended()
    assert status == 3
    assert f"this agent belongs to {manager.manager_id}" in errors
    assert not (fresh.state_dir / "credentials" / "certificate").exists()


async def test_an_enrolled_host_does_without_tls_never(
    enrolled: AgentProcess, manager: FakeManager
) -> None:
    await enrolled.terminate()
    await enrolled.start(manager)
    status, errors = await enrolled.ended()
    assert status == 2
    assert "holds the identity that a manager with TLS gave to this host" in errors
    assert manager.hellos == []


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, Ending.BAD_TOKEN),
        (grpc.StatusCode.INVALID_ARGUMENT, Ending.INVALID_HELLO),
        (grpc.StatusCode.PERMISSION_DENIED, Ending.KEY_REFUSED),
        (grpc.StatusCode.ABORTED, Ending.DUPLICATE_IDENTITY),
        (grpc.StatusCode.FAILED_PRECONDITION, Ending.PROTOCOL_VERSION),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Ending.OVERLOADED),
        (grpc.StatusCode.UNAVAILABLE, Ending.UNREACHABLE),
        (grpc.StatusCode.INTERNAL, Ending.ENROLMENT_FAILED),
    ],
)
async def test_every_refusal_has_a_meaning(
    code: grpc.StatusCode, ending: Ending, enrollment: FakeEnrollment, tmp_path: Path
) -> None:
    enrollment.refuses = (code, "so it is")
    with pytest.raises(NotEnrolledError, match="so it is") as refused:
        await asyncio.to_thread(enroll, make_order(enrollment, tmp_path))
    assert refused.value.ending is ending


@pytest.mark.parametrize("ending", [Ending.REJECTED, Ending.REVOKED, Ending.KEY_REFUSED])
def test_a_host_that_was_turned_away_hears_how_to_come_back(ending: Ending) -> None:
    with pytest.raises(RefusedByManagerError, match="a new --state-dir and a new --join-token"):
        Reconnect(random.Random()).pause_after(StreamEnd(ending))


async def test_an_enrolment_certificate_that_has_ended_points_to_the_clocks(
    enrollment: FakeEnrollment,
) -> None:
    await enrollment.stop()
    enrollment.key = EnrollmentKey(lasts=-DAY)
    await enrollment.start()
    with pytest.raises(NotEnrolledError, match="this host's clock says") as refused:
        await look(enrollment.port, enrollment.key.pin)
    assert refused.value.ending is Ending.ENROLMENT_FAILED


@pytest.mark.parametrize("odd", ["version", "noise", "curve"])
async def test_a_certificate_that_cannot_be_read_is_a_wrong_one(
    odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL takes more than the agent does; none of it is a manager's."""
    good = der(EnrollmentKey().certificate)
    leaf = {
        "version": good.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09", 1),
        "noise": b"\x30\x03abc",
        "curve": good.replace(P256, P256[:-1] + b"\x09"),
    }[odd]
    monkeypatch.setattr(enrollment_module, "_leaf", lambda host, port: leaf)
    with pytest.raises(NotEnrolledError, match="secret was not sent") as refused:
        await look(1, "p" * 43)
    assert refused.value.ending is Ending.WRONG_PIN


async def test_what_answers_without_tls_is_named(tmp_path: Path) -> None:
    async with FalseServer(tmp_path) as false:
        with pytest.raises(NotEnrolledError, match="speaks no TLS") as refused:
            await look(false.port, "p" * 43)
    assert refused.value.ending is Ending.ENROLMENT_FAILED


async def test_a_port_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrollment_module, "CONNECT_WITHIN", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(NotEnrolledError, match=f"no answer from 127.0.0.1:{port}"):
            await look(port, "p" * 43)


def make_order(enrollment: FakeEnrollment, folder: Path) -> dict[str, str]:
    request = enrollment_pb2.EnrollRequest(secret=SECRET)
    return {
        "address": "127.0.0.1:1",
        "port": str(enrollment.port),
        "pin": enrollment.key.pin,
        "folder": str(folder),
        "request": request.SerializeToString().hex(),
    }


async def look(port: int, pin: str) -> None:
    await asyncio.to_thread(pinned_certificate, "127.0.0.1", port, pin)
