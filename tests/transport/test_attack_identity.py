"""Attacks on who is who: certificates, keys and names that are not one's own."""

import asyncio
import contextlib
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc.aio
import pytest
from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1.agent_pb2_grpc import (
    CommandServiceServicer,
    add_CommandServiceServicer_to_server,
)

from tests.support.agents.agent_stream import dial, hello
from tests.support.agents.raw_http2 import DATA, SETTINGS, RawConnection, call, frame, message
from tests.support.agents.secure_agent import SecureHost, enroll, new_key, signed_by
from tests.support.managers.secure_manager import SecureManager, completed, secure_manager
from tests.support.waiting import wait_until
from tui_manager.domain.status import Admission
from tui_manager.run_manager import run_manager
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.key_store import FolderKeys
from tui_manager.security.keys import key_pem
from tui_manager.settings import Settings
from tui_manager.shared_keys import SECURITY
from tui_manager.transport.messages.host_connection_rates import IDENTITY_CHANGES

CONNECT = "/tui_manager.v1.CommandService/ConnectForCommands"


async def _is_kept_out(host: SecureHost, address: str) -> None:
    """TLS itself refuses: not one byte of an answer comes."""
    async with host.dial(address) as agent:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await agent.hello(host.name)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def _answer(host: SecureHost, address: str, **given: object) -> pb.Disconnect:
    async with host.dial(address) as agent:
        last = (await agent.hello(host.name, **given)).disconnect
        assert await agent.ended()
    return last


async def test_without_a_certificate_nobody_comes_in(secure: SecureManager) -> None:
    host = await secure.host("web01")
    await _is_kept_out(host.showing(b""), secure.address)


async def test_a_certificate_of_another_authority_is_worth_nothing(
    secure: SecureManager, tmp_path: Path
) -> None:
    host = await secure.host("web01")
    other = Authority(
        FolderKeys(tmp_path / "other"), secure.running.manager_id, lambda: datetime.now(UTC)
    )
    await _is_kept_out(signed_by(other, host), secure.address)


async def test_an_expired_certificate_is_worth_nothing(
    secure: SecureManager, tmp_path: Path
) -> None:
    host = await secure.host("web01")
    past = datetime.now(UTC) - timedelta(days=31)
    await _is_kept_out(signed_by(_stolen_authority(secure, tmp_path, past), host), secure.address)


async def test_a_certificate_ends_also_where_tls_does_not_look(
    secure: SecureManager,
) -> None:
    """As when a TLS session is resumed, or the certificate ends between handshake and Hello."""
    host = await secure.host("web01")
    secure.moved.ahead = timedelta(days=31)
    assert "expired" in (await _answer(host, secure.address)).detail
    assert [seen.online for seen in await secure.hosts()] == [False]


def _stolen_authority(secure: SecureManager, folder: Path, now: datetime) -> Authority:
    """The manager's own authority in other hands, which issue what it would not."""
    copy = folder / "stolen"
    shutil.copytree(secure.state_dir / SECURITY, copy)
    authority = Authority(FolderKeys(copy), secure.running.manager_id, lambda: datetime.now(UTC))
    authority._now = lambda: now
    return authority


async def test_a_certificate_for_another_key_than_the_hosts_is_refused(
    secure: SecureManager, tmp_path: Path
) -> None:
    host = await secure.host("web01")
    thief = signed_by(
        _stolen_authority(secure, tmp_path, datetime.now(UTC)), host.with_key(new_key())
    )
    last = await _answer(thief, secure.address)
    assert last.reason == pb.DISCONNECT_REASON_INVALID_HELLO
    assert "another key" in last.detail
    assert [entry.host for entry in await secure.audit("violation")] == ["web01"]


async def test_a_revoked_host_is_cut_off_and_stays_out(secure: SecureManager) -> None:
    host = await secure.host("web01")
    async with host.dial(secure.address) as agent:
        await agent.hello("web01")
        task_id = await secure.start("web01")
        await agent.read_until("run_command")
        await secure.running.operator.revoke_hosts(["web01"])
        last = (await agent.read_until("disconnect")).disconnect
        assert last.reason == pb.DISCONNECT_REASON_REVOKED
        assert await agent.ended()
    assert (await secure.row(task_id)).reason == "agent_lost"
    again = await _answer(host, secure.address)
    assert again.reason == pb.DISCONNECT_REASON_REVOKED
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await enroll(secure.running, await secure.token(), "web01", host.key)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_removed_host_stays_out(secure: SecureManager) -> None:
    """No list shows it, and its name is that of another host; its key is still known."""
    host = await secure.host("web01")
    await secure.running.operator.remove_hosts(["web01"])
    other = await secure.host("web01")
    assert other.host_id != host.host_id
    refused = await _answer(host, secure.address)
    assert refused.reason == pb.DISCONNECT_REASON_REVOKED
    assert "web01 was removed" in refused.detail
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await enroll(secure.running, await secure.token(), "web02", host.key)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert [host.host_id for host in await secure.hosts()] == [other.host_id]


