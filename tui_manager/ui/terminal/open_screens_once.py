"""An app that opens no screen twice, however often and fast its key is pressed.

An action that asks the manager first opens its form late. By then the same key, pressed again, may
have opened that form already.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from textual.actions import ActionParseResult
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import AwaitMount

from tui_manager.ui.terminal.clean_exit_app import CleanExitApp
from tui_manager.ui.terminal.closable import ClosableScreen, is_open


class OpenScreensOnceApp(CleanExitApp, inherit_bindings=False):
    """Opens each screen once."""

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Does nothing for a screen that has no widgets yet, or none any more."""
        if isinstance(default_namespace, ClosableScreen) and not is_open(default_namespace):
            return False
        return await super().run_action(action, default_namespace, namespaces)

    def push_screen(  # type: ignore[override]
        self,
        screen: Screen[Any],
        callback: Any = None,
        wait_for_dismiss: bool = False,
        *,
        mode: str | None = None,
    ) -> Any:
        """Opens a screen, unless the same one is open already. Who waits for the result of one that
        is not opened gets None, as if the operator had left it at once."""
        twin = self._find_twin(screen)
        if twin is None:
            opened: Any = super().push_screen(screen, callback, wait_for_dismiss, mode=mode)  # type: ignore[call-overload]
            return opened
        if not wait_for_dismiss:
            return AwaitMount(twin, [])
        left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        left.set_result(None)
        return left

    def _find_twin(self, screen: Screen[Any]) -> Screen[Any] | None:
        """The open screen that shows the same: the one in front, or a dialog or form below it."""
        for opened in reversed(self.screen_stack):
            if type(opened) is type(screen) and _subject(opened) == _subject(screen):
                return opened
            if not opened.is_modal:
                break
        return None


def _subject(screen: Screen[Any]) -> object:
    return screen.subject if isinstance(screen, ClosableScreen) else None
