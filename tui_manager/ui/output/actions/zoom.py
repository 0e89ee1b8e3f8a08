"""A pane that takes the whole screen, and goes back."""

from textual import on
from textual.dom import DOMNode
from textual.events import DescendantFocus
from textual.widget import Widget

from tui_manager.ui.action import Pane
from tui_manager.ui.frame.header import HeaderLine
from tui_manager.ui.frame.main_screen import MainScreen

_HIDDEN = "-behind-zoom"


class ZoomActions(MainScreen):
    """A screen of which a pane can take all but the footer."""

    zoomed: Widget | None = None

    def action_zoom(self) -> None:
        """The pane with the focus takes the screen, or gives it back."""
        self._zoom(None if self.zoomed is not None else self._pane_of(self.focused))

    def place_zoomed(self, pane: Widget | None) -> None:
        """For a screen that places its panes itself: shows one alone, or all."""

    def _zoom(self, zoomed: Widget | None) -> None:
        self.zoomed = zoomed
        pane: DOMNode | None = zoomed
        for widget in self.query(f".{_HIDDEN}"):
            widget.remove_class(_HIDDEN)
        self.place_zoomed(zoomed)
        body = self.query_one("#body")
        while isinstance(pane, Widget) and pane is not body:
            parent = pane.parent
            if isinstance(parent, Widget):
                for other in parent.children:
                    other.set_class(other is not pane, _HIDDEN)
            pane = parent
        self.query_one(HeaderLine).set_class(zoomed is not None, _HIDDEN)

    @staticmethod
    def _pane_of(widget: Widget | None) -> Widget | None:
        while widget is not None and not isinstance(getattr(widget, "PANE", None), Pane):
            parent = widget.parent
            widget = parent if isinstance(parent, Widget) else None
        return widget

    @on(DescendantFocus)
    def _zoom_follows(self) -> None:
        """The next pane takes the screen instead."""
        pane = self._pane_of(self.focused)
        if self.zoomed is not None and pane is not None and pane is not self.zoomed:
            self._zoom(pane)

    async def action_back(self) -> None:
        """Gives the screen back first."""
        if self.zoomed is not None:
            self._zoom(None)
        else:
            await super().action_back()
