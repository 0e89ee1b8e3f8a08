"""A connection to PostgreSQL that is lost at any message: each unit of work is stored once."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from tests.support.databases.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.databases.postgresql_notes import database_with_notes, note, notes
from tests.support.waiting import wait_until
from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.database import Database, open_database
from tui_manager.storage.engine.postgresql.writing import writing_connection
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import command_hosts

Place = tuple[str, "psycopg.Connection[Any]"]
_MESSAGES_MAX = 40  # more than a transaction has


@pytest.fixture
def place() -> Iterator[Place]:
    """A database, and a connection of another program."""
    with database_with_notes() as place:
        yield place


@pytest.mark.parametrize("answered", [False, True])
async def test_a_unit_is_stored_once_wherever_the_connection_is_cut(
    place: Place, answered: bool
) -> None:
    """Before, in and after its COMMIT."""
    with cutting_proxy(place[0]) as (proxy, through):
        async with open_database(through) as database:
            for number in range(_MESSAGES_MAX):
                proxy.cut_at(number, answered=answered)
                await _write_two(database, number)
                if proxy.cuts_left:
                    break
            proxy.cut_at(answered=False)
            assert 8 < number < _MESSAGES_MAX - 1
            assert database.problem == ""
            expected = [f"{n}{c}" for n in range(number + 1) for c in "ab"]
            assert await database.read(notes) == expected


async def test_two_cuts_one_after_the_other_store_a_unit_once(place: Place) -> None:
    """The second one while the manager finds out whether the first transaction was committed."""
    with cutting_proxy(place[0]) as (proxy, through):
        async with open_database(through) as database:
            commit = await _number_of_commit(proxy, database)
            for number in range(_MESSAGES_MAX):
                proxy.cut_at(commit, number, answered=True)
                await database.write(note(str(number)))
                if proxy.cuts_left:
                    break
            proxy.cut_at(answered=False)
            assert 8 < number < _MESSAGES_MAX - 1
            expected = ["counted", *(str(n) for n in range(number + 1))]
            assert await database.read(notes) == expected


async def test_a_manager_that_stops_says_that_it_is_not_known(place: Place) -> None:
    """The answer to COMMIT is lost, and the server does not come back before the end."""
    url, other = place
    with cutting_proxy(url) as (proxy, through):
        async with open_database(through) as database:
            commit = await _number_of_commit(proxy, database)
            proxy.cut_at(commit, answered=True, refuse=True)
            writing = asyncio.ensure_future(database.write(note("not certain")))
            await wait_until(partial(_problem, database), lambda text: "reached" in text)
            assert not writing.done()
            later = asyncio.ensure_future(database.write(note("later")))
            await asyncio.sleep(0)
            database.stop_retrying()
            with pytest.raises(StorageError, match="not known whether the change was stored"):
                await writing
            with pytest.raises(StorageError, match="cannot be reached"):
                await later
    texts = [row[0] for row in other.execute("SELECT text FROM notes ORDER BY id").fetchall()]
    assert texts == ["counted", "not certain"]


async def test_a_session_that_hangs_after_its_connection_was_lost_is_ended(place: Place) -> None:
    """Its lock would keep the manager out until the server notices."""
    url, other = place
    hanging: list[int] = []

    def work(tx: Transaction) -> None:
        if not hanging:
            tx.execute("SET LOCAL lock_timeout = 0")
            hanging.append(tx.execute("SELECT pg_backend_pid()").fetchone()[0])
        note("once")(tx)

    with cutting_proxy(url) as (proxy, through):
        async with open_database(through) as database:
            with other.transaction():
                other.execute("LOCK TABLE notes")
                writing = asyncio.ensure_future(database.write(work))
                await wait_until(partial(_sessions, url, hanging, "Lock"), bool)
                proxy.end_all()
                await wait_until(partial(_sessions, url, hanging), lambda count: count == 0)
            await writing
            assert await database.read(notes) == ["once"]


async def test_another_manager_that_took_the_database_meanwhile_keeps_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_connection, "TRY_FOR", 1.0)
    url, _ = place
    with cutting_proxy(url) as (proxy, through):
        async with open_database(through) as database:
            await database.write(note("one"))
            proxy.end_all()
            async with open_database(url) as another:
                with pytest.raises(StorageError, match="locked by another manager: process"):
                    await database.write(note("two"))
                await another.write(note("three"))
            with pytest.raises(StorageError, match=r"was written by another manager\. Nothing is"):
                await database.write(note("four"))
            with pytest.raises(StorageError, match="written by another manager"):
                await database.write(note("five"))
            assert "Stop this manager and start it again" in database.problem
            assert await database.read(notes) == ["one", "three"]


async def test_a_database_that_lacks_what_it_confirmed_is_not_written(place: Place) -> None:
    """As after a failover to a standby that lacks the last transactions."""
    url, other = place
    with cutting_proxy(url) as (proxy, through):
        async with open_database(through) as database:
            await database.write(note("kept"))
            other.execute("UPDATE last_write SET number = number - 2")
            proxy.end_all()
            with pytest.raises(StorageError, match="lacks the last 2 transactions"):
                await database.write(note("never"))
            assert database.problem.startswith("The PostgreSQL database")
    async with open_database(url) as database:
        await database.write(note("after a restart"))
        assert await database.read(notes) == ["kept", "after a restart"]


async def test_a_database_that_has_gone_back_is_found_at_the_second_look(place: Place) -> None:
    """The first one fails on a connection that stays open: the number is locked."""
    url, other = place
    with cutting_proxy(url) as (proxy, through):
        async with open_database(through) as database:
            for text in "abcdef":
                await database.write(note(text))
            other.execute("UPDATE last_write SET number = number - 3")
            with other.transaction():
                other.execute("LOCK TABLE last_write")
                proxy.end_all()
                writing = asyncio.ensure_future(database.write(note("never")))
                await wait_until(partial(_problem, database), lambda text: "locked" in text)
            with pytest.raises(StorageError, match="lacks the last 3 transactions"):
                await writing
            assert await database.read(notes) == [*"abcdef"]


AT_COMMIT = """
CREATE TABLE at_commit (setting text);
CREATE FUNCTION note_setting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO at_commit VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER note_setting AFTER INSERT ON notes
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_setting();
"""


async def test_a_commit_is_on_a_disk_also_when_the_default_has_changed_meanwhile(
    place: Place,
) -> None:
    """A server that reads its settings anew changes them in the sessions that it has."""
    url, other = place
    other.execute(AT_COMMIT)
    async with open_database(url) as database:
        await database.write(lambda tx: tx.execute("SET synchronous_commit = off"))
        await database.write(note("durable"))
        await database.write(lambda tx: tx.execute("SET synchronous_commit = remote_write"))
        await database.write(note("as the operator wants it"))
    found = other.execute("SELECT setting FROM at_commit").fetchall()
    assert found == [("local",), ("remote_write",)]


async def test_a_table_that_is_gone_is_a_storage_failure(place: Place) -> None:
    """While a dump is restored. The manager's loops wait for a StorageError to pass."""
    url, other = place
    async with open_database(url) as database:
        other.execute("ALTER TABLE command_hosts RENAME TO elsewhere")
        with pytest.raises(StorageError, match="lacks a table of the manager"):
            await database.read(command_hosts.hosts_with_work)
        other.execute("ALTER TABLE elsewhere RENAME TO command_hosts")
        assert list(await database.read(command_hosts.hosts_with_work)) == []


