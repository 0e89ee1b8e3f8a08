"""The hosts on the dashboard: the usual rows, and what the selected task did on them."""

from collections.abc import Sequence, Set
from datetime import datetime
from typing import ClassVar

from rich.text import Text

from tui_manager.domain.hosts.host import Host
from tui_manager.domain.status import Admission
from tui_manager.domain.text.number_format import sparkline
from tui_manager.ui.action import DEFAULT_KEYS, KeyMap
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, plain, spans
from tui_manager.ui.drawing.state_words_and_colours import BUSY, FAULT, OFFLINE
from tui_manager.ui.hosts.all_hosts_table import (
    CPU,
    HIGH,
    LABELS,
    MEMORY,
    STATE,
    HostTable,
    host_cell,
)
from tui_manager.ui.listing.table_layout import Column
from tui_manager.ui.manager_link import Link

COLUMNS = (
    STATE,
    Column("name", "NAME", 9, grow=2, max_width=28, sort="name"),
    LABELS,
    Column("spark", "", 6, grow=1, max_width=24, hide_order=4),
    CPU,
    MEMORY,
    Column("disk", "DISK", 4, right=True, hide_order=6),
    Column("running", "RUN", 3, right=True, hide_order=2, sort="running", largest_first=True),
    Column("since", "ONLINE", 6, right=True, hide_order=5, sort="since", largest_first=True),
)


def fullest_disk(host: Host) -> float | None:
    """How full its fullest disk is, in percent; None: it is not known."""
    disks = host.vitals.disks if host.vitals else ()
    return max((100 * disk.used / disk.total for disk in disks if disk.total), default=None)


def dashboard_cell(
    host: Host,
    key: str,
    width: int,
    now: datetime,
    *,
    away: bool = False,
    failed: bool = False,
    keys: KeyMap = DEFAULT_KEYS,
) -> Spans:
    """The cell of a host in a column.

    Args:
        failed: the selected task has failed on it.
    """
    if key == "state" and failed and host.admission is Admission.ADMITTED:
        return (FAULT,)
    if key == "spark":
        curve = sparkline(host.cpu_history, width) if host.vitals else ""
        return spans(curve, Role.MUTED)
    if key == "disk":
        full = fullest_disk(host)
        high = full is not None and full >= HIGH
        return (
            BLANK if full is None else spans(f"{full:.0f}%", Role.CAUTION if high else Role.PLAIN)
        )
    return host_cell(host, key, width, now, away=away, keys=keys)


def title_counts(failed: int, busy: int, offline: int) -> Spans:
    """`✘2 ▶4 ○1`: on so many hosts the selected task failed, so many run something, are offline."""
    counted = ((FAULT, failed), (BUSY, busy), (OFFLINE, offline))
    return tuple(
        Span(f"{glyph.text}{number:,} ", glyph.role) for glyph, number in counted if number
    )


class DashboardHostTable(HostTable):
    """All hosts by name. Hosts on which the selected task failed are shown so."""

    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS
    BESIDE: ClassVar[int] = 38

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self._failed: Set[str] = frozenset()  # host_ids
        self._hosts_failed = 0

    def show_failed(self, host_ids: Set[str], hosts: int) -> None:
        """Shows on which hosts the selected task has failed.

        Args:
            hosts: on so many; `host_ids` may be fewer.
        """
        if (host_ids, hosts) != (self._failed, self._hosts_failed):
            self._failed, self._hosts_failed = host_ids, hosts
            self.retitle()
            self.refresh()

    def cell(self, row: Host, key: str, width: int, now: datetime) -> Spans:
        return dashboard_cell(
            row,
            key,
            width,
            now,
            away=bool(self.link.trouble),
            failed=row.host_id in self._failed,
            keys=self.link.keys,
        )

    @property
    def counts_text(self) -> str:
        """`✘2 ▶4 ○1`; empty if all of these are 0."""
        status = self.link.status
        if status is None:
            return ""
        counts = title_counts(self._hosts_failed, status.hosts_busy, status.hosts_offline)
        return plain(counts).rstrip()

    def set_title(self, title: Text) -> None:
        title.append(f"  {self.counts_text}".rstrip(), style="not bold")
        super().set_title(title)
