"""What a form offers while an operator types a task. Nothing here changes anything. A file of its
own, because the rest of the package changes tasks or reads them."""

from collections.abc import Sequence

from tui_manager.domain.targets.target_completion import completions
from tui_manager.domain.tasks.command_history import PastCommand
from tui_manager.service.core.core import Core
from tui_manager.storage.views.command_history import newest_commands


class InputSuggestions:
    """Past commands from the database, and the terms of a target from memory."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def command_history(self, text: str, limit: int) -> Sequence[PastCommand]:
        """Commands that contain a text, the newest first."""
        return await self._core.database.read(lambda tx: newest_commands(tx, text, limit))

    def complete_target(self, target: str, limit: int) -> Sequence[str]:
        """What the last term of a target can become."""
        hosts, groups = self._core.directory.sorted.targets(), self._core.limits.groups
        return completions(target, hosts, groups, limit)
