"""Units of work on PostgreSQL: together in one commit, undone alone, repeated."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from tests.support.databases.postgresql_notes import database_with_notes, note, notes
from tui_manager.domain.errors import AlreadyRunningError, NotFoundError, StorageError
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.postgresql.writing import units_of_work, writing_connection
from tui_manager.storage.engine.transaction import Transaction

Place = tuple[str, "psycopg.Connection[Any]"]
_COMMITS = "SELECT number FROM last_write"


@pytest.fixture
def place() -> Iterator[Place]:
    """A database, and a connection of another program."""
    with database_with_notes() as place:
        yield place


async def test_units_that_wait_share_a_commit(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units_of_work, "RUN_FOR", 60.0)
    url, other = place
    async with open_database(url) as database:
        before = _value(other, _COMMITS)
        await asyncio.gather(*(database.write(note(str(n))) for n in range(100)))
        assert _value(other, _COMMITS) - before <= 3
        assert await database.read(notes) == [str(n) for n in range(100)]
        assert database.size > 1_000_000
        assert database.folder is None


@pytest.mark.parametrize("duplicates", [False, True])
async def test_units_that_last_long_are_written_in_several_transactions(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, duplicates: bool
) -> None:
    """Then the locks of the first ones are free while the others run."""
    monkeypatch.setattr(units_of_work, "RUN_FOR", 0.0)
    url, other = place
    seen: list[int] = []

    def work(tx: Transaction, number: int) -> None:
        note(str(number), 1 if duplicates else number)(tx)
        seen.append(_value(other, "SELECT count(*) FROM notes"))

    async with open_database(url) as database:
        before = _value(other, _COMMITS)
        outcomes = await asyncio.gather(
            *(database.write(partial(work, number=number)) for number in range(3)),
            return_exceptions=True,
        )
        if duplicates:
            assert outcomes[0] is None
            assert {type(error) for error in outcomes[1:]} == {psycopg.errors.UniqueViolation}
        else:
            assert seen == [0, 1, 2]
            assert _value(other, _COMMITS) - before == 3


async def test_a_unit_that_raises_among_others_is_undone_alone(place: Place) -> None:
    def broken(tx: Transaction) -> None:
        note("broken")(tx)
        raise NotFoundError("the test's own failure")

    async with open_database(place[0]) as database:
        outcomes = await asyncio.gather(
            database.write(note("a", 1)),
            database.write(broken),
            database.write(note("the same number", 1)),
            database.write(note("b")),
            return_exceptions=True,
        )
        assert isinstance(outcomes[1], NotFoundError)
        assert isinstance(outcomes[2], psycopg.errors.UniqueViolation)
        assert await database.read(notes) == ["a", "b"]


async def test_a_unit_that_raises_alone_changes_nothing(place: Place) -> None:
    def broken(tx: Transaction) -> None:
        note("broken")(tx)
        raise NotFoundError("the test's own failure")

    async with open_database(place[0]) as database:
        with pytest.raises(NotFoundError):
            await database.write(broken)
        await database.write(note("after"))
        assert await database.read(notes) == ["after"]


async def test_a_row_that_is_too_large_fails_its_unit_and_no_other(place: Place) -> None:
    url, other = place
    other.execute("CREATE INDEX ON notes (text)")
    other.execute("ALTER TABLE notes ALTER text SET STORAGE EXTERNAL")
    async with open_database(url) as database:
        outcomes = await asyncio.gather(
            database.write(note("a")),
            database.write(note("x" * 10_000)),
            return_exceptions=True,
        )
        assert outcomes[0] is None
        assert isinstance(outcomes[1], psycopg.errors.ProgramLimitExceeded)
        assert await database.read(notes) == ["a"]


@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_what_was_in_the_way_of_another_transaction_is_repeated(
    place: Place, code: str
) -> None:
    """The server ends the first two transactions, as a serialization failure or a deadlock."""
    url, other = place
    other.execute("CREATE SEQUENCE attempts")
    _raise_at(other, "INSERT ON notes", code, "nextval('attempts') <= 2")
    async with open_database(url) as database:
        await asyncio.gather(*(database.write(note(text)) for text in "abc"))
        assert await database.read(notes) == ["a", "b", "c"]
    assert _value(other, "SELECT last_value FROM attempts") == 5


async def test_a_deadlock_with_another_program_is_repeated(place: Place) -> None:
    url, other = place
    other.execute("INSERT INTO notes (id, text) VALUES (1, 'one'), (2, 'two')")
    has_one, has_two = threading.Event(), threading.Event()

    def both(tx: Transaction) -> None:
        tx.execute("UPDATE notes SET text = text || '+' WHERE id = 1")
        has_one.set()
        assert has_two.wait(10)
        tx.execute("UPDATE notes SET text = text || '+' WHERE id = 2")

    def in_the_other_order() -> None:
        with other.transaction():
            other.execute("UPDATE notes SET text = text || '*' WHERE id = 2")
            assert has_one.wait(10)
            has_two.set()
            other.execute("UPDATE notes SET text = text || '*' WHERE id = 1")

    async with open_database(url) as database:
        await asyncio.gather(database.write(both), asyncio.to_thread(in_the_other_order))
        found = await database.read(notes)
    assert {frozenset(text) for text in found} == {frozenset("one+*"), frozenset("two+*")}


async def test_a_lock_of_another_program_is_waited_for(place: Place) -> None:
    url, other = place
    tried = threading.Event()

    def work(tx: Transaction) -> None:
        if attempts:
            tried.set()
        attempts.append(1)
        note("after the lock")(tx)

    attempts: list[int] = []
    async with open_database(url) as database:
        with other.transaction():
            other.execute("LOCK TABLE notes")
            before = database.answers
            writing = asyncio.ensure_future(database.write(work))
            assert await asyncio.to_thread(tried.wait, 10)
            assert database.answers > before  # it can be reached
        await writing
        assert await database.read(notes) == ["after the lock"]


async def test_a_lock_that_stays_is_an_error_that_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_connection, "TRY_FOR", 1.0)
    url, other = place
    async with open_database(url) as database:
        with other.transaction():
            other.execute("LOCK TABLE notes")
            with pytest.raises(StorageError, match=r"PostgreSQL database .* locked by another"):
                await database.write(note("never"))
        await database.write(note("later"))
        assert await database.read(notes) == ["later"]


async def test_a_manager_that_stops_does_not_wait_for_a_lock(place: Place) -> None:
    url, other = place
    async with open_database(url) as database:
        with other.transaction():
            other.execute("LOCK TABLE notes")
            waiting = asyncio.ensure_future(database.write(note("never")))
            await asyncio.sleep(0)
            database.stop_retrying()
            with pytest.raises(StorageError, match="locked by another program"):
                await waiting


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("53100", "Its disk is full; free some space"),
        ("25006", "It takes no writes"),
        ("58030", "has failed|cannot be reached"),
    ],
)
async def test_a_server_that_cannot_write_fails_the_transaction(
    place: Place, code: str, words: str
) -> None:
    """A trigger raises what a server says whose disk is full, read-only or broken."""
    url, other = place
    _raise_at(other, "INSERT ON notes", code)
    async with open_database(url) as database:
        outcomes = await asyncio.gather(
            database.write(lambda tx: tx.execute("SELECT 1")),
            database.write(note("never")),
            return_exceptions=True,
        )
        for outcome in outcomes:
            assert isinstance(outcome, StorageError)
            with pytest.raises(StorageError, match=words):
                raise outcome
        with pytest.raises(StorageError, match=words):
            await database.write(note("alone"))
        other.execute("DROP TRIGGER raising ON notes")
        await database.write(note("later"))
        assert await database.read(notes) == ["later"]


async def test_units_run_alone_if_the_last_statement_of_one_has_failed(place: Place) -> None:
    """A unit may run twice; what it did the first time is undone."""
    runs: list[str] = []

    def counted(text: str) -> Callable[[Transaction], int]:
        def work(tx: Transaction) -> int:
            runs.append(text)
            note(text)(tx)
            return len(runs)

        return work

    async with open_database(place[0]) as database:
        outcomes = await asyncio.gather(
            database.write(counted("a")),
            database.write(lambda tx: tx.execute("SELECT 1 / 0")),
            database.write(counted("b")),
            return_exceptions=True,
        )
        assert [outcomes[0], outcomes[2]] == [2, 3]
        assert runs == ["a", "a", "b"]
        assert await database.read(notes) == ["a", "b"]


async def test_a_copy_of_a_manager_is_refused_and_changes_nothing(place: Place) -> None:
    url, _ = place
    async with open_database(url) as database:
        refused = (
            "with the number of this one already uses the PostgreSQL database .*: process [0-9]"
        )
        with pytest.raises(AlreadyRunningError, match=refused):
            async with open_database(url):
                pass
        await database.write(note("the first goes on"))
    async with open_database(url) as database:
        assert await database.read(notes) == ["the first goes on"]


async def test_a_manager_waits_for_the_session_of_one_that_was_killed(place: Place) -> None:
    url, other = place
    await _open_and_close(url)
    with psycopg.connect(url, autocommit=True) as killed:
        killed.execute(
            "SELECT pg_advisory_lock(hashtext('tui-manager ' || current_schema()), id::int)"
            " FROM gateways"
        )
        opening = asyncio.ensure_future(_open_and_close(url))
        await asyncio.to_thread(_wait_until_asked_for_lock, other)
    await opening


async def test_a_reader_sees_one_state_and_cannot_write(place: Place) -> None:
    url, other = place

    def twice(tx: Transaction) -> tuple[list[str], list[str]]:
        before = notes(tx)
        other.execute("INSERT INTO notes (text) VALUES ('meanwhile')")
        return before, notes(tx)

    async with open_database(url) as database:
        assert await database.read(twice) == ([], [])
        assert await database.read(notes) == ["meanwhile"]
        with pytest.raises(StorageError, match="read-only"):
            await database.read(note("no"))


async def test_a_read_that_was_cancelled_keeps_its_connection_to_itself(place: Place) -> None:
    """It goes on in its thread, and others read meanwhile."""
    began, go_on = threading.Semaphore(0), [threading.Event(), threading.Event()]
    statuses: list[TransactionStatus] = []

    def slow(tx: Transaction, event: threading.Event) -> None:
        notes(tx)
        began.release()
        assert event.wait(10)
        statuses.append(tx.connection.info.transaction_status)  # type: ignore[attr-defined]

    async with open_database(place[0]) as database:
        reading = [asyncio.ensure_future(database.read(partial(slow, event=e))) for e in go_on]
        for _ in reading:
            assert await asyncio.to_thread(began.acquire, timeout=10)
        for one in reading:
            one.cancel()
        await asyncio.wait(reading)
        later = [asyncio.ensure_future(database.read(notes)) for _ in range(4)]
        await asyncio.sleep(0)
        go_on[0].set()
        assert await asyncio.gather(*later) == [[]] * 4
        go_on[1].set()
    assert statuses == [TransactionStatus.INTRANS] * 2


async def test_statements_stay_prepared_after_a_read(place: Place) -> None:
    url, _ = place

    def prepare(tx: Transaction) -> tuple[int, int]:
        """The session, and how many statements it had prepared before this one."""
        row = tx.execute(
            "SELECT pg_backend_pid() AS pid, "
            "(SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 1') AS n"
        ).fetchone()
        tx.connection.execute("SELECT 1", prepare=True)  # type: ignore[attr-defined]
        return row["pid"], row["n"]

    async with open_database(url) as database:
        found = [await database.read(prepare) for _ in range(6)]
    assert sum(known for _, known in found) == 6 - len({pid for pid, _ in found})


def _raise_at(other: "psycopg.Connection[Any]", what: str, code: str, when: str = "true") -> None:
    other.execute(
        f"""
        CREATE FUNCTION raise_it() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {when} THEN RAISE EXCEPTION 'made by the test' USING ERRCODE = '{code}'; END IF;
            RETURN new;
        END $$;
        CREATE TRIGGER raising BEFORE {what} FOR EACH ROW EXECUTE FUNCTION raise_it();
        """.encode()
    )


def _value(other: "psycopg.Connection[Any]", statement: str) -> Any:
    row = other.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def _wait_until_asked_for_lock(other: "psycopg.Connection[Any]") -> None:
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tui-manager' "
        "AND query LIKE '%pg_try_advisory_lock%' AND datname = current_database()"
    )
    while not _value(other, asked):
        pass


async def _open_and_close(url: str) -> None:
    async with open_database(url):
        pass
