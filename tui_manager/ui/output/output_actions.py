"""What the keys of a screen do to its output pane: follow, wrap, and save, which has a form in
`save_output.py`. A file of its own, because two screens have such a pane. Which key does it is in
`key_bindings.py`."""

from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.output.output_pane import OutputPane
from tui_manager.ui.output.save_output import SaveOutputScreen


class OutputActions(MainScreen):
    """A screen with one output pane."""

    def action_follow(self) -> None:
        """Stays at the newest line, or stops there."""
        pane = self.query_one(OutputPane)
        pane.follow = not pane.follow

    def action_wrap(self) -> None:
        """Wraps long lines, or cuts them."""
        pane = self.query_one(OutputPane)
        pane.wraps = not pane.wraps

    def action_times(self) -> None:
        """Says when each line was stored, or not."""
        pane = self.query_one(OutputPane)
        pane.times = not pane.times

    async def action_save_output(self) -> None:
        """Asks for a file, and saves the stored output of what is shown."""
        source = self.query_one(OutputPane).source
        if source is None:
            self.notify("There is no output to save.", markup=False)
        else:
            await self.app.push_screen(SaveOutputScreen(self.link, source))
