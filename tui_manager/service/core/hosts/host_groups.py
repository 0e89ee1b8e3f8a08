"""Groups of hosts that the status of the manager counts. The directory keeps the groups until a
host has changed, because 10,000 hosts take some milliseconds of the manager's loop."""

from collections.abc import Iterable
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import Admission
from tui_manager.service.core.hosts.host_entry import HostEntry

Agent = tuple[str, str, str, str, str]  # version, build, who installed it, system, processor


@dataclass(slots=True)
class HostGroups:
    """The hosts at one moment. What ends by itself, such as a maintenance, is not looked at.

    Attributes:
        admitted, online, pending: how many are admitted, how many of these are online, and how
            many wait for their admission.
        offline: how many are admitted, offline, and have no maintenance.
        newest_offline: the one of these that went offline last; None: there is none.
        with_maintenance: those with a maintenance, which may have ended; without those that were
            turned away.
        recovering: those that had work when the manager started and have not come back.
        noted: those that wait for their admission and have a note.
        by_agent: those that are admitted and online, by their agents; thousands have few agents.
    """

    admitted: int = 0
    online: int = 0
    pending: int = 0
    offline: int = 0
    newest_offline: HostEntry | None = None
    with_maintenance: list[HostEntry] = field(default_factory=list)
    recovering: list[HostEntry] = field(default_factory=list)
    noted: list[HostEntry] = field(default_factory=list)
    by_agent: dict[Agent, list[HostEntry]] = field(default_factory=dict)


def group_hosts(entries: Iterable[HostEntry]) -> HostGroups:
    """The groups of these hosts now."""
    found = HostGroups()
    admitted, pending = Admission.ADMITTED, Admission.PENDING
    offline: list[HostEntry] = []
    for entry in entries:
        row = entry.row
        admission = row.admission
        if entry.recovering:
            found.recovering.append(entry)
        if admission is admitted:
            found.admitted += 1
            if entry.session is not None or entry.elsewhere is not None:
                found.online += 1
                agent = (row.agent_version, row.agent_build, row.installed_by, row.os, row.arch)
                found.by_agent.setdefault(agent, []).append(entry)
            elif row.maintenance is None:
                offline.append(entry)
        elif admission is pending:
            found.pending += 1
            if row.note:
                found.noted.append(entry)
        else:
            continue
        if row.maintenance is not None:
            found.with_maintenance.append(entry)
    found.offline = len(offline)
    found.newest_offline = newest(offline)
    return found


def newest(entries: Iterable[HostEntry]) -> HostEntry | None:
    """The first of the hosts that went offline last; None: there is none. A host of which it is not
    known when it went comes after all others."""
    found, since = None, None
    for entry in entries:
        if found is None or (entry.since is not None and (since is None or entry.since > since)):
            found, since = entry, entry.since
    return found
