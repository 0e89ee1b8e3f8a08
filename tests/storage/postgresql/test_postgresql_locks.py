"""What is read and then decided on is not changed by another manager meanwhile."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.support.databases.postgresql import postgresql_database
from tests.support.managers.manager_parts import greeting
from tests.support.waiting import wait_until
from tui_manager.domain.errors import IllegalMoveError, NotFoundError
from tui_manager.domain.status import Admission
from tui_manager.service.enrollment import manage_hosts, named_hosts
from tui_manager.storage.engine.database import Database, open_database
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import admissions, hosts
from tui_manager.storage.tables.manager import audit

_GREETING = greeting("web1", host_id="h1")


@pytest.fixture
async def two() -> AsyncIterator[tuple[Database, Database]]:
    with postgresql_database() as url:
        async with open_database(url, key="a") as first, open_database(url, key="b") as second:
            await first.write(lambda tx: hosts.insert(tx, "h1", "web1", Admission.PENDING, 0))
            yield first, second


async def _meanwhile(
    first: Database,
    work: Callable[[Transaction], Any],
    second: Callable[[], Awaitable[Any]],
) -> Any:
    """Runs `second` while the transaction of `work` has not ended; returns what it returned."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> Any:
        done = work(tx)
        begun.set()
        go_on.wait(30)
        return done

    slowly = asyncio.ensure_future(first.write(slow))
    await asyncio.to_thread(begun.wait)
    other = asyncio.ensure_future(second())
    await wait_until(lambda: _waiting_for_locks(first), bool)
    go_on.set()
    await slowly
    return await other


async def test_managers_do_not_wait_for_each_other_to_add_to_the_audit(
    two: tuple[Database, Database],
) -> None:
    """One manager is in the middle of a transaction of many units, while another one commits."""
    first, second = two
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        _act(tx, "first")
        begun.set()
        assert go_on.wait(30)

    def refused(tx: Transaction) -> None:
        _act(tx, "never")
        raise NotFoundError("the test's own failure")

    slowly = asyncio.gather(first.write(slow), first.write(refused), return_exceptions=True)
    await asyncio.to_thread(begun.wait)
    try:
        await asyncio.gather(*(second.write(partial(_act, action="second")) for _ in range(3)))
        assert await second.read(_acts) == [(1, "second"), (2, "second"), (3, "second")]
    finally:
        go_on.set()
    outcomes = await slowly
    assert isinstance(outcomes[1], NotFoundError)
    await second.write_aside(partial(_act, action="beside"))
    assert (await first.read(_acts))[3:] == [(4, "first"), (5, "beside")]


async def test_an_act_that_cannot_be_stored_undoes_its_own_unit_alone(
    two: tuple[Database, Database],
) -> None:
    """A name of a user may hold bytes that are not UTF-8, and so half a surrogate pair."""
    first, second = two

    def broken(tx: Transaction) -> None:
        audit.record(tx, 0, "\udcff@pts/0", "never")

    for writers in (1, 3):
        works = [partial(_act, action=f"{writers} {number}") for number in range(writers)]
        outcomes = await asyncio.gather(
            *(first.write(work) for work in works[:2]),
            first.write(broken),
            *(first.write(work) for work in works[2:]),
            return_exceptions=True,
        )
        failed = [type(outcome) for outcome in outcomes if outcome is not None]
        assert failed == [UnicodeEncodeError]
    assert [action for _, action in await second.read(_acts)] == ["1 0", "3 0", "3 1", "3 2"]


async def test_an_error_at_the_end_of_a_transaction_undoes_all_of_it(
    two: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two

    def broken(tx: PostgresqlTransaction) -> None:
        raise RuntimeError("the test's own failure")

    works = [partial(_act, action=action) for action in ("a", "b")]
    with monkeypatch.context() as patch:
        patch.setattr(PostgresqlTransaction, "finish", broken)
        outcomes = await asyncio.gather(*map(first.write, works), return_exceptions=True)
    assert not any(outcome is None for outcome in outcomes)
    await first.write(partial(_act, action="after"))
    assert await second.read(_acts) == [(1, "after")]


def _act(tx: Transaction, action: str) -> None:
    audit.record(tx, 0, "manager", action)


def _acts(tx: Transaction) -> list[tuple[int, str]]:
    return [(row["id"], row["action"]) for row in tx.execute("SELECT * FROM audit ORDER BY id")]


async def _waiting_for_locks(database: Database) -> int:
    query = (
        "SELECT count(*) AS number FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    row = await database.read(lambda tx: tx.execute(query).fetchone())
    return int(row["number"])


async def test_a_session_keeps_the_labels_that_an_operator_gives_elsewhere(
    two: tuple[Database, Database],
) -> None:
    first, second = two

    def connect(tx: Transaction) -> hosts.HostRow:
        known = hosts.lock(tx, ["h1"])["h1"]
        said = replace(_GREETING, labels={"env": "dev"})
        return hosts.open_session(tx, "h1", said, 5, known.fixed_labels, 2)

    row = await _meanwhile(
        first,
        lambda tx: manage_hosts.label(tx, ["web1"], {"env": "prod"}, (), "ana@pts/3", 4),
        lambda: second.write(connect),
    )
    assert row.labels == {"env": "prod"}


async def test_a_host_that_is_approved_elsewhere_is_approved_once(
    two: tuple[Database, Database],
) -> None:
    first, second = two

    def approve(tx: Transaction) -> list[str]:
        found = named_hosts.in_admission(tx, ["web1"], Admission.PENDING, "approved")
        rows = [admissions.admit(tx, host.host_id) for host in found]
        return [row.name for row in rows if row]

    with pytest.raises(IllegalMoveError, match="it is admitted, not pending"):
        await _meanwhile(first, approve, lambda: second.write(approve))


async def test_a_host_that_is_renamed_elsewhere_is_not_found_by_its_old_name(
    two: tuple[Database, Database],
) -> None:
    first, second = two

    def rename(tx: Transaction) -> hosts.HostRow:
        return manage_hosts.rename(tx, "web1", "db1", "ana@pts/3", 4)

    def end(tx: Transaction) -> list[hosts.HostRow]:
        return manage_hosts.label(tx, ["web1/h1"], {"a": "b"}, (), "bob@pts/4", 5)

    with pytest.raises(IllegalMoveError, match="is called db1 by now"):
        await _meanwhile(first, rename, lambda: second.write(end))
