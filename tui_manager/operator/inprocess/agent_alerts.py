"""Hosts whose agents differ from what they should be, as one alert."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

import tui_manager
from tui_manager.domain.hosts.agent_version import ExpectedAgents, Platform
from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.task_spec.copy_and_fetch import UpdateSpec
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.service.core.hosts.host_directory import Directory
from tui_manager.service.core.hosts.host_entry import HostEntry

_PLAIN = re.compile(r"[0-9A-Za-z.+_-]{1,64}")  # a value that a filter can name
_REMEDY = "See: tui-manager agent update"
_NAMED = 10  # of them
_SHOWN = 40  # characters of a version


def differing_agents(
    directory: Directory, updates: Mapping[Platform, UpdateSpec], now: datetime
) -> Iterator[Alert]:
    """At most one alert. Hosts that are offline or in maintenance do not count.

    Args:
        updates: the newest of each platform that completed on a host.
        now: the time by which a maintenance has ended.
    """
    expected = ExpectedAgents(tui_manager.__version__, updates)
    found = [entry for entry in _differing(directory, expected) if not entry.maintenance(now)]
    if not found:
        return
    targets = {_target(expected, entry) for entry in found}
    than = targets.pop() if len(targets) == 1 else "the newest one"
    if len(found) == 1:
        row = found[0].row
        version = safe_line(row.agent_version)[:_SHOWN] or "that says no version"
        build = f" (build {row.agent_build[:_SHOWN]})" if row.agent_build else ""
        yield Alert(
            f"{row.name} runs agent {version}{safe_line(build)}, not {than}. {_REMEDY}", row.host_id
        )
        return
    text = f"{len(found):,} hosts run another agent than {than}. {_REMEDY}"
    yield Alert(text, hosts=_filter(expected, found))


def _differing(directory: Directory, expected: ExpectedAgents) -> Iterator[HostEntry]:
    """Admitted hosts that are online and whose agents differ."""
    for entries in directory.groups.by_agent.values():
        if expected.differs(entries[0].row.agent):
            yield from entries


def _target(expected: ExpectedAgents, entry: HostEntry) -> str:
    """What the agent of a host should be, in words."""
    update = expected.update_for(entry.row.agent.platform)
    return update.named if update else f"{expected.own}, the version of this manager"


def _filter(expected: ExpectedAgents, found: list[HostEntry]) -> str:
    """A filter that shows these hosts: by their versions, or by their builds where only these
    differ."""
    values = set()
    for entry in found:
        agent = entry.row.agent
        update = expected.update_for(agent.platform)
        same = update is not None and update.version == agent.version
        values.add(agent.build if same else agent.version)
    if len(values) > _NAMED or not all(map(_PLAIN.fullmatch, values)):
        return "state=online"
    return f"state=online !state=maintenance agent={','.join(sorted(values))}"
