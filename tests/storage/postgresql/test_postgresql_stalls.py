"""A PostgreSQL server that takes a message and never answers it: what waits for it is given up, a
manager can be stopped, and another server of the URL is used."""

import asyncio
import errno
import operator
import os
import signal
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, TypeVar

import pytest

from tests.support.databases.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.databases.postgresql_notes import database_with_notes, note, notes
from tests.support.waiting import GIVE_UP, wait_until
from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.database import Database, open_database
from tui_manager.storage.engine.postgresql import postgresql_engine, readers
from tui_manager.storage.engine.postgresql.writing import writing_connection
from tui_manager.storage.engine.transaction import Transaction

T = TypeVar("T")
_RAISE = "DO $$ BEGIN RAISE EXCEPTION 'tried' USING ERRCODE = '{}'; END $$"


@pytest.fixture
def url() -> Iterator[str]:
    """A database with a table of notes."""
    with database_with_notes() as (url, _):
        yield url


@pytest.fixture
def proxied(url: str) -> Iterator[tuple[CuttingProxy, str]]:
    """A proxy before its server, and the URL through it."""
    with cutting_proxy(url) as made:
        yield made


@pytest.fixture
def _short_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_engine, "STOP_CANCEL", 0.3)
    monkeypatch.setattr(postgresql_engine, "STOP_CUT", 0.6)
    monkeypatch.setattr(writing_connection, "_CANCEL", 0.3)


