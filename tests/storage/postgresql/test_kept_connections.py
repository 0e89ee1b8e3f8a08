"""Of a connection that tests share, only the process of the server and its plans are kept."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from tests.support.databases.kept_connections import kept_connections
from tests.support.databases.postgresql import connect_to, new_database, postgresql_database
from tui_manager.storage.engine.postgresql.connection import (
    ConnectionSocket,
    connect,
    postgresql_address,
)

_STATE = """
SELECT (SELECT json_agg(json_build_array(name, setting) ORDER BY name)
        FROM pg_settings
        WHERE category <> 'Customized Options') AS settings,  -- of loaded libraries
       current_setting('tui_manager.gateway', true) AS gateway,
       (SELECT count(*) FROM pg_listening_channels()) AS listening,
       (SELECT count(*) FROM pg_locks
        WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks,
       to_regclass('pg_temp.of_a_test') AS temporary
"""


@pytest.fixture
def url() -> Iterator[str]:
    with postgresql_database() as made, kept_connections():
        yield made


def _pid(connection: "psycopg.Connection[Any]") -> int:
    return connection.info.backend_pid


def _state(connection: "psycopg.Connection[Any]") -> tuple[Any, ...]:
    row = connection.execute(_STATE.encode()).fetchone()
    assert row is not None
    return tuple(row)


def test_the_next_one_is_like_a_new_one(url: str) -> None:
    with closing(connect_to(url)) as first, closing(connect_to(url)) as second:
        new, pid = _state(second), _pid(first)
        first.execute("SET lock_timeout = 7")
        first.execute("SET enable_seqscan = off")
        first.execute("SELECT set_config('tui_manager.gateway', '7', false)")
        first.execute("LISTEN of_a_test")
        first.execute("DO $$ BEGIN END $$")
        first.execute("SELECT pg_advisory_lock(1, 1)")
        first.execute("CREATE TEMPORARY TABLE of_a_test ()")
        assert _state(first) != new
        first.close()
        assert first.closed
        with closing(connect_to(url)) as again:
            assert _pid(again) == pid
            assert _state(again) == new
            assert again.autocommit


def test_the_next_one_has_its_prepared_statements(url: str) -> None:
    with closing(connect_to(url)) as first:
        first.execute("SELECT 7", prepare=True)
        first.execute("BEGIN")
        first.rollback()
    with closing(connect_to(url)) as again:
        again.execute("SELECT 7", prepare=True)
        found = again.execute(
            "SELECT generic_plans + custom_plans FROM pg_prepared_statements "
            "WHERE statement = 'SELECT 7'"
        )
        assert [tuple(row) for row in found] == [(2,)]


def test_one_that_was_cut_or_has_a_transaction_is_not_kept(url: str) -> None:
    sockets: list[ConnectionSocket] = []
    with closing(connect(postgresql_address(url), sockets.append)) as cut:
        pid = _pid(cut)
        sockets[0].cut()
    sockets[0].close()
    with closing(connect_to(url)) as other:
        assert _pid(other) != pid
        pid = _pid(other)
        other.execute("BEGIN")
    with closing(connect_to(url)) as other:
        assert _pid(other) != pid


def test_none_of_another_database_is_kept() -> None:
    with new_database() as url, kept_connections():
        with closing(connect_to(url)) as first:
            pid = _pid(first)
        with closing(connect_to(url)) as second:
            assert _pid(second) != pid
