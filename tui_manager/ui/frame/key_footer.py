"""The footer: the keys that are of use in the pane with the focus. It also says where a key works
that does nothing on this screen."""

from collections.abc import Sequence

from textual import events
from textual.strip import Strip
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.ui.action import Action, KeyMap, ScreenName, key_text
from tui_manager.ui.action_table import ACTIONS, BY_ID
from tui_manager.ui.drawing.span_widgets import SpanWidget
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit, width_of

_ALWAYS = ("help", "back")  # the actions that have room however narrow the screen is
# The actions that show a screen.
SHOWS = {
    ScreenName.DASHBOARD: "show_dashboard",
    ScreenName.HOSTS: "show_hosts",
    ScreenName.TASKS: "show_tasks",
    ScreenName.MANAGER: "show_manager",
    ScreenName.SCHEDULES: "show_schedules",
}


@dataclass(frozen=True, slots=True)
class FooterKey:
    """A key with what it would do now.

    Attributes:
        action_id: of the action in the table.
        key: as Textual names it.
        shown: the key as people read it.
        label: what it would do.
    """

    action_id: str
    key: str
    shown: str
    label: str

    @property
    def spans(self) -> Spans:
        """The key and its label."""
        return (Span(self.shown, Role.ACTIVE), Span(f" {self.label}"))


def fitting_keys(keys: Sequence[FooterKey], width: int) -> tuple[Sequence[FooterKey], int]:
    """The keys that fit a line of `width` cells, and the number of cells between two of them. The
    last ones are left out first, but never the help, and the way back where there is one."""
    kept = list(keys)
    while True:
        for gap in (3, 2):
            if 1 + sum(width_of(key.spans) + gap for key in kept) - gap <= width:
                return kept, gap
        last = next((key for key in reversed(kept) if key.action_id not in _ALWAYS), None)
        if last is None:
            return kept, gap
        kept.remove(last)


def footer_line(keys: Sequence[FooterKey], width: int) -> Spans:
    """The line of the footer."""
    kept, gap = fitting_keys(keys, width)
    line: list[Span] = [Span(" ")]
    for number, key in enumerate(kept):
        line += [Span(" " * gap if number else ""), *key.spans]
    return fit(tuple(line), width)


def key_at(keys: Sequence[FooterKey], width: int, x: int) -> FooterKey | None:
    """The key whose words are in the column `x` of the footer."""
    kept, gap = fitting_keys(keys, width)
    left = 1
    for key in kept:
        right = left + width_of(key.spans)
        if left <= x < right:
            return key
        left = right + gap
    return None


def use_elsewhere(key: str, screen: ScreenName, keys: KeyMap) -> str:
    """What a key that does nothing on a screen does elsewhere. Empty if it does nothing at all."""
    found = [
        action
        for action in ACTIONS
        if key in keys.keys_of(action) and (screen not in action.screens or action.pane_only)
    ]
    said = [f"{action.label} in {_places(action, screen, keys)}" for action in found]
    return f"{key_text(key)} works elsewhere: {', '.join(said)}." if said else ""


def _places(action: Action, screen: ScreenName, keys: KeyMap) -> str:
    if screen in action.screens:
        return f"the pane {_joined(sorted(action.panes))}"
    return _joined([_place(place, keys) for place in ScreenName if place in action.screens])


def _place(screen: ScreenName, keys: KeyMap) -> str:
    if (shows := SHOWS.get(screen)) is None:
        return f"the screen of a {screen}"
    action = BY_ID[shows]
    return f"{action.label} ({keys.first_shown(action)})"


def _joined(places: Sequence[str]) -> str:
    *others, last = places
    return f"{', '.join(others)} or {last}" if others else last


class KeyFooter(SpanWidget):
    """One line. A click on a key presses it."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: Sequence[FooterKey] = ()

    def show_keys(self, keys: Sequence[FooterKey]) -> None:
        """Shows other keys; the same ones are not drawn again."""
        if keys != self.keys:
            self.keys = keys
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The one line."""
        width, base = self.size.width, self.base_style
        return self.strip(self.paint(footer_line(self.keys, width), base), width, base)

    def on_click(self, event: events.Click) -> None:
        """Presses the key that was clicked."""
        if (key := key_at(self.keys, self.size.width, event.x)) is not None:
            self.app.simulate_key(key.key)
