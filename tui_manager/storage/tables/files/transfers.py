"""The table `transfers`: what copies and fetches did; and what an execution copies or fetches."""

from collections.abc import Iterable
from typing import NamedTuple

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.task_spec.copy_and_fetch import (
    CopySpec,
    FetchSpec,
    FileSet,
    Transfer,
    UpdateSpec,
)
from tui_manager.storage.engine.statements import load_queries, pack_rows, pack_values
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.tasks import transfer_step_columns

_SQL = load_queries("transfers.sql")


class NewTransfer(NamedTuple):
    """What a command host did, by its row id."""

    command_host: int
    transfer: Transfer


def insert(tx: Transaction, transfers: Iterable[NewTransfer]) -> frozenset[str]:
    """Stores what command hosts did. A command that copies and fetches nothing is left out.

    Returns:
        The executions that say that they have brought a set that the manager does not have, or that
        has other sizes. They are stored without it.
    """
    rows = pack_rows(
        (
            row_id,
            transfer.bytes,
            transfer.files,
            transfer.unchanged_files,
            transfer.received_bytes,
            transfer.sha256,
            transfer.stored and transfer.stored.sha256,
        )
        for row_id, transfer in transfers
    )
    wrong = tx.execute(_SQL["not_brought"], {"rows": rows})
    not_brought = frozenset(row["execution_id"] for row in wrong)
    tx.execute(_SQL["insert"], {"rows": rows})
    return not_brought


def of_command_hosts(tx: Transaction, row_ids: Iterable[int]) -> dict[int, Transfer]:
    """What these command hosts did, by their row ids; those that have done nothing are left out. A
    set that has been removed is left out too."""
    rows = tx.execute(_SQL["of_command_hosts"], {"ids": pack_values(row_ids)})
    return {row["command_host"]: _transfer_of(row) for row in rows}


def _transfer_of(row: Row) -> Transfer:
    return Transfer(
        bytes=row["bytes"],
        files=row["files"],
        unchanged_files=row["unchanged_files"],
        received_bytes=row["received_bytes"],
        sha256=row["sha256"],
        stored=None if row["size"] is None else _stored_of(row),
    )


def _stored_of(row: Row) -> FileSet:
    return FileSet(
        row["stored_sha256"],
        row["manifest_size"],
        row["size"],
        row["stored_files"],
        row["stored_bytes"],
    )


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """What an execution copies, fetches or installs.

    Attributes:
        host: the row id of its host.
        sent: it was sent to its host.
        canceled: an operator has asked for its end.
        copy, fetch, update: one of them; all None: it runs a command.
    """

    host: int
    task_id: int
    status: CommandHostStatus
    sent: bool
    canceled: bool
    copy: CopySpec | None
    fetch: FetchSpec | None
    update: UpdateSpec | None


def of_execution(tx: Transaction, execution_id: str) -> TransferOrder | None:
    """What an execution copies, fetches or installs; None: it is not known."""
    row = tx.execute(_SQL["of_execution"], {"execution_id": execution_id}).fetchone()
    if row is None:
        return None
    return TransferOrder(
        host=row["host"],
        task_id=row["task_id"],
        status=CommandHostStatus(row["status"]),
        sent=row["sent_at"] is not None,
        canceled=row["cancel_requested_at"] is not None,
        copy=transfer_step_columns.copy_of(row["copy_step"]),
        fetch=transfer_step_columns.fetch_of(row["fetch_step"]),
        update=transfer_step_columns.update_of(row["update_step"]),
    )
