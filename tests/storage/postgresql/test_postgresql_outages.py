"""Bad days of a PostgreSQL server: restarted, stopped, stalled, full, failed over. What was
acknowledged is stored once; while it is away the manager says so; then all goes on by itself."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from functools import partial

import psycopg
import pytest

from tests.support.databases.own_postgresql import (
    as_superuser,
    follow_nobody,
    held_commit,
    own_server,
    require_standby,
    stalled,
    standby_of,
    taken_connections,
    tui_url,
    waiting_for_standby,
)
from tests.support.databases.postgresql_notes import TABLE, note, notes
from tests.support.databases.postgresql_server import PostgresqlServer
from tests.support.waiting import wait_until
from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.database import Database, open_database
from tui_manager.storage.engine.postgresql import connection, postgresql_engine, readers
from tui_manager.storage.engine.postgresql.writing import writing_connection
from tui_manager.storage.engine.transaction import Transaction


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    """A server of this test with a table of notes."""
    with own_server() as made:
        with psycopg.connect(tui_url(made), autocommit=True) as other:
            other.execute(TABLE)
        yield made


class _Load:
    """Writes numbered notes, some at a time, and tries again as callers do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ended = asyncio.Event()
        self.acknowledged: list[str] = []

    async def run(self) -> None:
        """Writes until `end`."""
        await asyncio.gather(*(self._write(name) for name in "abcde"))

    async def _write(self, name: str) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            while True:
                try:
                    await self._database.write(note(f"{name}{number}"))
                    break
                except StorageError:
                    await asyncio.sleep(0.01)
            self.acknowledged.append(f"{name}{number}")

    async def more(self, count: int = 20) -> None:
        """Waits for so many more notes."""
        before = len(self.acknowledged)
        await wait_until(self._count, lambda now: now >= before + count)

    async def _count(self) -> int:
        return len(self.acknowledged)

    def end(self) -> None:
        self._ended.set()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_server_that_restarts_or_crashes_under_load(
    server: PostgresqlServer, how: signal.Signals
) -> None:
    async with open_database(tui_url(server)) as database:
        load = _Load(database)
        running = asyncio.ensure_future(load.run())
        for _ in range(3):
            await load.more()
            await asyncio.to_thread(server.stop, how)
            await wait_until(partial(_problem, database), bool)
            assert "PostgreSQL database tui at" in database.problem
            await asyncio.to_thread(server.start)
        await load.more()
        load.end()
        await running
        assert database.problem == ""
        assert sorted(await database.read(notes)) == sorted(load.acknowledged)


async def test_a_server_that_is_away_for_longer_than_a_write_waits(
    server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_connection, "TRY_FOR", 0.5)
    async with open_database(tui_url(server)) as database:
        await database.write(note("before"))
        server.stop()
        for attempt in (database.write(note("never")), database.read(notes)):
            with pytest.raises(StorageError, match=r"tui at .* cannot be reached"):
                await attempt
        server.start()
        await wait_until(partial(_problem, database), lambda text: not text)
        await database.write(note("after"))
        assert await database.read(notes) == ["before", "after"]


async def test_what_reads_follows_what_writes_to_another_server(server: PostgresqlServer) -> None:
    """A server whose standby has taken its place may still answer those who read."""

    async def sessions() -> set[int]:
        ask = (database.read(_session) for _ in range(10))
        return set(await asyncio.gather(*ask))

    async with open_database(tui_url(server)) as database:
        before = await sessions()
        assert database.reconnects == 0
        as_superuser(server, f"SELECT pg_terminate_backend({await database.write(_session)})")
        await database.write(note("on a new connection"))
        assert database.reconnects == 1
        assert not await sessions() & before


def _session(tx: Transaction) -> int:
    return int(tx.execute("SELECT pg_backend_pid() AS pid").fetchone()["pid"])


async def test_a_server_that_goes_away_while_nothing_is_written(server: PostgresqlServer) -> None:
    async with open_database(tui_url(server)) as database:
        server.stop()
        with pytest.raises(StorageError, match="cannot be reached"):
            await database.read(notes)
        await wait_until(partial(_problem, database), lambda text: "cannot be reached" in text)
        server.start()
        await wait_until(partial(_problem, database), lambda text: not text)


