"""A known key is the same host again, and gets new certificates."""

import asyncio
from typing import Any

import pytest

from tests.support.managers.enrolled_hosts import csr, host_key, used
from tests.support.managers.manager_parts import Parts
from tui_manager.domain.errors import NotFoundError, Refusal, RefusedError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Admission
from tui_manager.storage.maintenance.check import contradictions


def _hosts(parts: Parts) -> list[Host]:
    return list(parts.list_hosts(Window()).rows)


async def _refused(parts: Parts, token: str, name: str, **given: Any) -> RefusedError:
    """The refusal of a host that enrols, after which everything is as before."""
    before = _hosts(parts)
    with pytest.raises(RefusedError) as caught:
        await parts.enroll(name, token=token, **given)
    assert _hosts(parts) == before
    return caught.value


async def test_a_repeated_enrolment_uses_no_more_of_the_token(parts: Parts) -> None:
    token = await parts.token()
    first, second = await asyncio.gather(
        parts.enroll("web01", token=token), parts.enroll("web01", token=token)
    )
    again = await parts.enroll("web01", token=token)
    assert first.host_id == second.host_id == again.host_id
    assert await used(parts.database, token) == 1
    assert len(_hosts(parts)) == 1


async def test_a_known_key_is_the_same_host_with_any_valid_token(parts: Parts) -> None:
    enrolled = await parts.enroll("web01", auto_approve=True)
    token = await parts.token(labels={"role": "db"})
    again = await parts.enroll("web01", token=token)
    assert (again.host_id, again.admission) == (enrolled.host_id, Admission.ADMITTED)
    assert _hosts(parts)[0].labels == {}


async def test_a_known_key_uses_another_token_once(parts: Parts) -> None:
    first, second = await parts.token(), await parts.token()
    await parts.enroll("web01", token=first)
    for _ in range(2):
        await parts.enroll("web01", token=second)
    assert [await used(parts.database, token) for token in (first, second)] == [1, 1]
    for token in (first, second):
        error = await _refused(parts, token, "web02")
        assert error.refusal is Refusal.BAD_TOKEN
    error = await _refused(parts, first, "web01")  # it has come with another one since
    assert error.refusal is Refusal.BAD_TOKEN
    assert await parts.database.read(contradictions) == []


async def test_a_used_up_token_is_refused_to_a_known_key(
    parts: Parts,
) -> None:
    await parts.enroll("web01")
    token = await parts.token()
    await parts.enroll("web02", token=token)
    assert (await _refused(parts, token, "web01")).refusal is Refusal.BAD_TOKEN


async def test_a_pending_host_is_not_admitted_by_another_token(parts: Parts) -> None:
    await parts.enroll("web01")
    again = await parts.enroll("web01", auto_approve=True)
    assert again.admission is Admission.PENDING


async def test_a_copy_of_a_host_that_is_connected_cannot_rename_it(parts: Parts) -> None:
    host = await parts.member("web01")
    token = await parts.token(auto_approve=True)
    for given in ({"name": "db01"}, {"name": "web01", "machine_id": "another"}, {"name": "web01"}):
        error = await _refused(parts, token, given.pop("name"), key="web01", **given)
        assert error.refusal is Refusal.DUPLICATE_IDENTITY
        assert "Another agent is connected as web01" in str(error)
    assert await used(parts.database, token) == 0
    assert "db01" in [noted.name for noted in parts.violations.recent_refusals.newest_first()]
    parts.fall_silent()
    again = await parts.enroll("web01", token=token)
    assert again.host_id == host.host_id


async def test_a_known_key_with_another_name_is_pending_again_and_its_session_is_told(
    parts: Parts,
) -> None:
    host = await parts.member("web01")
    parts.fall_silent()
    again = await parts.enroll("db01", key="web01")
    assert (again.host_id, again.name) == (host.host_id, "db01")
    assert again.admission is Admission.PENDING
    (shown,) = _hosts(parts)
    assert "was called web01 and calls itself db01" in shown.note
    assert parts.sessions.told == [(host.host_id, Admission.PENDING)]
    (entry,) = await parts.audited("rename_host")
    assert (entry.detail["before"], entry.detail["after"]) == ("web01", "db01")


@pytest.mark.parametrize("refusal", [Refusal.REVOKED, Refusal.REJECTED])
async def test_a_revoked_key_cannot_enrol_again(parts: Parts, refusal: Refusal) -> None:
    await parts.enroll("web01", auto_approve=refusal is Refusal.REVOKED)
    if refusal is Refusal.REVOKED:
        await parts.admission.revoke(["web01"], "ana")
    else:
        await parts.admission.reject(["web01"], False, "ana")
    token = await parts.token(auto_approve=True)
    for name in ("web01", "another"):
        error = await _refused(parts, token, name, key="web01")
        assert error.refusal is refusal
    assert await used(parts.database, token) == 0
    assert len(parts.authority.issued) == 1


async def test_a_certificate_is_renewed_for_the_same_key_only(parts: Parts) -> None:
    host = await parts.member("web01")
    await parts.enrollment.renew_certificate(host.host_id, csr("web01"))
    assert parts.authority.issued[1:] == [(host_key("web01").fingerprint, host.host_id)]
    (entry,) = await parts.audited("renew_certificate")
    assert (entry.actor, entry.host_id) == ("host web01", host.host_id)
    for request in (csr("another"), b"", b"no request"):
        with pytest.raises(RefusedError) as caught:
            await parts.enrollment.renew_certificate(host.host_id, request)
        assert caught.value.refusal is Refusal.PROTOCOL_ERROR
    assert len(parts.authority.issued) == 2
    assert parts.statistics.counters.violations == 3


async def test_a_pending_host_may_renew_and_a_rejected_one_may_not(parts: Parts) -> None:
    waiting = await parts.enroll("web01")
    await parts.enrollment.renew_certificate(waiting.host_id, csr("web01"))
    await parts.admission.reject(["web01"], False, "ana")
    with pytest.raises(RefusedError) as caught:
        await parts.enrollment.renew_certificate(waiting.host_id, csr("web01"))
    assert caught.value.refusal is Refusal.REJECTED
    with pytest.raises(NotFoundError):
        await parts.enrollment.renew_certificate("nobody", csr("web01"))
    assert len(parts.authority.issued) == 2