async def test_name_and_labels_of_operators_cannot_be_talked_away(secure: SecureManager) -> None:
    host = await secure.host("web01")
    await secure.running.operator.rename_host("web01", "db01")
    await secure.running.operator.label_hosts(["db01"], {"env": "test"})
    async with host.dial(secure.address) as agent:
        await agent.hello("web01", labels={"env": "prod", "role": "web"})
        (seen,) = await secure.hosts()
    assert (seen.name, seen.admission) == ("db01", Admission.ADMITTED)
    assert seen.labels == {"env": "test", "role": "web"}


async def test_a_revoked_host_that_does_not_listen_is_cut_off_too(
    secure: SecureManager,
) -> None:
    """It lets the manager send nothing, so that it cannot be told; what it says does not count."""
    host = await secure.host("web01")
    no_window = frame(SETTINGS, payload=b"\0\4\0\0\0\0")
    said = pb.AgentMessage(hello=hello("web01"))
    with RawConnection(secure.address, host.context()) as connection:
        connection.open()
        connection.send(no_window + call(CONNECT) + frame(DATA, 0, 1, message(said)))
        await wait_until(secure.hosts, lambda hosts: hosts[0].online)
        await secure.running.operator.revoke_hosts(["web01"])
        beats = asyncio.create_task(_keep_beating(connection))
        await wait_until(secure.hosts, lambda hosts: not hosts[0].online)
        beats.cancel()


async def _keep_beating(connection: RawConnection) -> None:
    beat = frame(DATA, 0, 1, message(pb.AgentMessage(report=pb.Report())))
    with contextlib.suppress(OSError):
        while True:
            connection.send(beat)
            await asyncio.sleep(0.05)


class _Impostor(CommandServiceServicer):
    """Takes whoever dials for one of its hosts."""

    def __init__(self) -> None:
        self.dialed = 0

    async def ConnectForCommands(self, request_iterator: object, context: object) -> None:  # type: ignore[override]  # noqa: N802
        self.dialed += 1


async def test_a_host_cannot_pose_as_the_manager(secure: SecureManager) -> None:
    """Not even with a certificate of the same authority."""
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    impostor, server = _Impostor(), grpc.aio.server()
    add_CommandServiceServicer_to_server(impostor, server)
    shown = grpc.ssl_server_credentials([(key_pem(hostile.key), hostile.chain)])
    port = server.add_secure_port("127.0.0.1:0", shown)
    await server.start()
    for name in (other.server_name, hostile.host_id, "127.0.0.1"):
        await _is_kept_out(other.looking_for(name), f"127.0.0.1:{port}")
    await server.stop(0)
    assert impostor.dialed == 0


async def test_a_host_cannot_speak_for_another(secure: SecureManager) -> None:
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    async with other.dial(secure.address) as agent:
        await agent.hello("web01")
        last = await _answer(hostile, secure.address, host_id=other.host_id)
        assert last.reason == pb.DISCONNECT_REASON_INVALID_HELLO
        await secure.works("web01", agent)
    (entry,) = await secure.audit("violation")
    assert (entry.actor, entry.host_id) == ("host hostile", hostile.host_id)


async def test_a_host_cannot_take_the_name_of_another(secure: SecureManager) -> None:
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    async with hostile.dial(secure.address) as agent:
        last = (await agent.hello("web01")).disconnect
        assert last.reason == pb.DISCONNECT_REASON_NAME_TAKEN
    async with other.dial(secure.address) as agent:
        await agent.hello("web01")
        await secure.works("web01", agent)


async def test_a_host_cannot_be_called_by_the_id_of_another(secure: SecureManager) -> None:
    """Who revokes it by name would revoke the other."""
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    for host_id, reason in (
        (other.host_id, pb.DISCONNECT_REASON_INVALID_HELLO),
        (hostile.host_id, None),
    ):
        async with hostile.dial(secure.address) as agent:
            answer = await agent.hello(host_id)
            assert (answer.disconnect.reason or None) == reason
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await enroll(secure.running, await secure.token(), other.host_id)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_host_that_is_always_called_otherwise_is_slowed_down(
    secure: SecureManager,
) -> None:
    """Each time is a row of the audit, which must not be filled."""
    host, times, answer = await secure.host("web01"), 0, pb.ManagerMessage()
    while answer.disconnect.reason != pb.DISCONNECT_REASON_OVERLOADED:
        async with host.dial(secure.address) as agent:
            answer = await agent.hello(f"web{times}", instance_id="the same")
        times += 1
    assert times == IDENTITY_CHANGES.burst + 1
    assert answer.disconnect.retry_after.ToNanoseconds() > 0
    async with host.dial(secure.address) as agent:
        same = await agent.hello(f"web{times - 2}", instance_id="the same")
        assert same.HasField("welcome")


