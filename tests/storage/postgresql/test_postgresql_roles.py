"""The manager works as a role that owns nothing, with the rights that the schema's head names."""

import os
import re
from collections.abc import Iterator
from importlib.resources import files

import psycopg
import pytest

from tests.support.databases.postgresql import postgresql_database, url_as_superuser
from tests.support.databases.shared_postgresql import MANAGER
from tests.support.managers.manager_parts import stored_hosts
from tui_manager.domain.errors import StorageError
from tui_manager.domain.status import Admission
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.maintenance import pruning
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.manager import audit

_SCHEMA = files("tui_manager.storage") / "sql" / "postgresql" / "0001_start.sql"
_STATEMENT = re.compile(r"--     ((?:GRANT|REVOKE)[^;]*;)")
DAY = 86_400_000_000  # microseconds


def _rights(role: str) -> list[str]:
    """The statements in the head of the schema, for this role."""
    found = _STATEMENT.findall(_SCHEMA.read_text(encoding="utf-8"))
    return [re.sub(r"\n--\s+", " ", each).replace("manager;", f"{role};") for each in found]


@pytest.fixture
def url() -> Iterator[str]:
    """Of a database, for the role that owns nothing."""
    role = f"guest_{os.getpid()}"
    with (
        postgresql_database() as owned,
        psycopg.connect(url_as_superuser(owned), autocommit=True) as superuser,
    ):
        superuser.execute(f"CREATE ROLE {role} LOGIN".encode())
        for right in _rights(role):
            superuser.execute(right.encode())
        try:
            yield owned.replace(f"//{MANAGER}@", f"//{role}@")
        finally:
            superuser.execute(f"DROP OWNED BY {role}".encode())
            superuser.execute(f"DROP ROLE {role}".encode())


def test_the_head_of_the_schema_says_the_rights() -> None:
    assert len(_rights("guest")) == 4


async def test_the_manager_writes(url: str) -> None:
    def work(tx: Transaction) -> list[str]:
        hosts.insert(tx, "h1", "web1", Admission.PENDING, 0)
        hosts.set_offline(tx, [(1, 0)])
        audit.record(tx, 0, "ana", "create_task")
        pruning.make_output_parts(tx, 30_000 * DAY)
        pruning.drop_output_parts(tx, 30_001 * DAY)
        pruning.remove_pruned_output(tx, 30_009 * DAY)
        return [host.name for host in stored_hosts(tx)]

    async with open_database(url) as database:
        assert await database.write(work) == ["web1"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = ''",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
    ],
)
async def test_the_manager_cannot_change_the_audit(url: str, statement: str) -> None:
    async with open_database(url) as database:
        with pytest.raises(StorageError, match=r"denied|owner"):
            await database.write(lambda tx: tx.execute(statement).rowcount)
