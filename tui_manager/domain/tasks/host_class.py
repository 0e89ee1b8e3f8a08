"""HostClass: how a host ended in a task, in one word. A TARGET such as `task:62:failed` and a
re-run choose the hosts of a task by it."""

from collections.abc import Iterable
from enum import StrEnum

from tui_manager.domain.status import UNKNOWN_ENDS, CommandHostStatus, Reason


class HostClass(StrEnum):
    """How a host ended in a task. A host whose commands ended in several of these ways is in the
    first of their classes."""

    UNKNOWN = "unknown"  # a command may have run, or may still run
    FAILED = "failed"  # a command failed, timed out, or was canceled after its start
    UNREACHED = "unreached"  # anything else that did not complete
    COMPLETED = "completed"


RERUN_DEFAULT = (HostClass.FAILED, HostClass.UNREACHED)  # of a re-run


def command_host_class(status: CommandHostStatus, reason: Reason, *, began: bool) -> HostClass:
    """The class of a host on which a task ran one command.

    Args:
        began: whether the command started there.
    """
    if status is CommandHostStatus.COMPLETED:
        return HostClass.COMPLETED
    if reason in UNKNOWN_ENDS:
        return HostClass.UNKNOWN
    if status is CommandHostStatus.TIMEOUT:
        return HostClass.FAILED
    if status is CommandHostStatus.FAILED and reason is not Reason.UNDELIVERABLE:
        return HostClass.FAILED
    if status is CommandHostStatus.CANCELED and began:
        return HostClass.FAILED
    return HostClass.UNREACHED


def host_class(classes: Iterable[HostClass]) -> HostClass:
    """The class of a host, from the classes of all commands of the task there, at least one."""
    return min(classes, key=tuple(HostClass).index)


def task_target(task_id: int, classes: Iterable[HostClass]) -> str:
    """The target that names hosts of these classes: `task:62:failed,task:62:unreached`. Each class
    is named once, in the order of the classes."""
    wanted = frozenset(classes)
    return ",".join(f"task:{task_id}:{one}" for one in HostClass if one in wanted)
