"""Hidden lines that have no widgets until they are first opened. Most screens are left before."""

from collections.abc import Iterable

from textual.widget import AwaitMount, Widget

from tui_manager.ui.terminal.closable import is_open


class MountedLater(Widget):
    """A widget whose own ones are mounted by `mount_parts`."""

    _mounting: AwaitMount | None = None

    def parts(self) -> Iterable[Widget]:
        """The widgets in it, in their order."""
        raise NotImplementedError

    async def mount_parts(self) -> bool:
        """Returns when the widgets are there. False if this one is being closed."""
        self._mounting = self._mounting or self.mount_all(self.parts())
        await self._mounting
        return is_open(self)
