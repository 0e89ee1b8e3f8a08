"""The audit as it is read: who did what to which, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act, written in the transaction of the act itself.

    Attributes:
        audit_id: grows.
        actor: `user@terminal` as the client stated it, or "manager".
        action: a word such as "start_task".
        task_id: 0 for an act on no task.
        host_id, host: id and name; empty for an act on no one host.
        detail: what else was worth keeping.
    """

    audit_id: int
    at: datetime
    actor: str
    action: str
    task_id: int
    host_id: str
    host: str
    detail: Mapping[str, str]
