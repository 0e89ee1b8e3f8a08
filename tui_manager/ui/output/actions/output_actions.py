"""What the keys of a screen do to its output pane: follow, wrap, times, pager, and save, which has
a form in `save_output.py`. A file of its own, because several screens have such a pane. Searches
are in `search_actions.py`. Which key does it is in `action_table.py`."""

from textual.widgets import Input

from tui_manager.ui.action_table import BY_ID
from tui_manager.ui.output.actions.pager import pager, text_file
from tui_manager.ui.output.actions.save_output import SaveOutputScreen
from tui_manager.ui.output.actions.search_actions import SearchActions
from tui_manager.ui.output.actions.zoom import ZoomActions
from tui_manager.ui.output.output_pane import OutputPane, Source
from tui_manager.ui.terminal.closable import while_open
from tui_manager.ui.terminal.run_program import ProgramError, run_program


class OutputActions(ZoomActions, SearchActions):
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

    def action_pager(self) -> None:
        """Shows all stored output of what is shown in the operator's pager."""
        source = self.query_one(OutputPane).source
        if source is None:
            self.notify("There is no output to show.", markup=False)
        else:
            self._page(source)

    @while_open("pager", exclusive=True)
    async def _page(self, source: Source) -> None:
        pane = self.query_one(OutputPane)
        save_key = self.link.keys.shown(BY_ID["save_output"])
        try:
            words = pager()
            pane.say_read_for_pager(0)
            async with text_file(
                self.link.operator, source, pane.say_read_for_pager, save_key
            ) as path:
                if self.is_active and not isinstance(self.focused, Input):
                    run_program(self.app, [*words, str(path)])
                else:
                    self.notify("The pager was not opened over what you do now.", markup=False)
        except (ProgramError, OSError) as error:
            self.notify(str(error), severity="error", markup=False)
        finally:
            pane.say_read_for_pager(None)

    async def action_back(self) -> None:
        """Ends the reading for the pager first."""
        if self.query_one(OutputPane).pager_state:
            self.workers.cancel_group(self, "pager")
        else:
            await super().action_back()

    async def action_save_output(self) -> None:
        """Asks for a file, and saves the stored output of what is shown."""
        source = self.query_one(OutputPane).source
        if source is None:
            self.notify("There is no output to save.", markup=False)
        else:
            await self.app.push_screen(SaveOutputScreen(self.link, source))
