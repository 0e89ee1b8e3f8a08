"""What the errors of PostgreSQL mean: to the writer, and to an operator.

An error while connecting has no code, only a text, so that is looked at too.
"""

import re

import psycopg
from psycopg import errors

from tui_manager.domain.errors import StorageError

_OF_STATEMENT = (
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    psycopg.DataError,
    errors.ProgramLimitExceeded,
)
# The manager's own statements are right: its role was changed, or the tables are gone, for example
# while a dump is restored.
_OF_SCHEMA = (
    errors.InsufficientPrivilege,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.InvalidSchemaName,
    errors.InvalidSqlStatementName,
)
_REPEATED = (errors.SerializationFailure, errors.DeadlockDetected)
# Classes of codes after which no other unit can succeed either: transaction rollback, insufficient
# resources, operator intervention, system error, internal error; a lock, and a read-only server.
_OF_SERVER = ("40", "53", "57", "58", "XX", "55P03", "25006")
_OF_ONE_STATEMENT = (errors.QueryCanceled,)
_WHAT_TO_DO: tuple[tuple[type[Exception] | None, str, str], ...] = (
    (errors.DiskFull, "", "Its disk is full; free some space."),
    (
        errors.TooManyConnections,
        "too many clients|remaining connection slots|too many connections",
        "It has no connection left; raise max_connections, or end some.",
    ),
    (
        errors.ReadOnlySqlTransaction,
        "session is read-only|server is in hot standby mode",
        "It takes no writes: it is a standby, or set to read-only.",
    ),
    (errors.LockNotAvailable, "", "It is locked by another program; end that transaction."),
    (errors.QueryCanceled, "", "A statement took too long, or somebody has ended it."),
    (
        errors.InsufficientPrivilege,
        "permission denied for database",
        "The user of the manager may not do this; see the manual.",
    ),
    (errors.UndefinedTable, "", "It lacks a table of the manager, as while a dump is restored."),
    (None, "no password supplied", "It asks for a password, and none was given."),
    (errors.InvalidPassword, "password authentication failed", "It does not accept the password."),
    (
        errors.InvalidAuthorizationSpecification,
        r"no pg_hba\.conf entry|role .* (does not exist|is not permitted)|authentication failed",
        "It does not accept this user from this machine; see its pg_hba.conf.",
    ),
    (
        errors.InvalidCatalogName,
        "database .* does not exist",
        "It has no such database; create it first.",
    ),
    (
        None,
        r"certificate verify failed|server certificate for|server name could not|"
        "root certificate file",
        "Its certificate is not the expected one; see sslmode and sslrootcert.",
    ),
    (None, "does not support SSL", "It does not speak TLS, which sslmode asks for."),
    (errors.AdminShutdown, "", "It is being shut down, or somebody has ended the connection."),
    (
        errors.CannotConnectNow,
        "the database system is|server is starting",
        "It is starting, or shutting down.",
    ),
)


def is_storage_failure(error: Exception) -> bool:
    """Whether the state of the database prevented a statement; False: the statement is wrong."""
    if isinstance(error, _OF_SCHEMA):
        return True
    return isinstance(error, psycopg.Error) and not isinstance(error, _OF_STATEMENT)


def is_of_server(error: Exception) -> bool:
    """Whether the whole transaction has failed, not only the unit of work that met the error."""
    if not isinstance(error, psycopg.Error) or isinstance(error, _OF_ONE_STATEMENT):
        return False
    if error.sqlstate is None:  # the client's own: the connection is lost
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_OF_SERVER)


def is_repeated(error: BaseException) -> bool:
    """Whether the same transaction may succeed at once: it was in the way of another one."""
    return isinstance(error, _REPEATED)


def is_duplicate(error: BaseException) -> bool:
    """Whether another row has a value that must be unique."""
    return isinstance(error, errors.UniqueViolation)


def is_waited_for(error: BaseException) -> bool:
    """Whether the same transaction may succeed soon: another program holds a lock."""
    return isinstance(error, errors.LockNotAvailable)


def to_storage_error(error: Exception, name: str) -> StorageError:
    """What an error means to an operator.

    Args:
        name: of the database, without a password.
    """
    text = " ".join(str(error).split())
    what_to_do = _what_to_do(error, text)
    if what_to_do:
        return StorageError(f"The {name} cannot be used now. {what_to_do} ({text})")
    if isinstance(error, psycopg.OperationalError):
        return StorageError(f"The {name} cannot be reached. ({text})")
    return StorageError(f"The {name} has failed. ({text})")


def _what_to_do(error: Exception, text: str) -> str:
    while_connecting = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    for kind, words, what_to_do in _WHAT_TO_DO:
        if kind and isinstance(error, kind):
            return what_to_do
        if while_connecting and words and re.search(words, text):
            return what_to_do
    return ""
