"""What the database needs of its engine: SQLite or PostgreSQL."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.message_link import MessageLink
from tui_manager.storage.engine.transaction import Transaction, Work

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FailedUnit:
    """The outcome of a unit of work that has failed; nothing of it was kept."""

    error: Exception


class Engine(Protocol):
    """An open database."""

    @property
    def place(self) -> str:
        """Where it is, for the operator; empty: a file in the state folder."""
        ...

    @property
    def folder(self) -> Path | None:
        """The folder whose disk the database fills; None: it is on another machine."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the database and of its log, as last known."""
        ...

    @property
    def log_size(self) -> int:
        """Bytes of its log alone; 0: it has none of its own."""
        ...

    @property
    def problem(self) -> str:
        """Why nothing may be written now, as a sentence for the operator; empty: it may."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other managers may use the database too."""
        ...

    @property
    def gateway(self) -> int:
        """The number of this manager among those of the database; 0: it is the only one."""
        ...

    @property
    def committed(self) -> int:
        """How many transactions this manager has committed, counted by the database; 0: they are
        not counted, because it is the only one."""
        ...

    @property
    def answers(self) -> int:
        """How often the database has committed a transaction of this manager, or has said that
        another transaction is in its way: it can be reached. 0: this manager is the only one."""
        ...

    @property
    def reconnects(self) -> int:
        """How often the connection that writes was lost, and is there again. The database may then
        be another server, which lacks the newest transactions of other managers."""
        ...

    @property
    def epoch(self) -> int | None:
        """The epoch with which this manager believes that it leads the others; None: it does not
        lead."""
        ...

    def lead(self, epoch: int | None) -> None:
        """Sets this epoch; see `transaction.leads`."""
        ...

    async def transact(self, works: Sequence[Work], stopping: Callable[[], bool]) -> list[Any]:
        """Runs units of work in one transaction, and returns once it is durable. If this would last
        long, it runs only the first of them, at least one.

        Args:
            stopping: whether the manager stops; then an obstacle that may pass is not waited for.

        Returns:
            What each of those units returned, or `FailedUnit`.

        Raises:
            StorageError: the database cannot be written now; no unit was kept.
            Exception: no unit was kept; see `to_storage_error`.
        """
        ...

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` on one consistent state of the database.

        Raises:
            StorageError: the database cannot be read now.
        """
        ...

    async def write_aside(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in a transaction of its own that is not in the way of the others; only where
        the database is shared. It may run twice, and does not know who leads.

        Raises:
            StorageError: the database cannot be written now.
        """
        ...

    @property
    def new_message_link(self) -> Callable[[], MessageLink] | None:
        """Makes what carries messages between the managers of this database; None: there is only
        one manager."""
        ...

    def is_storage_failure(self, error: Exception) -> bool:
        """Whether the state of the database prevented a statement; False: the statement is
        wrong."""
        ...

    def to_storage_error(self, error: Exception) -> StorageError:
        """What an error of the engine or of the system means to an operator."""
        ...
