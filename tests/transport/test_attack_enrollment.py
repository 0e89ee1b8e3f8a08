"""Attacks on the way in: tokens that are not good, names of somebody else, too many tries."""

from collections.abc import Awaitable
from datetime import timedelta

import grpc.aio
import pytest
from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1 import enrollment_pb2
from tui_manager_protos.v1.enrollment_pb2_grpc import EnrollmentServiceStub

from tests.support.agents.secure_agent import (
    certificate_request,
    enroll,
    enrollment_channel,
    new_key,
)
from tests.support.managers.secure_manager import SecureManager
from tui_manager.service.enrollment import enroll_host


async def _refused(enrolling: Awaitable[object], code: grpc.StatusCode) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await enrolling
    assert caught.value.code() is code
    return caught.value.details() or ""


async def test_a_used_token_is_of_no_use(secure: SecureManager) -> None:
    token = await secure.token()
    await enroll(secure.running, token, "web01")
    why = await _refused(enroll(secure.running, token, "web02"), grpc.StatusCode.UNAUTHENTICATED)
    assert "used" in why
    assert [host.name for host in await secure.hosts()] == ["web01"]


async def test_an_expired_token_is_of_no_use(secure: SecureManager) -> None:
    token = await secure.token(ttl=timedelta(minutes=15))
    secure.moved.ahead = timedelta(minutes=16)
    why = await _refused(enroll(secure.running, token, "web01"), grpc.StatusCode.UNAUTHENTICATED)
    assert "expired" in why
    assert await secure.hosts() == []


async def test_a_guessed_token_is_of_no_use_and_guessing_is_slow(secure: SecureManager) -> None:
    """Guessing is counted and slowed down, and leaves the log and the audit readable."""
    codes = []
    async with enrollment_channel(secure.running) as channel:
        stub = EnrollmentServiceStub(channel)
        request = enrollment_pb2.EnrollRequest(
            protocol_version=1, secret="s" * 32, name="web01", csr_der=_request()
        )
        for _ in range(60):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Enroll(request)
            codes.append(caught.value.code())
    assert set(codes) == {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED}
    status = await secure.running.operator.manager_status()
    assert any("wrong join tokens" in said.text for said in status.attention)
    assert len(await secure.audit("refuse_host")) == 1
    assert await secure.hosts() == []


async def test_whoever_has_a_token_cannot_become_a_host_that_is_known(
    secure: SecureManager,
) -> None:
    """Its name and machine id are no secrets; its key is. Not even auto-approval lets it in."""
    host = await secure.host("web01")
    token = await secure.token(auto_approve=True)
    thief = await enroll(secure.running, token, "web01", machine_id="machine-web01")
    assert thief.host_id != host.host_id
    assert thief.admission == pb.ADMISSION_PENDING
    waiting = next(seen for seen in await secure.hosts() if seen.host_id == thief.host_id)
    assert "web01" in waiting.note
    async with host.dial(secure.address) as agent, thief.dial(secure.address) as enemy:
        await agent.hello("web01")
        assert (await enemy.hello("web01")).welcome.settings.admission == pb.ADMISSION_PENDING
        await secure.works("web01", agent)


async def test_a_copy_of_a_host_that_is_connected_cannot_rename_it(secure: SecureManager) -> None:
    host = await secure.host("web01")
    token = await secure.token(auto_approve=True)
    async with host.dial(secure.address) as agent:
        await agent.hello("web01")
        copying = enroll(secure.running, token, "copy", host.key, machine_id="another")
        assert "connected as web01" in await _refused(copying, grpc.StatusCode.ABORTED)
        await secure.works("web01", agent)
    status = await secure.running.operator.manager_status()
    assert any("says it is copy was refused" in said.text for said in status.attention)


async def test_labels_of_a_token_cannot_be_talked_away(secure: SecureManager) -> None:
    token = await secure.token(labels={"env": "test"})
    host = await enroll(secure.running, token, "web01", labels={"env": "prod"})
    async with host.dial(secure.address) as agent:
        await agent.hello("web01", labels={"env": "prod", "role": "web"})
        (seen,) = await secure.hosts()
        assert seen.labels == {"env": "test", "role": "web"}


async def test_a_request_that_its_key_has_not_signed_is_refused(secure: SecureManager) -> None:
    """Otherwise anybody could ask for a certificate for the key of a host that is known."""
    broken = bytearray(_request())
    broken[-1] ^= 1
    enrolling = enroll(secure.running, await secure.token(), "web01", csr_der=bytes(broken))
    await _refused(enrolling, grpc.StatusCode.INVALID_ARGUMENT)


async def test_a_request_in_an_odd_encoding_is_no_defect(
    secure: SecureManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever can reach the port can send it, and must not fill the log with it."""
    odd = _request().replace(b"\x02\x01\x00", b"\x02\x01\x3e", 1)
    enrolling = enroll(secure.running, "tm1.pin." + "s" * 32, "web01", csr_der=odd)
    assert "cannot be read" in await _refused(enrolling, grpc.StatusCode.INVALID_ARGUMENT)
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_host_that_enrols_again_and_again_is_slowed_down(secure: SecureManager) -> None:
    """Each time is a row of the audit, and uses nothing up: the token was its own."""
    token, key = await secure.token(), new_key()
    for _ in range(10):
        await enroll(secure.running, token, "web01", key)
    enrolling_again = enroll(secure.running, token, "web01", key)
    why = await _refused(enrolling_again, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert "enrols too often" in why
    await enroll(secure.running, await secure.token(), "web02")


async def test_a_crowd_that_one_token_lets_in_is_bounded(
    secure: SecureManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than an operator can look through do not wait, whatever the token allows."""
    monkeypatch.setattr(enroll_host, "PENDING_MAX", 3)
    token = await secure.token(uses=100)
    for number in range(3):
        await enroll(secure.running, token, f"web{number}")
    enrolling_more = enroll(secure.running, token, "web9")
    why = await _refused(enrolling_more, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert why.startswith("3 hosts wait that came with this join token")
    await enroll(secure.running, await secure.token(), "other")
    await secure.running.operator.approve_hosts(["web0"])
    await enroll(secure.running, token, "web9")


async def test_an_agent_of_another_protocol_is_told_so(secure: SecureManager) -> None:
    enrolling = enroll(secure.running, await secure.token(), "web01", protocol_version=9)
    await _refused(enrolling, grpc.StatusCode.FAILED_PRECONDITION)


def _request() -> bytes:
    return certificate_request(new_key())
