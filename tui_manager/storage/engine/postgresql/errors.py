"""What the errors of PostgreSQL mean: to the writer, and to an operator."""

import psycopg
from psycopg import errors

from tui_manager.domain.errors import StorageError

_OF_STATEMENT = (psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.DataError)
_REPEATED = (errors.SerializationFailure, errors.DeadlockDetected)
_WAITED_FOR = (errors.LockNotAvailable,)
_WHAT_TO_DO: tuple[tuple[type[Exception], str], ...] = (
    (errors.DiskFull, "Its disk is full; free some space."),
    (errors.TooManyConnections, "It has no connection left; raise max_connections, or end some."),
    (errors.ReadOnlySqlTransaction, "It takes no writes: it is a standby, or set to read-only."),
    (errors.LockNotAvailable, "Another program holds a lock in it; end that transaction."),
    (errors.QueryCanceled, "A statement took too long, or somebody has ended it."),
    (errors.InsufficientPrivilege, "The role of the manager may not do this; see the manual."),
    (errors.InvalidPassword, "It does not accept the password."),
    (errors.InvalidAuthorizationSpecification, "It does not accept this user."),
    (errors.InvalidCatalogName, "It has no such database; create it first."),
    (errors.AdminShutdown, "It is being shut down."),
    (errors.CannotConnectNow, "It is starting, or shutting down."),
)


def is_storage_failure(error: Exception) -> bool:
    """Whether the state of the database prevented a statement; False: the statement is wrong."""
    if isinstance(error, errors.InsufficientPrivilege):
        return True
    return isinstance(error, psycopg.Error) and not isinstance(error, _OF_STATEMENT)


def is_repeated(error: BaseException) -> bool:
    """Whether the same transaction may succeed at once: it was in the way of another one."""
    return isinstance(error, _REPEATED)


def is_waited_for(error: BaseException) -> bool:
    """Whether the same transaction may succeed soon: another program holds a lock."""
    return isinstance(error, _WAITED_FOR)


def to_storage_error(error: Exception, name: str) -> StorageError:
    """What an error means to an operator.

    Args:
        name: of the database, without a password.
    """
    text = " ".join(str(error).split())
    for kind, what_to_do in _WHAT_TO_DO:
        if isinstance(error, kind):
            return StorageError(f"{name} cannot be used now. {what_to_do} ({text})")
    if isinstance(error, psycopg.OperationalError):
        return StorageError(f"{name} cannot be reached. ({text})")
    return StorageError(f"{name}: {text}")
