"""Operators approve, reject and revoke hosts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.managers.enrolled_hosts import host_key
from tests.support.managers.manager_parts import Parts, result, spec, stored_hosts
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
)
from tui_manager.domain.hosts.agent_messages import Held, HeldState
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Admission, CommandHostStatus
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.service.core.hosts import fleet_counts
from tui_manager.service.hosts.host_service import OpenedSession

ANA = "ana@pts/3"


def _host(parts: Parts, host_id: str) -> Host:
    entry = parts.directory.get(host_id)
    assert entry is not None
    return entry.to_host(parts.clock.instant)


async def _waiting(parts: Parts, name: str, **given: Any) -> OpenedSession:
    """A host that has enrolled, waits to be approved, and is connected."""
    enrolled = await parts.enroll(name, **given)
    return await parts.dial(enrolled.host_id, name, **given)


async def _stored(parts: Parts) -> dict[str, Admission]:
    rows = await parts.database.read(stored_hosts)
    return {row.host_id: row.admission for row in rows}


async def _stays(parts: Parts, act: Awaitable[object], error: type[Exception], say: str) -> None:
    """`act` raises, and nothing is different after it."""
    before = parts.list_hosts(Window()).rows
    audit = await parts.audited()
    with pytest.raises(error, match=say):
        await act
    assert parts.list_hosts(Window()).rows == before
    assert await parts.audited() == audit
    assert parts.sessions.turned_away == []
    assert await _stored(parts) == {host.host_id: host.admission for host in before}


async def test_an_approved_host_is_told_and_sent_commands(parts: Parts) -> None:
    host = await _waiting(parts, "web01")
    with pytest.raises(InvalidInputError, match="web01"):
        await parts.started("web01")
    assert await parts.admission.approve(["web01"], False, ANA) == ("web01",)
    assert _host(parts, host.host_id).admission is Admission.ADMITTED
    assert fleet_counts.counts(parts.directory) == (1, 1, 0)
    assert parts.sessions.told == [(host.host_id, Admission.ADMITTED)]
    await parts.started("web01")
    assert [to for to, _ in parts.dispatcher.sent] == [host.host_id]
    (entry,) = await parts.audited("admit_host")
    assert (entry.actor, entry.host, entry.host_id) == (ANA, "web01", host.host_id)
    assert entry.detail["key"] == host_key("web01").fingerprint


async def test_all_pending_approves_pending_hosts_only(parts: Parts) -> None:
    for name in ("web01", "web02", "web03"):
        await _waiting(parts, name)
    await parts.admission.reject(["web03"], False, ANA)
    assert await parts.admission.approve([], True, ANA) == ("web01", "web02")
    assert fleet_counts.counts(parts.directory) == (2, 2, 0)
    assert await parts.admission.approve([], True, ANA) == ()


async def test_all_pending_skips_hosts_that_are_flagged_for_review(parts: Parts) -> None:
    """A stranger neither comes in with the crowd nor keeps it out."""
    await parts.member("web01")
    await _waiting(parts, "web01", key="takes the name of a member", machine_id="1")
    await _waiting(parts, "web02", key="was first with a name", machine_id="2")
    await _waiting(parts, "web02", key="came second", machine_id="3")
    await _waiting(parts, "web03", machine_id="machine-web01")
    moved = await parts.member("web04")
    await parts.dial(moved.host_id, "web04", machine_id="another")
    first = await _waiting(parts, "web05", key="without a note", machine_id="5")
    second = await _waiting(parts, "web05", key="with one", machine_id="6")
    await parts.admission.approve([second.host_id], False, ANA)
    assert _host(parts, first.host_id).note == ""
    await _waiting(parts, "web06")
    assert await parts.admission.approve([], True, ANA) == ("web06",)
    rejected = await parts.admission.reject([], True, ANA)
    assert rejected == ("web01", "web02", "web02", "web03", "web04", "web05")


async def test_all_or_none_are_approved(parts: Parts) -> None:
    await _waiting(parts, "web01")
    act = parts.admission.approve(["web01", "nobody"], False, ANA)
    await _stays(parts, act, NotFoundError, "nobody")
    act = parts.admission.approve(["web01"], True, ANA)
    await _stays(parts, act, InvalidInputError, "not both")
    act = parts.admission.approve([], False, ANA)
    await _stays(parts, act, InvalidInputError, "Name the hosts")
    await _stays(parts, parts.admission.revoke([], ANA), InvalidInputError, "Name the hosts")


async def test_a_name_belongs_to_one_admitted_host(parts: Parts) -> None:
    owner = await parts.member("web01")
    other = await _waiting(parts, "web01", key="other", machine_id="other")
    say = f"Revoke that one first, or rename this one: tui-manager hosts rename {other.host_id} NEW"
    act = parts.admission.approve(["web01"], False, ANA)
    await _stays(parts, act, IllegalMoveError, say)
    assert await parts.admission.revoke(["web01"], ANA) == ("web01",)
    assert _host(parts, owner.host_id).admission is Admission.REVOKED
    assert await parts.admission.approve(["web01"], False, ANA) == ("web01",)
    shown = _host(parts, other.host_id)
    assert (shown.admission, shown.note) == (Admission.ADMITTED, "")
    (*_, entry) = await parts.audited("admit_host")
    assert "The name web01 is also that of web01" in entry.detail["note"]


async def test_one_of_two_pending_hosts_with_one_name_is_named_by_its_id(parts: Parts) -> None:
    one = await _waiting(parts, "web01", key="one", machine_id="")
    two = await _waiting(parts, "web01", key="two", machine_id="")
    act = parts.admission.approve(["web01"], False, ANA)
    await _stays(parts, act, IllegalMoveError, f"{one.host_id} .*and {two.host_id}")
    assert await parts.admission.approve([two.host_id], False, ANA) == ("web01",)
    assert _host(parts, one.host_id).admission is Admission.PENDING
    assert await parts.admission.reject(["web01"], False, ANA) == ("web01",)
    assert _host(parts, one.host_id).admission is Admission.REJECTED
    assert _host(parts, two.host_id).admission is Admission.ADMITTED


async def test_a_host_with_another_name_than_the_operator_saw_is_not_approved(parts: Parts) -> None:
    host = await _waiting(parts, "test-vm")
    await parts.dial(host.host_id, "prod-db-07", key="test-vm", instance_id="instance-test-vm")
    seen = [f"test-vm/{host.host_id}"]
    approving = parts.admission.approve(seen, False, ANA)
    await _stays(parts, approving, IllegalMoveError, "is called prod-db-07 by now")
    seen = [f"prod-db-07/{host.host_id}"]
    assert await parts.admission.approve(seen, False, ANA) == ("prod-db-07",)


async def test_all_of_a_name_are_rejected_at_once(parts: Parts) -> None:
    for key in ("one", "two"):
        await _waiting(parts, "web01", key=key, machine_id="")
    assert await parts.admission.reject(["web01", "web01"], False, ANA) == ("web01", "web01")
    assert fleet_counts.counts(parts.directory) == (0, 0, 0)


async def test_an_id_has_precedence_over_a_name(parts: Parts) -> None:
    """No host may be called so now; one of an older manager may be."""
    meant = await _waiting(parts, "web01")
    with pytest.raises(RefusedError, match="is the id of another host"):
        await parts.enroll(meant.host_id, key="trick")
    trick = await _waiting(parts, "trick")
    names = (meant.host_id, trick.host_id)
    await parts.database.write(
        lambda tx: tx.execute("UPDATE hosts SET name = ? WHERE host_id = ?", names)
    )
    assert await parts.admission.approve([meant.host_id], False, ANA) == ("web01",)
    assert _host(parts, trick.host_id).admission is Admission.PENDING


MOVES_FROM = {
    "approve": Admission.PENDING,
    "reject": Admission.PENDING,
    "revoke": Admission.ADMITTED,
}


@pytest.mark.parametrize(
    ("state", "verb"),
    [(state, verb) for state in Admission for verb in MOVES_FROM if state is not MOVES_FROM[verb]],
)
async def test_an_illegal_admission_raises_and_changes_nothing(
    parts: Parts, state: Admission, verb: str
) -> None:
    host = await _waiting(parts, "web01")
    if state in (Admission.ADMITTED, Admission.REVOKED):
        await parts.admission.approve(["web01"], False, ANA)
    if state is Admission.REVOKED:
        await parts.admission.revoke(["web01"], ANA)
    if state is Admission.REJECTED:
        await parts.admission.reject(["web01"], False, ANA)
    assert _host(parts, host.host_id).admission is state
    parts.sessions.turned_away.clear()
    acts: dict[str, Callable[[str], Awaitable[object]]] = {
        "approve": lambda name: parts.admission.approve([name], False, ANA),
        "reject": lambda name: parts.admission.reject([name], False, ANA),
        "revoke": lambda name: parts.admission.revoke([name], ANA),
    }
    for name in ("web01", host.host_id):
        say = f"it is {state}, not {MOVES_FROM[verb]}"
        await _stays(parts, acts[verb](name), IllegalMoveError, say)


async def test_a_pending_host_is_sent_nothing_and_may_report(parts: Parts) -> None:
    host = await parts.member("web01")
    task_id = await parts.started("web01", "first", "second")
    ((_, run),) = parts.dispatcher.sent
    held = Held(run.execution_id, HeldState.RUNNING)
    await parts.dial(host.host_id, "db01", key="web01", held=[held])
    parts.hosts.session_ready(host.host_id)
    await parts.report(host.host_id, result(run.execution_id))
    assert await parts.send() == []
    first, second = await parts.rows(task_id)
    assert first.status is CommandHostStatus.COMPLETED
    assert (second.status, second.sent_at) == (CommandHostStatus.PENDING, None)
    with pytest.raises(InvalidInputError):
        await parts.started("db01")
    await parts.admission.approve(["db01"], False, ANA)
    assert [sent.command.text for _, sent in await parts.send()] == ["second"]


async def test_a_claim_is_not_sent_once_the_host_is_pending_again(parts: Parts) -> None:
    host = await parts.member("web01")
    task_id = await parts.tasks.create_task(spec("web01", offline=Offline.WAIT))
    await parts.tasks.start_task(task_id)
    parts.fall_silent()
    write = parts.database.write

    async def put_back_meanwhile(work: Callable[..., Any], *, early: bool = False) -> Any:
        outcome = await write(work, early=early)
        parts.database.write = write  # type: ignore[method-assign]
        await parts.enroll("db01", key="web01")  # its session stays the same
        return outcome

    parts.database.write = put_back_meanwhile  # type: ignore[method-assign]
    assert await parts.send() == []
    (row,) = await parts.rows(task_id)
    assert (row.status, row.sent_at) == (CommandHostStatus.PENDING, None)
    await parts.admission.approve([host.host_id], False, ANA)
    assert len(await parts.send()) == 1


@pytest.mark.each_engine
async def test_a_host_that_dials_while_it_is_approved_is_told(parts: Parts) -> None:
    enrolled = await parts.enroll("web01")
    opened, _ = await asyncio.gather(
        parts.dial(enrolled.host_id, "web01"), parts.admission.approve(["web01"], False, ANA)
    )
    assert opened.admission is Admission.PENDING
    assert parts.sessions.told == [(enrolled.host_id, Admission.ADMITTED)]
    assert _host(parts, enrolled.host_id).admission is Admission.ADMITTED
    await parts.started("web01")
    assert len(parts.dispatcher.sent) == 1


async def test_a_target_says_of_a_revoked_host_that_it_is_revoked(parts: Parts) -> None:
    await parts.connect("web01")
    await parts.connect("web02")
    task_id = await parts.tasks.create_task(spec("web01"))
    await parts.admission.revoke(["web01"], ANA)
    with pytest.raises(InvalidInputError, match=r"^Revoked: web01\.$"):
        await parts.tasks.preview_target("web01,web02")
    with pytest.raises(InvalidInputError, match=r"^Revoked: web01\.$"):
        await parts.tasks.start_task(task_id)
