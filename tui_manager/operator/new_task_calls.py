"""The part of the operator's API that helps to type a new task; see `api.py`. A file of its own, as
each such subject has one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tui_manager.domain.tasks.command_history import PastCommand


class NewTaskCalls(Protocol):
    """What a form offers while a task is typed."""

    async def list_command_history(self, text: str, limit: int) -> Sequence[PastCommand]:
        """Commands that contain a text, without regard to upper and lower case of A to Z: those of
        the newest 2,000 tasks of one step, each once, the newest first, at most 200. Scripts and
        commands of more than 10,000 characters are left out."""
        ...

    async def complete_target(self, target: str, limit: int) -> Sequence[str]:
        """What the last term of a target can become, at most 1000: groups, keys and values of
        labels and facts, names of admitted hosts. None for a term that is whole."""
        ...