async def test_a_renamed_host_gets_nothing_until_approved_anew(
    secure: SecureManager,
) -> None:
    host = await secure.host("web01")
    async with host.dial(secure.address) as agent:
        welcome = (await agent.hello("db01")).welcome
        assert welcome.settings.admission == pb.ADMISSION_PENDING
        (seen,) = await secure.hosts()
        assert (seen.name, seen.admission) == ("db01", "pending")
        assert "web01" in seen.note
        await secure.running.operator.approve_hosts(["db01"])
        assert (await agent.read_until("settings")).settings.admission == pb.ADMISSION_ADMITTED
        await secure.works("db01", agent)
    (entry,) = await secure.audit("rename_host")
    assert (entry.detail["before"], entry.detail["after"]) == ("web01", "db01")


async def test_an_enrolled_host_cannot_be_had_without_tls(tmp_path: Path) -> None:
    """A manager that is started with --insecure later does not believe who says that it is one."""
    async with secure_manager(tmp_path) as secure:
        host = await secure.host("web01")
    settings = Settings(state_dir=secure.state_dir, listen="127.0.0.1:0", insecure=True)
    async with run_manager(settings) as insecure, dial(insecure.address) as agent:
        last = (await agent.hello("web01", host_id=host.host_id)).disconnect
        assert last.reason == pb.DISCONNECT_REASON_INVALID_HELLO


async def test_the_result_of_another_hosts_command_is_not_taken(secure: SecureManager) -> None:
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    async with hostile.dial(secure.address) as enemy, other.dial(secure.address) as agent:
        await enemy.hello("hostile")
        await agent.hello("web01")
        task_id = await secure.start("web01")
        run = (await agent.read_until("run_command")).run_command
        await enemy.report(results=[completed(run.execution_id)])
        last = (await enemy.read_until("disconnect")).disconnect
        assert last.reason == pb.DISCONNECT_REASON_PROTOCOL_ERROR
        assert (await secure.row(task_id)).status == "pending"
        await agent.report(results=[completed(run.execution_id)])
        await agent.read_until("acknowledge")
        assert (await secure.row(task_id)).status == "completed"
    assert [entry.host for entry in await secure.audit("violation")] == ["hostile"]


async def test_a_second_different_result_is_ignored_and_counted(secure: SecureManager) -> None:
    host = await secure.host("web01")
    async with host.dial(secure.address) as agent:
        await agent.hello("web01")
        task_id = await secure.start("web01")
        run = (await agent.read_until("run_command")).run_command
        other = pb.Result(
            execution_id=run.execution_id,
            status=pb.RESULT_STATUS_FAILED,
            reason=pb.RESULT_REASON_EXIT_CODE,
            exit_code=1,
        )
        for result in (completed(run.execution_id), other, completed(run.execution_id)):
            await agent.report(results=[result])
            (told,) = (await agent.read_until("acknowledge")).acknowledge.executions
            assert told.result
        assert (await secure.row(task_id)).status == "completed"
        status = await secure.running.operator.manager_status()
        assert any("1 second, different results" in said.text for said in status.attention)


async def test_different_results_without_end_are_a_violation(secure: SecureManager) -> None:
    """Each has a line in the log, which holds what others do as well. Dialing anew does not help:
    it is the host that is counted."""
    host = await secure.host("web01")
    for codes in (range(1, 600), range(600, 1200)):
        async with host.dial(secure.address) as agent:
            await agent.hello("web01")
            if codes.start == 1:
                await secure.start("web01")
                run = (await agent.read_until("run_command")).run_command
                await agent.report(results=[completed(run.execution_id)])
            results = [
                pb.Result(
                    execution_id=run.execution_id,
                    status=pb.RESULT_STATUS_FAILED,
                    reason=pb.RESULT_REASON_EXIT_CODE,
                    exit_code=code,
                )
                for code in codes
            ]
            # The manager may end the stream before gRPC says that all was written.
            sending = asyncio.create_task(agent.report(results=results))
            if codes.start == 1:  # it may go on
                await agent.read_until("acknowledge")
                await sending
                await agent.report(results=[completed(run.execution_id)])
                await agent.read_until("acknowledge")
                await agent.leave()  # else the next one may come before the manager knows of it
            else:
                # gRPC may drop the last message, which says why, as it ends what is still written.
                assert await agent.ended()
                await asyncio.wait({sending})
                sending.exception()  # that the stream has ended, at most
    (entry,) = await secure.audit("violation")
    assert entry.host == "web01"
    assert entry.detail["text"].startswith("Too many executions were reported")
