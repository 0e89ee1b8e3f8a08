"""The header: the manager, the fleet, what needs attention, the time. Below it, the notice."""

from datetime import datetime

from textual.strip import Strip
from textual.widgets import Static

from tui_manager.domain.manager_status import ManagerStatus
from tui_manager.ui.drawing.number_format import short_duration
from tui_manager.ui.drawing.span_widgets import SpanWidget
from tui_manager.ui.drawing.spans import Role, Span, Spans, justify, width_of
from tui_manager.ui.drawing.state_words_and_colours import WAITING
from tui_manager.ui.manager_link import Link

_SLOW_COMMIT = 0.25  # seconds
_SLOW_LOOP = 0.25  # seconds


def header_line(
    status: ManagerStatus | None,
    trouble: str,
    now: datetime,
    width: int,
    away_since: datetime | None = None,
) -> Spans:
    """One line of `width` cells. The least important part is left out first.

    Args:
        status: None before the manager has answered.
        trouble: why the manager cannot be reached; empty if it can.
        away_since: when it was lost.
    """
    clock = Span(f"{now:%H:%M:%S} ", Role.MUTED)
    name = Span(" tui-manager", Role.STRONG)
    if trouble:
        since = f"away since {away_since:%H:%M:%S}: " if away_since else ""
        return justify((name, Span(f"  ✘ {since}{trouble}", Role.FAULT)), (clock,), width)
    if status is None:
        return justify((name, Span("  connecting…", Role.MUTED)), (clock,), width)
    return _fit_parts(_parts(status, name), clock, width)


def _parts(status: ManagerStatus, name: Span) -> list[tuple[int, Spans]]:
    """The parts of the line. The highest number is left out first, 0 never."""
    online = f"{status.hosts_online:,}/{status.hosts_total:,} online"
    all_online = status.hosts_online == status.hosts_total
    return [
        (5, (name,)),
        (3, (Span(status.address),)),
        (0, (_security(status.security),)),
        (0, (Span(online, Role.PLAIN if all_online else Role.CAUTION),)),
        (1, _pending(status.hosts_pending)),
        (2, (_running(status.tasks_running),)),
        (0, _storage(status)),
        (1 if status.health.storage_error else 0, _attention(status)),
        (1, _clock(status)),
        (4, (_health(status),)),
    ]


def _fit_parts(parts: list[tuple[int, Spans]], clock: Span, width: int) -> Spans:
    """Leaves out the part with the highest number until the line fits."""
    kept = [part for part in parts if part[1]]
    while True:
        left: list[Span] = []
        for _, group in kept:
            left += [Span("   " if left else ""), *group]
        optional = max(kept, key=lambda part: part[0])
        if width_of(left) + width_of((clock,)) + 1 <= width or optional[0] == 0:
            return justify([Span(" "), *left] if optional[0] < 5 else left, (clock,), width)
        kept.remove(optional)


def _security(security: str) -> Span:
    if security == "insecure":
        return Span("INSECURE", Role.FAULT)
    return Span(security, Role.GOOD)


def _pending(number: int) -> Spans:
    return (Span(f"{WAITING.text} {number:,} pending", WAITING.role),) if number else ()


def _running(number: int) -> Span:
    return Span(f"▶ {number} running", Role.ACTIVE if number else Role.MUTED)


def _attention(status: ManagerStatus) -> Spans:
    number = len(status.attention)
    if not number:
        return (Span("no alerts", Role.MUTED),)
    return (Span(f"▲ {number} need{'s' if number == 1 else ''} attention", Role.FAULT),)


def _clock(status: ManagerStatus) -> Spans:
    return (Span("clock in doubt", Role.FAULT),) if status.clock_ahead is not None else ()


def _storage(status: ManagerStatus) -> Spans:
    """Nothing can be stored. The first alert says why."""
    if not status.health.storage_error:
        return ()
    return (Span("✘ results cannot be stored", Role.FAULT),)


def _health(status: ManagerStatus) -> Span:
    health = status.health
    slow = health.commit_seconds > _SLOW_COMMIT or health.loop_lag_seconds > _SLOW_LOOP
    commit, lag = short_duration(health.commit_seconds), short_duration(health.loop_lag_seconds)
    text = f"commit {commit}  lag {lag}"
    return Span(text, Role.CAUTION if slow else Role.MUTED)


class HeaderLine(SpanWidget):
    """The manager, the fleet, alerts, and the time."""

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
        self._drawn, base = self._line(), self.rich_style
        return self.strip(self.paint(self._drawn, base), self.size.width, base)

    def _line(self) -> Spans:
        link = self.link
        return header_line(link.status, link.trouble, link.now(), self.size.width, link.away_since)


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
        self.update(f"{self.link.notice}  (esc hides this)")
