"""What the keys of an output pane do, on every screen that has one."""

from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.output.output_pane import OutputPane
from tui_manager.ui.output.save_output import SaveOutputScreen


class OutputKeys(MainScreen):
    """A screen with one output pane."""

    def action_follow(self) -> None:
        """Stays at the newest line, or stops there."""
        pane = self.query_one(OutputPane)
        pane.follow = not pane.follow

    def action_wrap(self) -> None:
        """Breaks long lines, or cuts them."""
        pane = self.query_one(OutputPane)
        pane.wraps = not pane.wraps

    async def action_save_output(self) -> None:
        """Asks for a file and writes what is stored of the shown source."""
        source = self.query_one(OutputPane).source
        if source is None:
            self.notify("There is no output to save.", markup=False)
        else:
            await self.app.push_screen(SaveOutputScreen(self.link, source))