async def test_a_server_that_has_no_connection_left_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing_connection, "TRY_FOR", 0.5)
    with own_server(max_connections="4", superuser_reserved_connections="1") as server:
        with psycopg.connect(tui_url(server), autocommit=True) as other:
            other.execute(TABLE)
        async with open_database(tui_url(server)) as database:
            server.stop()
            server.start()
            async with taken_connections(server, 3):
                with pytest.raises(StorageError, match="has no connection left"):
                    await database.write(note("never"))
            await wait_until(partial(_problem, database), lambda text: not text)
            await database.write(note("after"))
            assert await database.read(notes) == ["after"]


async def test_a_server_that_becomes_read_only(server: PostgresqlServer) -> None:
    async with open_database(tui_url(server)) as database:
        as_superuser(server, "ALTER SYSTEM SET default_transaction_read_only = on")
        as_superuser(server, "SELECT pg_reload_conf()")
        await wait_until(partial(_refusal, database), lambda text: "takes no writes" in text)
        with psycopg.connect(server.url(), autocommit=True) as superuser:
            superuser.execute("SET default_transaction_read_only = off")
            superuser.execute("ALTER SYSTEM RESET default_transaction_read_only")
            superuser.execute("SELECT pg_reload_conf()")
        await wait_until(partial(_refusal, database), lambda text: not text)


async def test_a_disk_that_is_full(server: PostgresqlServer) -> None:
    """A trigger raises what PostgreSQL raises then; no test may fill a disk."""
    with psycopg.connect(tui_url(server), autocommit=True) as other:
        other.execute(
            """
            CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'could not extend file: No space left on device'
                USING ERRCODE = 'disk_full';
            END $$;
            CREATE TRIGGER full_disk BEFORE INSERT ON notes
            FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
            """
        )
        async with open_database(tui_url(server)) as database:
            outcomes = await asyncio.gather(
                *(database.write(note(text)) for text in "ab"), return_exceptions=True
            )
            assert all("Its disk is full; free some space" in str(one) for one in outcomes)
            other.execute("DROP TRIGGER full_disk ON notes")
            await database.write(note("later"))
            assert await database.read(notes) == ["later"]


