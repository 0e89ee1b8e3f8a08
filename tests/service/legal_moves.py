"""From which status which other can be reached: by one operation, or by several."""

from tui_manager.domain.status import CommandHostStatus, TaskStatus
from tui_manager.domain.tasks.transitions import TASK_TRANSITIONS, TRANSITIONS

_MOVES = {(source[0], move.status) for (_, source), move in TRANSITIONS.items()} | {
    (status, status) for status in CommandHostStatus
}
_STEPS = {
    (source, target) for (_, source), targets in TASK_TRANSITIONS.items() for target in targets
} | {(status, status) for status in TaskStatus}


def _reach(steps: set[tuple[object, object]]) -> set[tuple[object, object]]:
    """The pairs that some number of steps connects: one operation may make more than one."""
    found = set(steps)
    while more := {(a, d) for a, b in found for c, d in steps if b == c} - found:
        found |= more
    return found


LEGAL, LEGAL_TASK = _reach(set(_MOVES)), _reach(set(_STEPS))
