"""A known host that says something else of itself than before; inside a transaction."""

from tui_manager.domain.status import Admission
from tui_manager.service.enrollment import host_notes
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.tables import admissions, audit
from tui_manager.storage.tables.hosts import HostRow


def note_changes(tx: Transaction, known: HostRow, name: str, machine_id: str, now: int) -> bool:
    """Writes another name or another machine of a host into the audit, and puts an enrolled one
    back to pending: what was approved was something else.

    Args:
        name, machine_id: as the agent gives them now; the row still holds the former.
        now: microseconds since 1970 UTC.

    Returns:
        Whether it waits to be approved anew.
    """
    changes = host_notes.of_changes(known, name, machine_id)
    if not changes:
        return False
    put_back = known.key_hash is not None
    if put_back:
        others = host_notes.of_others(tx, known.host_id, name, machine_id)
        note = host_notes.joined(known.note, host_notes.joined(changes, others))
        admissions.put_back(tx, known.host_id, note)
        if note == known.note and known.admission is Admission.PENDING:
            return True  # whoever waits may change as often as it likes, and fills no audit with it
    told = {"admission": "pending"} if put_back else {}
    for action, before, after in (
        ("rename_host", known.name, name),
        ("move_host", known.machine_id, machine_id),
    ):
        if before != after and (action == "rename_host" or host_notes.moved(known, machine_id)):
            audit.record(
                tx,
                now,
                f"host {known.name}",
                action,
                host_id=known.host_id,
                host=name,
                before=before,
                after=after,
                more=told,
            )
    return put_back
