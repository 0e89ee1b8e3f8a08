"""Scrolling without animation, for the panes that also scroll by themselves."""

from typing import Any

from textual._types import CallbackType
from textual.scroll_view import ScrollView


class InstantScroll(ScrollView):
    """Takes each position at once: keys, wheel, scrollbar and code never wait for one another.

    Textual's animator fails when the watcher of a position that it sets scrolls itself, as a pane
    does that follows its newest line. An animation that runs would also overwrite what was
    scrolled to meanwhile.
    """

    def animate(
        self,
        attribute: str,
        value: Any,
        *,
        on_complete: CallbackType | None = None,
        **options: Any,
    ) -> None:
        """Sets a scroll position; animates any other attribute."""
        if attribute not in ("scroll_x", "scroll_y"):
            super().animate(attribute, value, on_complete=on_complete, **options)
            return
        setattr(self, attribute, value)
        if on_complete is not None:
            self.app.call_later(on_complete)

    def scroll_end(self, **options: Any) -> None:
        """Scrolls to the end as it is now, not after the next paint."""
        super().scroll_end(**{**options, "immediate": True})
