"""Where the panes of the dashboard are, in terminals of any size. The arithmetic is pure."""

from collections.abc import Mapping
from enum import Enum

from textual.geometry import NULL_OFFSET, Region, Size, Spacing
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from tui_manager.ui.drawing.alike_lines import PlainContainer

NOW, TABS, RECENT, HOSTS, OUTPUT = "now", "tabs", "recent", "hosts", "output"
IN_TABS = (RECENT, HOSTS, OUTPUT)  # one of these is seen if there are tabs
_NOW_LEAST = 4  # lines: a frame, the titles of the columns, one task


class Shape(Enum):
    """How the panes share a terminal."""

    ONE = "one pane at a time, with tabs"
    TWO = "two lists side by side, and the output below"
    THREE = "three columns"


def shape_of(width: int) -> Shape:
    """How the panes share a terminal of so many columns."""
    if width < 100:
        return Shape.ONE
    return Shape.TWO if width < 190 else Shape.THREE


def pane_regions(size: Size, now_lines: int, front: str) -> Mapping[str, Region]:
    """Where each pane that is seen is.

    Args:
        now_lines: what the pane of running tasks needs; 0: it is hidden. It gets a third of the
            height at most.
        front: the pane that is seen if there are tabs.
    """
    width, height = size
    now = min(now_lines, max(_NOW_LEAST, height // 3)) if now_lines else 0
    shape = shape_of(width)
    if shape is Shape.THREE:
        left = right = width * 34 // 100
        middle = width - left - right
        return {
            NOW: Region(0, 0, left, now),
            RECENT: Region(0, now, left, height - now),
            OUTPUT: Region(left, 0, middle, height),
            HOSTS: Region(left + middle, 0, right, height),
        }
    top = {NOW: Region(0, 0, width, now)}
    if shape is Shape.ONE:
        return {
            **top,
            TABS: Region(0, now, width, 1),
            front: Region(0, now + 1, width, max(0, height - now - 1)),
        }
    lists, half = (height - now + 1) // 2, width // 2
    return {
        **top,
        RECENT: Region(0, now, half, lists),
        HOSTS: Region(half, now, width - half, lists),
        OUTPUT: Region(0, now + lists, width, height - now - lists),
    }


class _PanesLayout(Layout):
    """Puts each pane where `pane_regions` says."""

    name = "dashboard-panes"

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        """The places of the panes that are displayed."""
        assert isinstance(parent, DashboardPanes)
        regions = pane_regions(size, parent.now_lines, parent.front)
        if parent.zoomed is not None:
            regions = {parent.zoomed.id or "": Region(0, 0, *size)}
        return [
            WidgetPlacement(regions[child.id or ""], NULL_OFFSET, Spacing(), child)
            for child in children
            if child.id in regions
        ]


class DashboardPanes(PlainContainer):
    """The panes: widgets with the ids of this file."""

    def __init__(self, *panes: Widget) -> None:
        super().__init__(*panes, id="panes")
        self._panes_layout = _PanesLayout()
        self.now_lines = 0
        self.front = RECENT
        self._shape: Shape | None = None  # of the panes that are shown
        self.zoomed: Widget | None = None  # the pane that is shown alone

    def zoom(self, pane: Widget | None) -> None:
        """Shows one pane alone, or all again."""
        if pane is not self.zoomed:
            self.zoomed = pane
            for child in self.children:  # Textual forgets the places when a child asks for another
                child.refresh(layout=True)

    @property
    def layout(self) -> Layout:
        """The layout of this file."""
        return self._panes_layout

    def lay_out(self, *, now_lines: int, front: str) -> None:
        """Shows and hides panes: the pane of running tasks if it has any, the one in front if there
        are tabs."""
        shape = shape_of(self.app.size.width)
        if (now_lines, front, shape) == (self.now_lines, self.front, self._shape):
            return
        self.now_lines, self.front, self._shape = now_lines, front, shape
        tabs = shape is Shape.ONE
        for pane in self.children:
            if pane.id == NOW:
                pane.display = bool(now_lines)
            elif pane.id == TABS:
                pane.display = tabs
            else:
                pane.display = not tabs or pane.id == front
        self.refresh(layout=True)
