"""The header: the fleet, what runs and failed, what needs attention, the time; then the notice. The
manager makes the sentences on what needs attention, in `operator/inprocess/alerts.py`."""

import re
from collections.abc import Sequence
from datetime import datetime

from rich.cells import cell_len
from textual import events
from textual.strip import Strip
from textual.widgets import Static

from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.domain.text.number_format import count_of, short_duration
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.span_widgets import SpanWidget
from tui_manager.ui.drawing.spans import Role, Span, Spans, justify, shorten, width_of
from tui_manager.ui.drawing.state_words_and_colours import OFFLINE, WAITING
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.manager_link import Link

_SLOW_COMMIT = 0.25  # seconds
_SLOW_LOOP = 0.25  # seconds
_ATTENTION_LEAST = 22  # cells that are left to a sentence before other parts are left out
_GAP = "   "  # between two parts


def header_line(
    status: ManagerStatus | None,
    trouble: str,
    now: datetime,
    width: int,
    away_since: datetime | None = None,
    place: str = "",
    attention_key: str = "4",
) -> Spans:
    """One line of `width` cells. The least important part is left out first.

    Args:
        status: None before the manager has answered.
        trouble: why the manager cannot be reached; empty if it can.
        away_since: when it was lost.
        place: who works where, `ops@m1`.
        attention_key: the key that shows all alerts.
    """
    clock = Span(f"{now:%H:%M} ", Role.MUTED)
    name = Span(f" {safe_line(place) or 'tui-manager'}", Role.STRONG)
    if trouble:
        since = f"away since {away_since:%H:%M:%S}: " if away_since else ""
        return justify((name, Span(f"  ✘ manager {since}{trouble}", Role.FAULT)), (clock,), width)
    if status is None:
        return justify((name, Span("  connecting…", Role.MUTED)), (clock,), width)
    return _fit_parts(status, _parts(status, name), clock, width, attention_key)


def _parts(status: ManagerStatus, name: Span) -> list[tuple[int, Spans]]:
    """The parts of the line before the attention. The highest number is left out first, 0 never."""
    return [
        (4, (name,)),
        (0, (Span("INSECURE", Role.FAULT),) if status.security == "insecure" else ()),
        (0, _storage(status)),
        (0, _hosts(status)),
        (0, _pending(status.hosts_pending)),
        (2, _running(status.tasks_running)),
        (1, _failed(status.tasks_failed_today)),
        (3, _slow(status)),
    ]


def _attention(status: ManagerStatus, room: int, key: str) -> Spans:
    """The alerts. If nothing can be stored, another part has said it, and the first alert says
    why."""
    if not status.health.storage_error:
        return attention_spans(status.attention, room, key)
    others = status.attention[1:]
    return attention_spans(others, room, key) if others else ()


def _fit_parts(
    status: ManagerStatus, parts: list[tuple[int, Spans]], clock: Span, width: int, key: str
) -> Spans:
    """Leaves out the part with the highest number until there is room for the attention."""
    kept = [part for part in parts if part[1]]
    while True:
        left: list[Span] = []
        for _, group in kept:
            left += [Span(_GAP if left else ""), *group]
        if kept[0][0] != 4:
            left.insert(0, Span(" "))
        room = width - width_of(left) - width_of((clock,)) - len(_GAP) - 2
        shown = _attention(status, room, key)
        optional = max(kept, key=lambda part: part[0])
        needed = min(width_of(_attention(status, width, key)), _ATTENTION_LEAST)
        if room >= needed or optional[0] == 0:
            return justify([*left, Span(_GAP), *shown], (clock,), width)
        kept.remove(optional)