class _Backends:
    """Processes of the server that the test has stopped: they answer nothing."""

    def __init__(self) -> None:
        self._stopped: list[int] = []

    async def stop_writer(self, database: Database) -> None:
        """Stops the one of the connection that writes."""
        self._stop(await database.write(_backend_of))

    def stop_reader(self, tx: Transaction) -> None:
        """Stops the one of this transaction, and waits for it."""
        self._stop(_backend_of(tx))
        tx.execute("SELECT 1")

    def _stop(self, pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        self._stopped.append(pid)

    def resume(self) -> None:
        """All go on."""
        while self._stopped:
            os.kill(self._stopped.pop(), signal.SIGCONT)


@pytest.fixture
def backends() -> Iterator[_Backends]:
    """None is stopped yet, and none is in the end."""
    made = _Backends()
    yield made
    made.resume()


async def test_reads_are_given_up_while_a_probe_is_not_answered(
    url: str, backends: _Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_connection, "_SLOW", 0.2)
    async with open_database(url) as database:
        await backends.stop_writer(database)
        monkeypatch.setattr(readers, "READ_MAX", 0.5)
        try:
            for _ in range(2):
                with pytest.raises(StorageError):
                    await _ends(database.read(backends.stop_reader))
                await wait_until(partial(_problem, database), bool)
        finally:
            backends.resume()


@pytest.mark.usefixtures("_short_stop")
async def test_a_manager_stops_while_a_probe_is_not_answered(
    url: str, backends: _Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_connection, "_SLOW", 0.2)
    stack = AsyncExitStack()
    database = await stack.enter_async_context(open_database(url))
    await backends.stop_writer(database)
    with pytest.raises(StorageError):
        await database.read(partial(_fail, code="58030"))
    await wait_until(partial(_problem, database), lambda text: "has not confirmed" in text)
    ending = asyncio.ensure_future(stack.aclose())
    try:
        await _ends(asyncio.shield(ending))
    finally:
        backends.resume()
        await ending


@pytest.mark.usefixtures("_short_stop")
@pytest.mark.parametrize("text", [b"set_config", b"pg_try_advisory_lock", b"pg_stat_activity"])
async def test_a_manager_stops_while_its_new_connection_is_not_answered(
    proxied: tuple[CuttingProxy, str], text: bytes
) -> None:
    proxy, through = proxied
    async with open_database(through) as database:
        proxy.swallow(text)
        proxy.end_all()
        writing = asyncio.ensure_future(database.write(note("never")))
        try:
            assert await asyncio.to_thread(proxy.swallowed.wait, GIVE_UP)
            database.stop_retrying()
            with pytest.raises(StorageError, match=r"cannot be reached|does not answer"):
                await _ends(writing)
        finally:
            proxy.close()


@pytest.mark.usefixtures("_short_stop")
async def test_a_manager_stops_while_its_rollback_is_not_answered(
    proxied: tuple[CuttingProxy, str],
) -> None:
    proxy, through = proxied
    async with open_database(through) as database:
        proxy.swallow(b"ROLLBACK")
        writing = asyncio.ensure_future(database.write(partial(_fail, code="55P03")))
        try:
            assert await asyncio.to_thread(proxy.swallowed.wait, GIVE_UP)
            database.stop_retrying()
            with pytest.raises(StorageError):
                await _ends(writing)
        finally:
            proxy.close()


async def test_a_read_is_given_up_whose_new_connection_is_not_answered(
    proxied: tuple[CuttingProxy, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, through = proxied
    async with open_database(through) as database:
        proxy.swallow(b"set_config")
        proxy.end_all()
        monkeypatch.setattr(readers, "READ_MAX", 0.5)
        try:
            with pytest.raises(StorageError):
                await _ends(database.read(notes))
        finally:
            proxy.close()


async def test_a_size_that_is_not_answered_holds_no_write(
    proxied: tuple[CuttingProxy, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, through = proxied
    async with open_database(through) as database:
        proxy.swallow(b"pg_database_size")
        monkeypatch.setattr(postgresql_engine, "_SIZE_EVERY", 0.0)
        try:
            await _ends(database.write(note("one")))
            assert await asyncio.to_thread(proxy.swallowed.wait, GIVE_UP)
            await _ends(database.write(note("two")))
            assert await _ends(database.read(notes)) == ["one", "two"]
            monkeypatch.setattr(readers, "_CLOSE", 0.3)
        finally:
            proxy.close()


async def test_a_write_that_is_never_answered_goes_to_the_other_server_of_the_url(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first server neither answers the statement nor a new connection."""

    def write(tx: Transaction) -> None:
        note("once")(tx)
        tx.execute("SELECT 'is not answered'")

    monkeypatch.setattr(writing_connection, "TRY_FOR", 60.0)
    with cutting_proxy(url) as (first, through), cutting_proxy(url) as (second, _):
        place = f"127.0.0.1:{first.port}"
        both = through.replace(place, f"{place},127.0.0.1:{second.port}")
        async with open_database(f"{both}&connect_timeout=2") as database:
            first.swallow(b"is not answered", b"user\0")
            monkeypatch.setattr(readers, "READ_MAX", 1.0)
            try:
                await _ends(database.write(write))
            finally:
                first.close()
            assert await database.read(notes) == ["once"]


async def test_a_commit_may_wait_for_longer_than_other_statements(
    proxied: tuple[CuttingProxy, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its standby may be slow."""
    proxy, through = proxied
    looks: list[float | None] = []
    cut_stuck = readers.Readers.cut_stuck

    def look(self: readers.Readers, limit: float | None = None) -> None:
        looks.append(limit)
        cut_stuck(self, limit)

    async def count() -> int:
        return len(looks)

    async with open_database(through) as database:
        proxy.swallow(b"COMMIT\0")  # not in BEGIN, which says READ COMMITTED
        writing = asyncio.ensure_future(database.write(note("once")))
        try:
            assert await asyncio.to_thread(proxy.swallowed.wait, GIVE_UP)
            monkeypatch.setattr(readers, "READ_MAX", 0.1)
            monkeypatch.setattr(readers.Readers, "cut_stuck", look)
            await wait_until(count, partial(operator.le, 3))
            assert "cannot be reached" not in database.problem
            assert not writing.done()
        finally:
            monkeypatch.undo()
            proxy.swallow()
            proxy.end_all()
        await _ends(writing)
        assert await database.read(notes) == ["once"]


async def test_a_manager_with_too_many_open_files_goes_on_when_it_has_fewer(
    proxied: tuple[CuttingProxy, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, through = proxied

    def dup(_number: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with open_database(through) as database:
        with monkeypatch.context() as patched:
            patched.setattr(os, "dup", dup)
            proxy.end_all()
            with pytest.raises(StorageError, match="Too many open files"):
                await database.read(notes)
            await wait_until(
                partial(_problem, database), lambda text: "Too many open files" in text
            )
        await wait_until(partial(_problem, database), lambda text: not text)
        await database.write(note("after"))
        assert await database.read(notes) == ["after"]


async def test_a_probe_that_fails_is_logged_and_followed_by_others(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    probes: list[Sequence[object]] = []

    def transact(_self: object, works: Sequence[object], _stopping: object) -> list[Any]:
        probes.append(works)
        raise RuntimeError("broken")

    async def count() -> int:
        return len(probes)

    monkeypatch.setattr(writing_connection.WritingConnection, "transact", transact)
    async with open_database(url) as database:
        for expected in (1, 2):
            with pytest.raises(StorageError):
                await database.read(partial(_fail, code="58030"))
            await wait_until(count, partial(operator.le, expected))
    assert probes == [(), ()]
    assert "the database cannot be probed" in caplog.text


def _backend_of(tx: Transaction) -> int:
    return int(tx.execute("SELECT pg_backend_pid()").fetchone()[0])


def _fail(tx: Transaction, code: str) -> None:
    tx.execute(_RAISE.format(code))


async def _problem(database: Database) -> str:
    return database.problem


async def _ends(awaited: Awaitable[T]) -> T:
    """What it returns; it must end."""
    async with asyncio.timeout(GIVE_UP):
        return await awaited
