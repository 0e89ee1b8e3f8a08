"""How an install or a removal ended on each host, and errors that end it there."""

from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass


class Status(StrEnum):
    """How it ended on a host. The words are in the JSON that is printed."""

    INSTALLED = "installed"
    UPDATED = "updated"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    WOULD_INSTALL = "would_install"
    WOULD_UPDATE = "would_update"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_good(self) -> bool:
        """Whether the host is as it was asked for, or would be."""
        return self not in (Status.FAILED, Status.INTERRUPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it ended on one host.

    Attributes:
        host: as it was typed.
        detail: a sentence or a part of one; may be the words of the host.
        name, host_id: at the manager; empty: not known.
        version, build: of the agent there; empty: not known.
    """

    host: str
    status: Status
    detail: str = ""
    name: str = ""
    host_id: str = ""
    version: str = ""
    build: str = ""


class HostProblemError(Exception):
    """Nothing more can be done on this host; the text is a sentence for the operator."""


class LostConnectionError(HostProblemError):
    """ssh has ended before the host had answered."""
