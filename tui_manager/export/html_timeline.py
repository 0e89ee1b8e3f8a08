"""The timeline of an HTML page: a line for each host, a bar for each command. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.presentation.state_words import GLYPHS
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.tasks.task_map import LETTERS, host_letter
from tui_manager.domain.text.host_name_ranges import natural_key
from tui_manager.domain.text.number_format import running_time, short_duration
from tui_manager.export.html_text import text

HOSTS_MAX = 200
_WIDTH = 1000  # units of a drawing
_BAR = 2  # the narrowest bar in these
_TICKS = 4
_GOOD = LETTERS[CommandHostStatus.COMPLETED]


@dataclass(slots=True)
class _Bar:
    """One command on one host; times in seconds after the begin."""

    command: int
    status: CommandHostStatus
    start: float | None
    end: float | None


@dataclass(slots=True)
class _Host:
    name: str
    bars: list[_Bar] = field(default_factory=list)

    @property
    def letter(self) -> str:
        return host_letter(bar.status for bar in self.bars)

    @property
    def start(self) -> float:
        return min((bar.start for bar in self.bars if bar.start is not None), default=0.0)

    @property
    def end(self) -> float:
        return max((bar.end for bar in self.bars if bar.end is not None), default=0.0)


class Timeline:
    """Reads command hosts, and draws when they ran.

    Args:
        begin: of the task.
        now: what runs is drawn up to here.
        titles: of the steps.
    """

    def __init__(self, begin: datetime, now: datetime, titles: Sequence[str]) -> None:
        self._begin = begin
        self._now = self._seconds(now)
        self._titles = titles
        self._hosts: dict[str, _Host] = {}

    def add(self, row: CommandHost) -> None:
        """Notes one command host."""
        host = self._hosts.setdefault(row.host_id, _Host(row.host))
        start = None if row.started_at is None else self._seconds(row.started_at)
        end = None if row.finished_at is None else self._seconds(row.finished_at)
        if start is not None and end is None:
            end = self._now
        host.bars.append(_Bar(row.command, row.status, start, end))

    def _seconds(self, moment: datetime) -> float:
        return max(0.0, (moment - self._begin).total_seconds())

    @property
    def hosts(self) -> int:
        """How many hosts there are."""
        return len(self._hosts)

    def html(self) -> str:
        """The drawing: those hosts on which something went wrong first, if there are too many."""
        length = max((host.end for host in self._hosts.values()), default=0.0) or 1.0
        shown = sorted(self._shown(), key=lambda host: (host.start, natural_key(host.name)))
        lines = "".join(self._line(host, length) for host in shown)
        ticks = "".join(
            f"<span>{_duration(length * tick / _TICKS)}</span>" for tick in range(_TICKS + 1)
        )
        return (
            '<div class="wide"><table class="timeline"><thead><tr><th scope="col">Host</th>'
            f'<th scope="col"><div class="ticks">{ticks}</div></th>'
            f'<th scope="col">Until</th></tr></thead><tbody>{lines}</tbody></table></div>'
        )

    def _shown(self) -> Iterable[_Host]:
        hosts = self._hosts.values()
        if len(hosts) <= HOSTS_MAX:
            return hosts
        return sorted(hosts, key=lambda host: (host.letter == _GOOD, -host.end))[:HOSTS_MAX]

    def _line(self, host: _Host, length: float) -> str:
        bars = sorted(host.bars, key=lambda bar: bar.command)
        drawn = "".join(self._bar(bar, length) for bar in bars)
        grid = "".join(
            f'<path class="grid" d="M{_WIDTH * tick // _TICKS} 0v10"/>' for tick in range(1, _TICKS)
        )
        glyphs = "".join(
            f'<span class="{bar.status}" title="{text(self._words(bar))}">'
            f"{GLYPHS[bar.status]}</span>"
            for bar in bars
        )
        until = _duration(host.end) if host.end else ""
        return (
            f'<tr><th scope="row">{text(host.name)}</th><td><svg viewBox="0 0 {_WIDTH} 10" '
            f'preserveAspectRatio="none" aria-hidden="true">{grid}{drawn}</svg></td>'
            f'<td class="ends">{glyphs} {until}</td></tr>'
        )

    def _bar(self, bar: _Bar, length: float) -> str:
        if bar.start is None or bar.end is None:
            return ""
        left = min(int(_WIDTH * bar.start / length), _WIDTH - _BAR)
        width = max(_BAR, int(_WIDTH * (bar.end - bar.start) / length) - 1)  # 1: to the next bar
        return (
            f'<rect class="{bar.status}" x="{left}" y="1" height="8" '
            f'width="{min(width, _WIDTH - left)}"><title>{text(self._words(bar))}</title></rect>'
        )

    def _words(self, bar: _Bar) -> str:
        step = f"{self._titles[bar.command]}: " if len(self._titles) > 1 else ""
        if bar.start is None or bar.end is None:
            return f"{step}{bar.status}"
        took = _duration(bar.end - bar.start)
        return f"{step}{bar.status}, {took} from {_duration(bar.start)} on"


def _duration(seconds: float) -> str:
    return duration_text(timedelta(seconds=seconds))


def duration_text(duration: timedelta) -> str:
    """`1.5s` below a minute, `12:41` from there on."""
    if duration < timedelta(microseconds=50):
        return "0s"
    if duration < timedelta(seconds=59.95):
        return short_duration(duration)
    return running_time(duration)
