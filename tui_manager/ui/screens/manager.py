"""What needs an operator, and how the manager itself is."""

from collections.abc import Iterable

from textual.containers import VerticalScroll
from textual.widget import Widget

from tui_manager.domain.changes import Changes
from tui_manager.ui.actions import Place, place_bindings
from tui_manager.ui.render.manager import attention_lines, figure_lines
from tui_manager.ui.screens.main_screen import MainScreen
from tui_manager.ui.widgets.fact_lines import FactLines


class ManagerScreen(MainScreen):
    """Sentences first, figures below."""

    PLACE = Place.MANAGER
    BINDINGS = place_bindings(Place.MANAGER)

    def body(self) -> Iterable[Widget]:
        attention = VerticalScroll(FactLines(id="attention-lines"), id="attention")
        attention.border_title = "Attention"
        figures = VerticalScroll(FactLines(id="figure-lines"), id="figures")
        figures.border_title = "Manager"
        yield attention
        yield figures

    def take(self, changes: Changes) -> None:
        status = self.link.status
        if status is not None:
            now = self.link.now()
            self.query_one("#attention-lines", FactLines).set_lines(attention_lines(status))
            self.query_one("#figure-lines", FactLines).set_lines(figure_lines(status, now))

    def tick(self) -> None:
        super().tick()
        self.take(Changes(manager=True))
