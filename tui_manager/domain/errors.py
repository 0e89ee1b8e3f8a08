"""What can be wrong with what an operator asked for. Every message is written for the operator."""


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


class RefusedError(ManagerError):
    """A host may not do what it asked for: its identity, name or state stands against it."""


class StorageError(ManagerError):
    """The database cannot be read or written now (locked, full disk, damaged)."""


class UnreachableError(ManagerError):
    """No manager answers on this state directory."""