async def test_a_session_of_the_manager_may_be_idle(place: Place) -> None:
    """Else the server would give its lock away."""
    url, other = place
    user = other.execute("SELECT current_user").fetchone()
    assert user is not None
    other.execute(f"ALTER ROLE {user[0]} SET idle_session_timeout = 1000".encode())
    try:
        async with open_database(url) as database:
            shown = "SELECT current_setting('idle_session_timeout')"
            assert await database.write(lambda tx: tx.execute(shown).fetchone()[0]) == "0"
    finally:
        other.execute(f"ALTER ROLE {user[0]} RESET idle_session_timeout".encode())


async def test_a_lost_database_that_is_back_is_noticed_without_a_write(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cutting_proxy(place[0]) as (proxy, through):
        async with open_database(through) as database:
            proxy.cut_at(0, answered=False)
            with monkeypatch.context() as patched:
                patched.setattr(writing_connection, "TRY_FOR", 0.0)
                with pytest.raises(StorageError, match="cannot be reached"):
                    await database.write(note("never"))
            assert "cannot be reached" in database.problem
            await wait_until(partial(_problem, database), lambda text: not text)


async def _write_two(database: Database, number: int) -> None:
    await asyncio.gather(database.write(note(f"{number}a")), database.write(note(f"{number}b")))


async def _number_of_commit(proxy: CuttingProxy, database: Database) -> int:
    """Which message of a transaction with one note is its last."""
    before = proxy.messages
    await database.write(note("counted"))
    return proxy.messages - before - 1


async def _problem(database: Database) -> str:
    return database.problem


async def _sessions(url: str, pids: list[int], waits_for: str = "") -> int:
    """How many of these sessions there are, or wait for something of this kind."""
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s) AND %s IN ('', wait_event_type)"
    )
    with psycopg.connect(url) as looking:
        row = looking.execute(statement, (pids, waits_for)).fetchone()
    assert row is not None
    return int(row[0])
