"""How statements are run on PostgreSQL."""

from tests.support.postgresql import postgresql_database
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables import hosts


def _prepared(tx: Transaction) -> int:
    query = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%removed_at%'"
    count: int = tx.execute(query).fetchone()[0]
    return count


async def test_a_connection_keeps_its_prepared_statements() -> None:
    with postgresql_database() as url:
        async with open_database(url) as database:
            for _ in range(5):
                await database.read(hosts.all_hosts)
                await database.write(hosts.all_hosts)
            assert await database.read(_prepared) == 1
            assert await database.write(_prepared) == 1
