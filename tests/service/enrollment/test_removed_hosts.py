"""Operators remove hosts; what comes back of them is refused."""

from datetime import timedelta
from typing import Any

import pytest

from tests.service.enrollment.test_host_management import ANA, shown, stays
from tests.support.managers.manager_parts import Parts, manager_parts, result
from tui_manager.domain.errors import IllegalMoveError, NotFoundError, Refusal, RefusedError
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Admission
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.service.core.hosts import fleet_counts
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.storage.maintenance.check import contradictions


async def leave(parts: Parts, host: OpenedSession) -> None:
    """The agent of a host stops."""
    await parts.hosts.close_session(host.host_id, host.generation, "gone")


@pytest.mark.parametrize("admission", list(Admission))
async def test_a_removed_host_is_gone_and_its_key_is_refused(
    tmp_path: Any, admission: Admission
) -> None:
    async with manager_parts(tmp_path) as parts:
        enrolled = await parts.enroll("web01")
        host = await parts.dial(enrolled.host_id, "web01")
        if admission in (Admission.ADMITTED, Admission.REVOKED):
            await parts.admission.approve(["web01"], False, ANA)
        if admission is Admission.REVOKED:
            await parts.admission.revoke(["web01"], ANA)
        if admission is Admission.REJECTED:
            await parts.admission.reject(["web01"], False, ANA)
        await leave(parts, host)
        assert shown(parts)["web01"].admission is admission
        assert await parts.host_management.remove(["web01"], ANA) == ("web01",)
        (entry,) = await parts.audited("remove_host")
        assert (entry.actor, entry.host, entry.host_id) == (ANA, "web01", host.host_id)
        assert entry.detail["admission"] == admission
        await _is_gone(parts, host.host_id)
    async with manager_parts(tmp_path) as parts:
        await _is_gone(parts, host.host_id)


async def _is_gone(parts: Parts, host_id: str) -> None:
    assert shown(parts) == {}
    assert fleet_counts.counts(parts.directory) == (0, 0, 0)
    assert not parts.directory.sorted.targets()
    assert parts.directory.admission_of("web01") is None
    for refused in (
        parts.dial(host_id, "web01"),
        parts.enroll("web01"),
        parts.enroll("web02", key="web01"),
    ):
        with pytest.raises(RefusedError, match=r"web01 was removed.*new --state-dir") as caught:
            await refused
        assert caught.value.refusal is Refusal.REVOKED
    for act in (
        parts.host_management.remove(["web01"], ANA),
        parts.host_management.remove([host_id], ANA),
        parts.host_management.rename(host_id, "web02", ANA),
        parts.host_management.label([f"web01/{host_id}"], {"a": "1"}, [], ANA),
        parts.admission.approve([host_id], False, ANA),
        parts.admission.revoke([host_id], ANA),
    ):
        with pytest.raises(NotFoundError):
            await act
    assert await parts.database.read(contradictions) == []


async def test_the_name_is_free_and_history_keeps_it(parts: Parts) -> None:
    host = await parts.member("web01")
    task_id = await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    await parts.report(
        host.host_id, Started(run.execution_id, timedelta(0)), result(run.execution_id)
    )
    await leave(parts, host)
    await parts.host_management.remove(["web01"], ANA)
    enrolled = await parts.enroll("web01", key="new", machine_id="machine-new", auto_approve=True)
    other = await parts.dial(enrolled.host_id, "web01", key="new")
    assert other.host_id != host.host_id
    assert shown(parts)["web01"].note == ""
    (row,) = await parts.rows(task_id)
    assert (row.host, row.host_id) == ("web01", host.host_id)


@pytest.mark.parametrize("way", ["online", "pending", "running", "offline"])
async def test_a_host_that_is_online_or_has_work_is_not_removed(parts: Parts, way: str) -> None:
    host = await parts.member("web01")
    spare = await parts.member("spare")
    await leave(parts, spare)
    if way == "pending":
        parts.dispatcher.rooms[host.host_id] = 0
    if way != "online":
        await parts.started("web01", "one", "two", offline=Offline.WAIT)
        await leave(parts, host)
    say = "online. Stop its agent, or revoke" if way == "online" else "2 commands .*task 1.*revoke"
    await stays(parts, parts.host_management.remove(["spare", "web01"], ANA), IllegalMoveError, say)
    await parts.admission.revoke(["web01"], ANA)
    await leave(parts, host)
    assert await parts.host_management.remove(["spare", "web01"], ANA) == ("spare", "web01")


@pytest.mark.each_engine
async def test_a_host_that_connects_while_it_is_removed_stays(parts: Parts) -> None:
    """Its session is in the database, and not yet known otherwise."""
    host = await parts.member("web01")
    await leave(parts, host)
    write = parts.database.write

    async def connect_first(work: Any, *, early: bool = False) -> Any:
        parts.database.write = write  # type: ignore[method-assign]
        await parts.dial(host.host_id, "web01")
        return await write(work, early=early)

    parts.database.write = connect_first  # type: ignore[method-assign]
    with pytest.raises(IllegalMoveError, match="it is online"):
        await parts.host_management.remove(["web01"], ANA)
    assert shown(parts)["web01"].online


async def test_of_several_hosts_with_a_name_one_is_removed_by_its_id(parts: Parts) -> None:
    gone = await parts.member("web01")
    await parts.admission.revoke(["web01"], ANA)
    here = await parts.enroll("web01", key="here", machine_id="here", auto_approve=True)
    act = parts.host_management.remove(["web01"], ANA)
    await stays(parts, act, IllegalMoveError, f"{gone.host_id} .revoked., {here.host_id} .admitted")
    await leave(parts, gone)
    assert await parts.host_management.remove([f"web01/{gone.host_id}"], ANA) == ("web01",)
    assert [host.host_id for host in parts.list_hosts(Window()).rows] == [here.host_id]


async def test_a_lost_state_folder_without_tls_has_its_way_out(parts: Parts) -> None:
    host = await parts.connect("web01")
    await leave(parts, host)
    with pytest.raises(RefusedError, match="tui-manager hosts remove web01") as caught:
        await parts.connect("web01", journal_id="new folder")
    assert caught.value.refusal is Refusal.NAME_TAKEN
    assert parts.violations.recent_refusals.newest_first() != []
    await parts.host_management.remove(["web01"], ANA)
    assert parts.violations.recent_refusals.newest_first() == []
    other = await parts.connect("web01", journal_id="new folder")
    assert other.host_id != host.host_id
    with pytest.raises(RefusedError, match=r"web01 was removed.*new --state-dir") as caught:
        await parts.connect("web01", host_id=host.host_id)
    assert caught.value.refusal is Refusal.REVOKED
    assert [host.host_id for host in parts.list_hosts(Window()).rows] == [other.host_id]


async def test_a_removed_pending_host_counts_no_more_for_its_token(parts: Parts) -> None:
    token = await parts.token(uses=2)
    await parts.enroll("web01", token=token)
    await parts.host_management.remove(["web01"], ANA)
    with pytest.raises(RefusedError, match="was removed"):
        await parts.enroll("web01", token=token)
    await parts.enroll("web01", token=token, key="another")
    assert list(shown(parts)) == ["web01"]