async def test_a_standby_that_does_not_answer_holds_every_acknowledgement(
    server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a timeout nor an end of the wait makes it look as if the standby had it."""
    monkeypatch.setattr(writing_connection, "_SLOW", 0.3)
    monkeypatch.setitem(connection._SESSION, "statement_timeout", "200")
    async with open_database(tui_url(server)) as database:
        writing = await _held_write(server, database)
        slow = "has not confirmed a transaction for 0 s: its disk or its standby is slow"
        await wait_until(partial(_problem, database), lambda text: slow in text)
        pid = await wait_until(partial(waiting_for_standby, server), bool)
        as_superuser(server, f"SELECT pg_cancel_backend({pid})")
        await wait_until(partial(_problem, database), lambda text: "cancel" in text)
        again = await wait_until(partial(waiting_for_standby, server), bool)
        as_superuser(server, f"SELECT pg_terminate_backend({again})")
        await wait_until(
            partial(waiting_for_standby, server), lambda found: found not in (0, again)
        )
        assert not writing.done()
        require_standby(server, "")
        await writing
        await wait_until(partial(_problem, database), lambda text: not text)
        stored = await database.read(notes)
        assert stored == [str(number) for number in range(len(stored))]


async def test_a_manager_that_waits_for_a_standby_can_be_stopped(
    server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_engine, "STOP_CANCEL", 0.5)
    async with open_database(tui_url(server)) as database:
        writing = await _held_write(server, database)
        database.stop_retrying()
        with pytest.raises(StorageError, match="not known whether the change was stored"):
            await writing
    require_standby(server, "")
    async with open_database(tui_url(server)) as database:
        await database.write(note("after"))


async def test_a_manager_whose_server_is_stalled_says_so_and_can_be_stopped(
    server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_connection, "_SLOW", 0.3)
    monkeypatch.setattr(writing_connection, "_CANCEL", 0.5)
    monkeypatch.setattr(postgresql_engine, "STOP_CANCEL", 0.5)
    monkeypatch.setattr(postgresql_engine, "STOP_CUT", 1.0)
    async with open_database(tui_url(server)) as database:
        await database.write(note("before"))
        with stalled(server):
            writing = asyncio.ensure_future(database.write(note("during")))
            await wait_until(
                partial(_problem, database), lambda text: "has not confirmed a transaction" in text
            )
            database.stop_retrying()
            with pytest.raises(StorageError, match=r"cannot be reached|does not answer"):
                await writing
    async with open_database(tui_url(server)) as database:
        await database.write(note("after"))
        stored = await database.read(notes)
    assert [text for text in stored if text != "during"] == ["before", "after"]


async def test_a_manager_stops_while_a_read_is_not_answered(
    server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "_CLOSE", 0.3)
    began = threading.Event()

    def read(tx: Transaction) -> None:
        tx.execute("SELECT 1")
        began.set()
        tx.execute("SELECT pg_sleep(1000)")

    async with open_database(tui_url(server)) as database:
        reading = asyncio.ensure_future(database.read(read))
        assert await asyncio.to_thread(began.wait, 60)
    with pytest.raises(StorageError, match="cannot be reached"):
        await reading


async def test_a_read_that_is_never_answered_is_given_up(
    server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others that wait for its thread go on then."""
    async with open_database(tui_url(server)) as database:
        await database.read(notes)
        with stalled(server):
            reading = [asyncio.ensure_future(database.read(notes)) for _ in range(2)]
            monkeypatch.setattr(readers, "READ_MAX", 0.3)
            for outcome in await asyncio.gather(*reading, return_exceptions=True):
                assert isinstance(outcome, StorageError)
        assert await database.read(notes) == []


async def test_a_standby_that_lacks_what_was_confirmed_is_not_written(
    server: PostgresqlServer,
) -> None:
    """Failed over with the last transactions lost."""
    with standby_of(server) as standby:
        both = f"{server.folder},{standby.folder}"
        more = "&target_session_attrs=read-write"
        url = tui_url(server).replace(str(server.folder), both) + more
        async with open_database(url) as database:
            await database.write(note("on both"))
            await wait_until(partial(_notes_of, standby), lambda found: found == ["on both"])
            follow_nobody(standby)
            await database.write(note("lost"))
            server.stop(signal.SIGQUIT)
            as_superuser(standby, "SELECT pg_promote()")
            for _ in range(2):
                with pytest.raises(StorageError, match="lacks the last 1 transactions that it had"):
                    await database.write(note("never"))
            assert "Stop this manager and start it again" in database.problem
        async with open_database(url) as database:
            await database.write(note("after a restart"))
            assert await database.read(notes) == ["on both", "after a restart"]
        assert await _notes_of(standby) == ["on both", "after a restart"]


async def test_a_failover_that_loses_nothing_goes_on(server: PostgresqlServer) -> None:
    with standby_of(server) as standby:
        both = f"{server.folder},{standby.folder}"
        server.stop()
        server.settings["synchronous_standby_names"] = "*"
        server.start()
        url = tui_url(server).replace(str(server.folder), both)
        async with open_database(url) as database:
            load = _Load(database)
            running = asyncio.ensure_future(load.run())
            await load.more()
            server.stop(signal.SIGQUIT)
            as_superuser(standby, "SELECT pg_promote()")
            await load.more()
            load.end()
            await running
            assert sorted(await database.read(notes)) == sorted(load.acknowledged)


async def _problem(database: Database) -> str:
    return database.problem


async def _refusal(database: Database) -> str:
    """Why a write is refused now; empty: it is not."""
    try:
        await database.write(note("tried"))
    except StorageError as error:
        return str(error)
    return ""


async def _notes_of(server: PostgresqlServer) -> list[str]:
    with psycopg.connect(tui_url(server)) as other:
        return [row[0] for row in other.execute("SELECT text FROM notes ORDER BY id")]


async def _held_write(server: PostgresqlServer, database: Database) -> "asyncio.Future[None]":
    """A write that waits for a standby which there is not."""
    return await held_commit(server, lambda number: database.write(note(str(number))))
