"""An entry of the audit: who did what to which host or task, and when. A file of its own, because
it belongs neither to tasks nor to hosts."""

from collections.abc import Mapping
from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass

AUDIT_KEYS = ("actor", "action", "host", "task")  # of the filter of a list


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act, written in the transaction of the act itself.

    Attributes:
        audit_id: newer entries have higher ids.
        actor: `user@terminal` as the client stated it, or "manager".
        action: a word such as "start_task".
        task_id, task_name: 0 and empty if the act concerns no task. The name is kept also when the
            task is gone.
        host_id, host: id and name; empty if the act does not concern one host.
        detail: further facts of the act.
    """

    audit_id: int
    at: datetime
    actor: str
    action: str
    task_id: int
    host_id: str
    host: str
    detail: Mapping[str, str]
    task_name: str = ""
