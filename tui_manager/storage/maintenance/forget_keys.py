"""Lets the managers on a PostgreSQL database have other keys, after the old ones have leaked or are
lost. A file of its own, because no running manager does this."""

from datetime import UTC, datetime

from tui_manager.domain.errors import InvalidInputError
from tui_manager.storage.engine.database_url import client_needed
from tui_manager.storage.engine.statements import from_datetime
from tui_manager.storage.tables.manager import audit, manager_keys, manager_state


def forget_keys(url: str, actor: str) -> str:
    """Removes the fingerprints of the keys from the database at `url`, which no manager may be
    using. Returns the name of the database.

    Args:
        actor: for the audit, `user@terminal`.

    Raises:
        AlreadyRunningError: a manager uses the database.
        InvalidInputError: it has no manager; or `url` cannot be read, or the client is not
            installed.
        StorageError: it cannot be read or written. Nothing was changed.
    """
    with client_needed():
        from tui_manager.storage.engine.postgresql.bulk_load import bulk_load
    with bulk_load(url) as database:
        database.begin()
        if not manager_state.known_manager_id(database.tx):
            raise InvalidInputError("database", f"The {database.name} has no manager yet.")
        manager_keys.forget(database.tx)
        audit.record(database.tx, from_datetime(datetime.now(UTC)), actor, "forget_keys")
        database.commit()
        return database.name