def attention_spans(attention: Sequence[Alert], room: int, key: str) -> Spans:
    """The most urgent sentence in its first words, how many more there are, and the key that
    shows them: at most `room` cells. Without room for words, only how many there are. The operator
    reads "alerts"."""
    if not attention:
        return (Span("no alerts", Role.MUTED),)
    others = f"  +{len(attention) - 1:,} more" if len(attention) > 1 else ""
    whole = _first_words(attention[0].text)
    for more in (f"{others}: {key}" if others else "", others):
        if room >= min(cell_len(whole), _ATTENTION_LEAST // 2) + len(more):
            shown = Span(shorten(whole, room - len(more)), Role.FAULT)
            return (shown, Span(more, Role.MUTED)) if more else (shown,)
    return (Span(f"▲ {count_of(len(attention), 'alert')}", Role.FAULT),)


def _first_words(sentence: str) -> str:
    """The first words of a sentence. That one host is offline, or that a manager is not heard, is
    said shortly, so that it fits."""
    if offline := _ONE_OFFLINE.fullmatch(sentence):
        name, duration, unit = offline.groups(default="")
        return safe_line(f"{OFFLINE.text} {name} offline {duration}{unit}".rstrip())
    if not_heard := _NOT_HEARD.match(sentence):
        name, duration, unit = not_heard.groups(default="")
        return safe_line(f"▲ manager {name} not heard {duration}{unit}".rstrip())
    return f"▲ {safe_line(_ENDS.split(sentence, maxsplit=1)[0])}"


_ONE_OFFLINE = re.compile(r"(\S+) is offline(?: for (\d+) (\w+))?\.")
_NOT_HEARD = re.compile(r"Manager (\S+)(?: \(\S+\))? was not heard(?: for (\d+) (\w+))?: ")
_ENDS = re.compile(r"[.:;] |\.$")  # of the first words of a sentence


def _storage(status: ManagerStatus) -> Spans:
    if not status.health.storage_error:
        return ()
    return (Span("✘ results cannot be stored", Role.FAULT),)


def _hosts(status: ManagerStatus) -> Spans:
    online = f"{status.hosts_online:,}/{status.hosts_total:,} hosts"
    if not status.hosts_offline:
        return (Span(online),)
    return (Span(f"{online} "), Span(f"{OFFLINE.text}{status.hosts_offline:,}", OFFLINE.role))


def _pending(number: int) -> Spans:
    return (Span(f"{WAITING.text} {number:,} pending", WAITING.role),) if number else ()


def _running(number: int) -> Spans:
    return (Span(f"▶ {number:,} running", Role.ACTIVE if number else Role.MUTED),)


def _failed(number: int) -> Spans:
    return (Span(f"✘ {number:,} failed today", Role.FAULT),) if number else ()


def _slow(status: ManagerStatus) -> Spans:
    """What is slow, only when it is."""
    health = status.health
    if health.commit_seconds > _SLOW_COMMIT:
        return (Span(f"database slow: {short_duration(health.commit_seconds)}", Role.CAUTION),)
    if health.loop_lag_seconds > _SLOW_LOOP:
        return (Span(f"manager slow: {short_duration(health.loop_lag_seconds)}", Role.CAUTION),)
    return ()


def screen_of(line: Spans, x: int) -> str:
    """The action that shows more of what the line says in the column `x`: hosts, tasks, or for all
    else the manager."""
    left = 0
    for span in line:
        left += cell_len(span.text)
        if x < left:
            if re.search(f"hosts|pending|^{OFFLINE.text}", span.text):
                return "show_hosts"
            return "show_tasks" if re.search("running|failed", span.text) else "show_manager"
    return "show_manager"


class HeaderLine(SpanWidget):
    """The fleet, the tasks, what needs attention, and the time. A click shows more of each."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self._drawn: Spans = ()

    def refresh_changed(self) -> None:
        """Draws the line only if it has changed: Textual draws at most 60 times a second, and what
        comes just after has to wait."""
        if self._line() != self._drawn:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The one line."""
        self._drawn, base = self._line(), self.base_style
        return self.strip(self.paint(self._drawn, base), self.size.width, base)

    async def on_click(self, event: events.Click) -> None:
        """Shows the screen of what was clicked."""
        await self.app.run_action(f"app.{screen_of(self._drawn, event.x)}")

    def _line(self) -> Spans:
        link = self.link
        width = self.size.width
        return header_line(
            link.status,
            link.trouble,
            link.now(),
            width,
            link.away_since,
            link.place,
            key_of("show_manager", link.keys),
        )


class NoticeLine(Static):
    """What has happened to the screen itself. Hidden without a notice."""

    def __init__(self, link: Link) -> None:
        super().__init__(markup=False)
        self.link = link

    def on_mount(self) -> None:
        """A screen may be opened after the notice came."""
        self.show_notice()

    def show_notice(self) -> None:
        """Shows the notice that there is now."""
        self.display = bool(self.link.notice)
        if self.display:
            self.update(f"{self.link.notice}  ({key_of('back', self.link.keys)} hides this)")

    def on_click(self) -> None:
        """Hides it."""
        self.link.notice = ""
        self.show_notice()
