"""The table on the screen of all hosts. What a row shows is a pure function. The table of the
dashboard has fewer columns: `dashboard_hosts_table.py`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from rich.cells import cell_len

from tui_manager.domain.hosts.host import Host, labels_text
from tui_manager.domain.lists.filter_by_target import HOST_KEYS
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.address import join_parts
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.domain.status import Admission
from tui_manager.domain.text.number_format import MOMENT_AND_AGE, moment, number, since, sparkline
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import DEFAULT_KEYS, KeyMap, Pane
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, shorten_middle, spans, width_of
from tui_manager.ui.drawing.state_words_and_colours import OFFLINE, host_glyph
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import (
    Column,
    ColumnWidths,
    filter_words,
    merge_columns_after,
)
from tui_manager.ui.manager_link import Link

HIGH = 90.0  # percent from which a figure deserves a look

# The columns that the table of the dashboard shares.
STATE = Column("state", "", 1, sort="state")
LABELS = Column("labels", "LABELS", 10, grow=4, max_width=120, hide_order=3)
CPU = Column("cpu", "CPU", 4, right=True, sort="cpu", largest_first=True)
MEMORY = Column("memory", "MEM", 4, right=True, hide_order=1, sort="memory", largest_first=True)

COLUMNS = (
    STATE,
    Column("name", "NAME", 9, grow=1, max_width=28, sort="name"),
    LABELS,
    CPU,
    Column("spark", "", 6, grow=2, max_width=30, hide_order=4),
    MEMORY,
    Column("running", "RUN", 3, right=True, sort="running", largest_first=True),
    Column(
        "since",
        "ONLINE",
        6,
        grow=3,
        max_width=MOMENT_AND_AGE + 2,  # and the glyph of a host that is offline
        right=True,
        hide_order=2,
        sort="since",
        largest_first=True,
    ),
    Column("load", "LOAD", 6, right=True, hide_order=5),
    Column("capacity", "SLOTS", 5, right=True, hide_order=9),
    Column("system", "SYSTEM", 13, hide_order=8),
    Column("agent", "AGENT", 7, hide_order=6, sort="agent"),
    Column("address", "ADDRESS", 20, hide_order=7),
)


def host_cell(
    host: Host,
    key: str,
    width: int,
    now: datetime,
    *,
    away: bool = False,
    keys: KeyMap = DEFAULT_KEYS,
) -> Spans:
    """The cell of a host in a column. While the manager is `away`, its state is not known."""
    host = host.at(now)
    if key == "rest":
        return _admission_cell(host, width, keys)
    if key == "state":
        return (host_glyph(host, away=away),)
    return _CELLS[key](host, width, now)


def _admission_cell(host: Host, width: int, keys: KeyMap) -> Spans:
    """The admission of a host that is not admitted, in place of its figures."""
    words = f": {safe_line(host.fingerprint)}" if host.fingerprint else ""
    if host.admission is not Admission.PENDING:
        return spans(f"{host.admission}{words}", Role.MUTED)
    state = Span(f"pending{words}", Role.CAUTION)
    if host.note:
        return (state, Span(f"  ▲ {safe_line(host.note)}", Role.FAULT))
    room = width - width_of((state,))
    approve = f"  {key_of('approve', keys)} approves"
    hints = (f"{approve}, {key_of('reject', keys)} rejects", approve, "")
    shown = next(hint for hint in hints if len(hint) <= max(0, room))  # the first that is not cut
    return (state, Span(shown, Role.MUTED))


def _name(host: Host, width: int, now: datetime) -> Spans:
    name = shorten_middle(safe_line(host.name), width)
    return spans(name, Role.STRONG if host.online else Role.MUTED)


def _since(host: Host, width: int, now: datetime) -> Spans:
    """How long it has been online or, as a fault with its glyph, offline; with the time if there
    is room."""
    if host.since is None:
        return BLANK
    before = "" if host.online else f"{OFFLINE.text} "
    room = width - len(before)
    text = moment(host.since, now, room) if room >= MOMENT_AND_AGE else since(host.since, now)
    role = Role.MUTED if host.online else Role.FAULT
    return spans(before + text if len(text) <= room else text, role)


def _running(host: Host, width: int, now: datetime) -> Spans:
    return spans(number(host.running, width), Role.ACTIVE) if host.running else BLANK


def _spark(host: Host, width: int, now: datetime) -> Spans:
    return spans(sparkline(host.cpu_history, width), Role.MUTED) if host.vitals else BLANK


def _cpu(host: Host, width: int, now: datetime) -> Spans:
    return _percent(host.vitals.cpu_percent) if host.vitals else BLANK


def _memory(host: Host, width: int, now: datetime) -> Spans:
    return _percent(host.vitals.memory_percent) if host.vitals else BLANK


def _load(host: Host, width: int, now: datetime) -> Spans:
    if host.vitals is None:
        return BLANK
    load = f"{host.vitals.load_1m:.2f}"
    short = load if len(load) <= width else number(int(host.vitals.load_1m), width)
    return spans(short, Role.MUTED)


def _words(words: Callable[[Host], str]) -> "_Cell":
    return lambda host, width, now: spans(safe_line(words(host)), Role.MUTED)


_Cell = Callable[[Host, int, datetime], Spans]
_CELLS: Mapping[str, _Cell] = {
    "name": _name,
    "labels": lambda host, width, now: spans(safe_line(labels_text(host.labels)), Role.MUTED),
    "cpu": _cpu,
    "spark": _spark,
    "memory": _memory,
    "running": _running,
    "since": _since,
    "load": _load,
    "capacity": lambda host, width, now: spans(number(host.capacity, width), Role.MUTED),
    "system": _words(lambda host: f"{host.os} {host.arch}"),
    "agent": _words(lambda host: host.agent_version),
    "address": _words(lambda host: host.address),
}


def _percent(value: float) -> Spans:
    return spans(f"{value:.0f}%", Role.CAUTION if value >= HIGH else Role.PLAIN)


def no_hosts(
    status: ManagerStatus | None, dial: str, width: int, keys: KeyMap = DEFAULT_KEYS
) -> tuple[Spans, ...]:
    """How the first host joins: the line to paste there, with the address that it dials."""
    if status is None:
        return ()
    lines: list[Spans] = [(Span("No host has joined yet.", Role.STRONG),), ()]
    parts = join_parts(dial, status.security)
    if status.security == "insecure":
        lines.append((Span("Paste this on a host:", Role.MUTED),))
        return (*lines, *_to_paste(*parts, width, Role.GOOD))
    lines += [
        (
            Span(key_of("join_token", keys), Role.STRONG),
            Span(" makes a join token: the line to paste on a host."),
        ),
        (Span("So does: tui-manager token create", Role.MUTED),),
        (Span("Over ssh:  tui-manager agent install --ssh HOSTS", Role.MUTED),),
        (),
    ]
    return (*lines, *_to_paste(*parts, width, Role.MUTED))


def _to_paste(begin: str, end: str, width: int, role: Role) -> tuple[Spans, ...]:
    """The line, broken as a shell allows it if the pane is too narrow."""
    line = f"{begin} {end}"
    if cell_len(line) <= width:
        return ((Span(line, role),),)
    return ((Span(f"{begin} \\", role),), (Span(f"  {end}", role),))


def widen_for(
    columns: Sequence[Column], needs: Mapping[str, int], width: int, beside: int
) -> tuple[Column, ...]:
    """The columns, names and labels as wide as they need, but so that the rest has room too. If no
    host has labels, names have their room.

    Args:
        needs: cells of the longest name and of the longest labels.
        width: of the table, in cells.
        beside: cells that the columns beside the labels keep.
    """
    most = {"name": width // 4, "labels": width - beside}
    if needs["name"] and not needs["labels"]:
        columns = [column for column in columns if column.key != "labels"]
        most["name"] = max(most["name"], width - beside)
    return tuple(
        replace(column, width=max(column.width, min(needs[column.key], most[column.key])))
        if column.key in most
        else column
        for column in columns
    )


class HostTable(RowTable[Host]):
    """All hosts by name."""

    PANE = Pane.HOSTS
    TITLE = "Hosts"
    NOUN = "hosts"
    FILTER_KEYS = HOST_KEYS
    FILTERS = filter_words(HOST_KEYS, "role=web @offline")
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS
    BESIDE: ClassVar[int] = 64  # cells that the columns beside the labels keep

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self._hidden = 0  # hosts that are rejected or revoked
        self._needs = {"name": 0, "labels": 0}  # cells; they only grow, so that nothing jumps

    @property
    def columns(self) -> Sequence[Column]:
        return widen_for(self.COLUMNS, self._needs, self.scrollable_size.width, self.BESIDE)

    def key_of(self, row: Host) -> str:
        return row.host_id

    def cell(self, row: Host, key: str, width: int, now: datetime) -> Spans:
        away, keys = bool(self.link.trouble), self.link.keys
        return host_cell(row, key, width, now, away=away, keys=keys)

    def widths_of(self, row: Host, widths: ColumnWidths) -> ColumnWidths:
        """A host that is not admitted shows its identity in place of figures."""
        return (
            widths if row.admission is Admission.ADMITTED else merge_columns_after(widths, "name")
        )

    async def fetch(self, window: Window) -> Page[Host]:
        page = await self.link.operator.list_hosts(replace(window, hide_turned_away=True))
        self._hidden = page.hidden
        for host in page.rows:
            for key, text in (("name", host.name), ("labels", labels_text(host.labels))):
                self._needs[key] = max(self._needs[key], cell_len(safe_line(text)))
        return page

    def title_note(self) -> str:
        return f"{self._hidden:,} rejected or revoked hidden" if self._hidden else ""

    def empty_lines(self) -> Sequence[Spans]:
        link, width = self.link, self.size.width - 2
        return no_hosts(link.status, link.dial_address, width, link.keys)
