"""What can be wrong with what an operator asked for. Every message is written for the operator."""

from enum import StrEnum


class ManagerError(Exception):
    """The root of all errors that an operator may read."""


class InvalidInputError(ManagerError):
    """A value is out of bounds; `field` names the input that holds it ("target", "timeout"…)."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotFoundError(ManagerError):
    """There is no such task, host or command."""


class IllegalMoveError(ManagerError):
    """The status that something has does not allow the operation; nothing was changed."""


class Refusal(StrEnum):
    """Why an agent is turned away."""

    WRONG_MANAGER = "wrong_manager"
    DUPLICATE_IDENTITY = "duplicate_identity"
    NAME_TAKEN = "name_taken"
    INVALID_HELLO = "invalid_hello"
    REJECTED = "rejected"
    REVOKED = "revoked"
    PROTOCOL_VERSION = "protocol_version"
    PROTOCOL_ERROR = "protocol_error"
    BAD_TOKEN = "bad_token"
    OVERLOADED = "overloaded"
    REPLACED = "replaced"


class RefusedError(ManagerError):
    """An agent is turned away; the message is written for the host's owner."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


class StorageError(ManagerError):
    """The database cannot be read or written now (locked, full disk, damaged)."""


class WrongCountersError(ManagerError):
    """What is stored of a rollout contradicts itself: a damaged or changed database."""


class UnreachableError(ManagerError):
    """No manager answers on this state directory."""


class NoAnswerError(UnreachableError):
    """The manager has not answered in time; it may still do what was asked."""


class AlreadyRunningError(ManagerError):
    """Another manager holds this state directory."""


class CannotStartError(ManagerError):
    """No manager has started, because the state folder, the database or the log cannot be used."""


class AgentUnavailableError(ManagerError):
    """The host has no session that could take the command; it never left the manager."""


class ScreenFailedError(ManagerError):
    """The screen failed several times within a short time, and is not built again."""
