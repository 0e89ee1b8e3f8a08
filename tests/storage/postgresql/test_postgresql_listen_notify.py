"""Messages between managers with LISTEN and NOTIFY: what is about PostgreSQL alone."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any

import psutil
import psycopg
import pytest

from tests.support.databases.own_postgresql import (
    as_superuser,
    held_commit,
    own_server,
    require_standby,
    standby_of,
    tui_url,
)
from tests.support.databases.postgresql import new_database
from tests.support.managers.message_carriers import TIMES, Manager
from tests.support.waiting import wait_until
from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.postgresql.connection import postgresql_address
from tui_manager.storage.engine.postgresql.listen_notify import Notifications

_THREADS = "postgresql-notifications"


@pytest.fixture
def url() -> Iterator[str]:
    """Of an empty database."""
    with new_database() as made:
        yield made


def _manager(url: str) -> Manager:
    return Manager(
        lambda: Notifications(postgresql_address(url)), replace(TIMES, longest_pause=0.05)
    )


async def _threads() -> int:
    return sum(thread.name.startswith(_THREADS) for thread in threading.enumerate())


async def test_a_database_gives_links_to_its_managers(url: str) -> None:
    async with open_database(url) as database:
        assert database.new_message_link is not None
        async with Manager(database.new_message_link) as one, _manager(url) as other:
            await other.works()
            await one.works()
            await one.hears(b"of other", other)


async def test_managers_with_other_schemas_hear_nothing(url: str) -> None:
    names = ("a" * 63, "a" * 62 + "b")
    with psycopg.connect(url) as connection:
        for name in names:
            connection.execute(f"CREATE SCHEMA {name}".encode())
    one, other = (_manager(f"{url}&options=-csearch_path%3D{name}") for name in names)
    async with one, other:
        await one.works()
        await other.works()
        one.notifier.send(b"of one")
        await one.hears(b"of one again")
        await other.hears(b"of other")
        assert not {b"of one", b"of one again"} & set(other.heard)
        assert b"of other" not in one.heard


async def test_a_commit_with_notify_that_hangs_holds_up_messages_only() -> None:
    """Such a commit of another program locks out all others with NOTIFY until it ends."""
    with own_server() as server:
        url = tui_url(server)
        local = f"{url}&options=-csynchronous_commit%3Dlocal"
        with psycopg.connect(url) as other:
            other.execute("CREATE TABLE notes (id int)")
            other.commit()
            async with open_database(local) as database:
                assert database.new_message_link is not None
                async with Manager(database.new_message_link) as one:
                    await one.works()
                    hanging = await held_commit(server, partial(_note_and_notify, other))
                    await one.has_problem("No message has arrived")
                    assert not hanging.done()
                    await database.write(lambda tx: tx.execute("INSERT INTO notes VALUES (1)"))
                    require_standby(server, "")
                    await hanging
                    await one.works()


async def _note_and_notify(connection: "psycopg.Connection[Any]", _number: int) -> None:
    """A commit with NOTIFY, and with something for a standby."""
    connection.execute("INSERT INTO notes SELECT 0 FROM pg_notify('other', '')")
    await asyncio.to_thread(connection.commit)


async def test_nothing_grows_while_the_server_is_away(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    links = 0
    with own_server() as server:
        url = tui_url(server)

        def new_link() -> Notifications:
            nonlocal links
            links += 1
            return Notifications(postgresql_address(url))

        async def made() -> int:
            one.notifier.send(b"lost or late")
            return links

        async with Manager(new_link, replace(TIMES, longest_pause=0.01)) as one:
            await one.works()
            server.stop()
            await one.has_problem()
            await wait_until(made, lambda number: number > 10)
            before, files = links, psutil.Process().num_fds()
            await wait_until(made, lambda number: number > before + 50)
            assert await _threads() <= 3
            assert psutil.Process().num_fds() <= files + 4  # a link may be opening
            server.start()
            await one.works()
    said = [record.getMessage() for record in caplog.records if "tell each other" in record.msg]
    assert said == [
        "managers cannot tell each other of changes",
        "managers tell each other of changes again",
    ]


@pytest.mark.long
async def test_a_standby_is_named() -> None:
    with own_server() as server, standby_of(server) as standby:
        async with _manager(tui_url(standby)) as one:
            await one.has_problem("It takes no writes: it is a standby, or set to read-only.")
            as_superuser(standby, "SELECT pg_promote()")
            await one.works()


async def test_it_waits_for_a_free_connection() -> None:
    with own_server(max_connections="8", superuser_reserved_connections="2") as server:
        url = tui_url(server)
        with ExitStack() as stack:
            while _takes_a_connection(url, stack):
                pass
            async with _manager(url) as one:
                await one.has_problem("It has no connection left")
                await asyncio.to_thread(stack.close)
                await one.works()


def _takes_a_connection(url: str, stack: ExitStack) -> bool:
    try:
        stack.enter_context(closing(psycopg.connect(url)))
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.parametrize("which", ["LISTEN", "pg_notify"])
async def test_a_connection_that_is_ended_is_opened_anew(which: str, url: str) -> None:
    async with _manager(url) as one:
        await one.works()
        with psycopg.connect(url, autocommit=True) as other:
            ended = other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND starts_with(query, %s)",
                [which if which == "LISTEN" else f"SELECT {which}"],
            ).fetchall()
        assert ended == [(True,)]
        assert "No message has arrived" not in await one.has_problem()  # it is noticed at once
        await one.works()


async def test_what_is_left_when_a_link_ends(url: str) -> None:
    link = Notifications(postgresql_address(url))
    await link.open(lambda _message: None, lambda _reason: None)
    await link.close(None)
    with psycopg.connect(url, autocommit=True) as other:

        async def sessions() -> int:
            query = "SELECT FROM pg_stat_activity WHERE datname = current_database()"
            return other.execute(query).rowcount

        assert await wait_until(sessions, lambda number: number == 1)
    await wait_until(_threads, lambda number: number == 0)


async def test_a_link_that_cannot_be_opened_says_why(url: str) -> None:
    link = Notifications(postgresql_address(url.replace("/test_", "/none_")))
    with pytest.raises(StorageError, match="It has no such database"):
        await link.open(lambda _message: None, lambda _reason: None)
    await link.close(None)
    await wait_until(_threads, lambda number: number == 0)
