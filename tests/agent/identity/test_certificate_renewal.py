"""A certificate that works stays until the manager has accepted the next one in a handshake."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from tui_manager_agent.identity import credentials
from tui_manager_agent.identity.certificate_renewal import CertificateRenewal
from tui_manager_agent.identity.credentials import Credentials
from tui_manager_agent.supervisor import record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.authority import DAY, MONTH, Authority, der, pem
from tests.agent.fake_enrollment import SERVER_NAME, FakeEnrollment
from tests.agent.fake_manager import FakeManager
from tests.agent.identity.test_credentials import DIES, die_at, fields_for
from tests.agent.link.test_tls_link import public_key

YEAR = timedelta(days=365)
_NOW = wire.Settings(admission=wire.ADMISSION_ADMITTED, renew_certificate=True)
_NOT_NOW = wire.Settings(admission=wire.ADMISSION_ADMITTED)
SAVE_NEWER = (
    "from tui_manager_agent.identity import credentials; "
    "from tui_manager_agent.supervisor import record; "
    "credentials.save_newer(Path(sys.argv[1]), record.read(sys.argv[2]))"
)
ACCEPT_NEWER = (
    "from tui_manager_agent.identity import credentials; "
    "credentials.accept_newer(Path(sys.argv[1]))"
)


async def issue(
    manager: FakeManager,
    signer: Authority,
    trusted: Authority,
    lasts: timedelta = MONTH,
    ahead: timedelta = timedelta(0),
) -> x509.Certificate:
    """Offers a certificate as a manager does whose clock is so far ahead."""
    requests = len(manager.certificate_requests)
    manager.send(settings=_NOW)
    await manager.wait_for(lambda: len(manager.certificate_requests) > requests)
    request = x509.load_der_x509_csr(manager.certificate_requests[-1])
    made = signer.host(public_key(request), manager.host_id, lasts, ahead)
    message = wire.CertificateIssued(
        certificates_der=[der(made)],
        authorities_der=[der(trusted.certificate)],
        server_name=SERVER_NAME,
    )
    manager.send(certificate_issued=message)
    return made


async def issue_to(
    renewal: CertificateRenewal, authority: Authority, ahead: timedelta = timedelta(0)
) -> x509.Certificate:
    """As `issue`, to an agent that has no process."""
    requests: list[bytes] = []
    renewal.begin_session(requests.append)
    await renewal.on_settings(wanted=True)
    key = public_key(x509.load_der_x509_csr(requests[-1]))
    made = authority.host(key, renewal.credentials.host_id, ahead=ahead)
    certificates, authorities = [der(made)], [der(authority.certificate)]
    await renewal.on_certificate(
        wire.CertificateIssued(
            certificates_der=certificates, authorities_der=authorities, server_name=SERVER_NAME
        )
    )
    return made


def in_use(agent: AgentProcess) -> Credentials:
    held = credentials.load(agent.state_dir)
    assert held
    return held


async def back(agent: AgentProcess, manager: FakeManager, *options: str) -> x509.Certificate:
    """What the agent shows after its next start."""
    await agent.kill()
    reports = len(manager.reports)
    await agent.run(manager, *options)
    await manager.wait_for(lambda: len(manager.reports) > reports)
    return x509.load_pem_x509_certificate(manager.peers[-1])


async def test_one_that_ends_before_the_one_in_use_is_rejected(
    enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    before = in_use(enrolled)
    past = await issue(tls_manager, authority, authority, ahead=-YEAR)
    line = await enrolled.says("it ends before the one in use")
    assert f"new_ends='{past.not_valid_after_utc:%Y-%m-%d %H:%M UTC}'" in line
    assert f" ends='{before.end}'" in line
    await back(enrolled, tls_manager)
    assert in_use(enrolled) == before


async def test_after_a_rejected_one_the_manager_may_offer_a_good_one(
    enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    await issue(tls_manager, authority, authority, ahead=-YEAR)
    await enrolled.says("it ends before the one in use")
    good = await issue(tls_manager, authority, authority)
    await enrolled.says("certificate renewed")
    assert await back(enrolled, tls_manager) == good


async def test_a_wish_that_came_to_nothing_can_be_repeated(
    enrolled: AgentProcess, tls_manager: FakeManager
) -> None:
    requests = tls_manager.certificate_requests
    tls_manager.send(settings=_NOW)
    tls_manager.send(settings=_NOW)
    await tls_manager.wait_for(lambda: requests)
    tls_manager.send(settings=_NOT_NOW)
    tls_manager.send(settings=_NOW)
    await tls_manager.wait_for(lambda: len(requests) == 2)


async def test_one_that_has_not_begun_does_not_lock_out(
    enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    (first,) = map(x509.load_pem_x509_certificate, tls_manager.peers)
    await issue(tls_manager, authority, authority, ahead=22 * DAY)
    await enrolled.says("certificate renewed")
    assert await back(enrolled, tls_manager) == first
    assert await back(enrolled, tls_manager) == first
    good = await issue(tls_manager, authority, authority)
    await enrolled.says("certificate renewed")
    assert await back(enrolled, tls_manager) == good


async def test_one_accepted_under_a_wrong_clock_does_not_lock_out(tmp_path: Path) -> None:
    authority = Authority()
    old = credentials.save(tmp_path, fields_for(tmp_path, authority))
    renewal = CertificateRenewal(tmp_path, old, None)
    early = await issue_to(renewal, authority, ahead=22 * DAY)
    renewal.stream_ended(welcomed=True)
    renewal.stream_ended(welcomed=False)  # nobody answered: the manager was being restarted
    assert renewal.credentials.chain.startswith(pem(early))
    renewal.welcomed()  # the manager's clock is still ahead
    assert credentials.load(tmp_path) == old
    good = await issue_to(renewal, authority)  # its clock has been put right
    renewal.stream_ended(welcomed=True)
    assert renewal.credentials.chain.startswith(pem(good))
    renewal.welcomed()
    assert credentials.load(tmp_path) == renewal.credentials


async def test_one_that_has_not_begun_forbids_no_other(tmp_path: Path) -> None:
    authority = Authority()
    early = credentials.save(tmp_path, fields_for(tmp_path, authority, ahead=22 * DAY))
    renewal = CertificateRenewal(tmp_path, early, None)
    good = await issue_to(renewal, authority)
    renewal.stream_ended(welcomed=True)
    assert renewal.credentials.chain.startswith(pem(good))


def test_an_accepted_one_replaces_the_older_once_it_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    old = credentials.save(tmp_path, fields_for(tmp_path, authority))
    early = credentials.save_newer(tmp_path, fields_for(tmp_path, authority, ahead=22 * DAY))
    renewal = CertificateRenewal(tmp_path, old, early)
    renewal.stream_ended(welcomed=False)
    assert renewal.credentials == early
    renewal.welcomed()
    assert credentials.load(tmp_path) == old
    assert credentials.load_newer(tmp_path, old) == early
    renewal.stream_ended(welcomed=True)
    assert renewal.credentials == old, "what has not begun is not shown first"
    monkeypatch.setattr(time, "time", lambda: early.begins)
    renewal.stream_ended(welcomed=True)
    renewal.welcomed()
    assert credentials.load(tmp_path) == early
    assert credentials.load_newer(tmp_path, early) is None


async def test_one_that_the_manager_refuses_in_the_handshake_does_not_lock_out(
    enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    (first,) = map(x509.load_pem_x509_certificate, tls_manager.peers)
    await issue(tls_manager, Authority("another"), authority)
    await enrolled.says("certificate renewed")
    tls_manager.hang_up()
    await enrolled.says("the older certificate was accepted")
    assert x509.load_pem_x509_certificate(tls_manager.peers[-1]) == first
    assert await back(enrolled, tls_manager) == first


async def test_one_that_brings_a_wrong_authority_does_not_lock_out(
    enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    (first,) = map(x509.load_pem_x509_certificate, tls_manager.peers)
    await issue(tls_manager, authority, Authority("another"))
    await enrolled.says("certificate renewed")
    assert await back(enrolled, tls_manager) == first


async def test_an_enrolment_under_a_wrong_clock_does_not_lock_out(
    enrolled: AgentProcess,
    tls_manager: FakeManager,
    authority: Authority,
    enrollment: FakeEnrollment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (first,) = map(x509.load_pem_x509_certificate, tls_manager.peers)
    monkeypatch.setattr(enrollment, "ahead", 22 * DAY)
    option = f"--join-token={enrollment.another_token()}"
    assert await back(enrolled, tls_manager, option) == first
    monkeypatch.setattr(enrollment, "ahead", timedelta(0))
    second = await back(enrolled, tls_manager, option)
    assert second != first
    assert second.not_valid_before_utc < datetime.now(UTC)


async def test_an_accepted_one_replaces_the_older(
    enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    folder = enrolled.state_dir / credentials.FOLDER
    await issue(tls_manager, authority, authority, lasts=2 * MONTH)
    await enrolled.says("certificate renewed")
    before = in_use(enrolled)
    assert (folder / credentials.NEWER).exists()
    good = await back(enrolled, tls_manager)
    assert in_use(enrolled).ends == int(good.not_valid_after_utc.timestamp()) > before.ends
    assert not (folder / credentials.NEWER).exists()


@pytest.mark.parametrize(
    ("call", "count"), [("open", 1), ("write", 1), ("fsync", 1), ("rename", 1), ("fsync", 2)]
)
def test_a_newer_one_is_kept_whole_or_not_at_all(call: str, count: int, tmp_path: Path) -> None:
    authority, folder = Authority(), tmp_path
    old = credentials.save(folder, fields_for(folder, authority))
    new = fields_for(folder, authority, lasts=2 * MONTH)
    record.write(str(folder), "answer", record.encode(new))
    assert die_at(call, count, SAVE_NEWER, folder, folder / "answer") == DIES
    assert credentials.load(folder) == old
    newer = credentials.load_newer(folder, old)
    assert newer is None or newer.ends == int(new["ends"])
    assert credentials.save_newer(folder, new) == credentials.load_newer(folder, old)
    assert credentials.load(folder) == old


@pytest.mark.parametrize(("call", "count"), [("rename", 1), ("fsync", 1)])
def test_a_host_killed_while_it_accepts_has_one_that_works(
    call: str, count: int, tmp_path: Path
) -> None:
    authority = Authority()
    old = credentials.save(tmp_path, fields_for(tmp_path, authority))
    new = credentials.save_newer(tmp_path, fields_for(tmp_path, authority, lasts=2 * MONTH))
    assert die_at(call, count, ACCEPT_NEWER, tmp_path) == DIES
    held = credentials.load(tmp_path)
    assert held in (old, new)
    assert held == new or credentials.load_newer(tmp_path, old) == new


def test_a_damaged_newer_one_is_left_alone(tmp_path: Path) -> None:
    old = credentials.save(tmp_path, fields_for(tmp_path, Authority()))
    (tmp_path / credentials.FOLDER / credentials.NEWER).write_bytes(b"noise")
    assert credentials.load_newer(tmp_path, old) is None


def test_dials_that_come_to_nothing_take_turns(tmp_path: Path) -> None:
    authority = Authority()
    old = credentials.save(tmp_path, fields_for(tmp_path, authority))
    new = credentials.save_newer(tmp_path, fields_for(tmp_path, authority, lasts=2 * MONTH))
    renewal = CertificateRenewal(tmp_path, old, new)
    for shown in (new, old, new, old):
        assert renewal.credentials == shown
        renewal.stream_ended(welcomed=False)
    renewal.stream_ended(welcomed=False)
    renewal.welcomed()
    renewal.stream_ended(welcomed=True)
    assert renewal.credentials == new, "the newer one is tried again after each session"
    renewal.welcomed()
    assert credentials.load(tmp_path) == new
