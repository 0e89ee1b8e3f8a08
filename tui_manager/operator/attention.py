"""What needs an operator, one sentence each, most urgent first."""

from collections.abc import Iterator
from dataclasses import dataclass

from tui_manager.service.directory import UNKNOWN_MAX, Directory
from tui_manager.service.refusals import Refusals
from tui_manager.service.statistics import Statistics

_NAMED = 5  # hosts or refusals that have a sentence of their own


@dataclass(frozen=True, slots=True)
class HostCounts:
    """Hosts that are not as they should be."""

    offline: int
    pending: int
    recovering: int


def attention(
    statistics: Statistics, hosts: HostCounts, directory: Directory, refusals: Refusals
) -> tuple[str, ...]:
    """The sentences of the manager's status."""
    return (
        *_storage(statistics),
        *_hosts(hosts),
        *_refused(refusals),
        *_unknown_executions(directory),
        *_counted(statistics),
    )


def _storage(statistics: Statistics) -> Iterator[str]:
    if statistics.storage_error:
        yield f"Results wait for the database: {statistics.storage_error}"


def _hosts(hosts: HostCounts) -> Iterator[str]:
    if hosts.recovering:
        yield f"Recovering: {hosts.recovering} hosts with work have not come back yet."
    if hosts.pending:
        yield f"{hosts.pending} hosts wait to be approved."
    if hosts.offline:
        yield f"{hosts.offline} hosts are offline."


def _refused(refusals: Refusals) -> Iterator[str]:
    recent = refusals.recent()
    for name, why in recent[:_NAMED]:
        yield f"An agent that says it is {name} was refused: {why}"
    if len(recent) > _NAMED:
        yield f"Agents that say they are {len(recent) - _NAMED} other hosts were refused too."


def _unknown_executions(directory: Directory) -> Iterator[str]:
    holding = [
        (entry.row.name, len(entry.session.unknown))
        for entry in directory
        if entry.session and entry.session.unknown
    ]
    for name, count in sorted(holding)[:_NAMED]:
        if count == 1:
            many, rest = "1 execution", "it is left to finish"
        else:
            more = " or more" if count == UNKNOWN_MAX else ""
            many, rest = f"{count}{more} executions", "they are left to finish"
        yield f"{name} holds {many} that this database does not know; {rest}."
    if len(holding) > _NAMED:
        yield f"{len(holding) - _NAMED} other hosts hold executions that it does not know too."


def _counted(statistics: Statistics) -> Iterator[str]:
    counters = statistics.counters
    if counters.conflicting_results:
        yield f"{counters.conflicting_results} second, different results were ignored; see the log."
    if counters.violations:
        yield f"Agents broke the protocol {counters.violations} times; see the log."
