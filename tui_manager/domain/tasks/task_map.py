"""How each host of a task stands, in one letter a host, and its failures by cause. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.tasks.common_label import CommonLabel

# In the order of attention: the worst is first.
LETTERS: Mapping[CommandHostStatus, str] = {
    CommandHostStatus.FAILED: "f",
    CommandHostStatus.TIMEOUT: "t",
    CommandHostStatus.SKIPPED: "s",
    CommandHostStatus.RUNNING: "r",
    CommandHostStatus.PENDING: "p",
    CommandHostStatus.CANCELED: "x",
    CommandHostStatus.COMPLETED: "c",
}
STATUS_OF = {letter: status for status, letter in LETTERS.items()}
WORST_FIRST = "".join(LETTERS.values())
NAMES_IN_GROUP = 40  # host names of a group of failures
# Of `TaskSummary`, so that a page of them is read at a bounded cost.
SUMMED_TASKS = 100  # of one call
SUMMED_FAILURES = 500  # commands that are looked at of each way in which some failed
SUMMED_RUNNING = 50


@dataclass(frozen=True, slots=True)
class TaskMap:
    """How the hosts of a task stand.

    Attributes:
        batches: one text a batch, in it one letter of `LETTERS` a host, in the order of the
            rollout. Without a rollout there is one batch, in the order of names.
        hosts_away: that are offline, and whose command waits for the connection.
        away_until: when the wait for the first of them ends.
    """

    batches: tuple[str, ...] = ()
    hosts_away: int = 0
    away_until: datetime | None = None

    @property
    def letters(self) -> str:
        """Those of all hosts."""
        return "".join(self.batches)

    def counts(self) -> dict[CommandHostStatus, int]:
        """How many hosts stand in each status that there is, the worst first."""
        found = Counter(self.letters)
        return {status: found[letter] for status, letter in LETTERS.items() if found[letter]}


def host_letter(statuses: Iterable[CommandHostStatus]) -> str:
    """How a host stands whose commands have these statuses: as the worst of them. A host that has
    done some of its commands, and waits for the next, runs."""
    letters = {LETTERS[status] for status in statuses}
    worst = min(letters, key=WORST_FIRST.index)
    return "r" if worst == "p" and len(letters) > 1 else worst


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Hosts on which commands of a task failed in the same way.

    Attributes:
        hosts: how many.
        names: the first `NAMES_IN_GROUP` of them, folded: `web[01-12]`.
        named: how many these are.
        label: that all of them have, and none or few of the other hosts of the task; None: no label
            tells them apart.
    """

    status: CommandHostStatus
    reason: Reason
    exit_code: int | None
    signal: int | None
    hosts: int
    names: str
    named: int
    label: CommonLabel | None = None


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """What the row of a task in a list says besides its counts.

    Attributes:
        failures: the largest group first. Each is of the first `SUMMED_FAILURES` commands that
            failed in this way. If there are more than 50 ways, as with many exit codes, it is of
            50 of them.
        percent: of the work of its running commands that is done, 0 to 100, as they announce it;
            one that announces nothing counts as 0. Of copies and fetches: of their bytes. None:
            none of the first `SUMMED_RUNNING` does.
    """

    failures: tuple[FailureGroup, ...] = ()
    percent: int | None = None


def announced_percent(percents: Iterable[int | None]) -> int | None:
    """See `TaskSummary.percent`; None for a command that announces nothing."""
    known = [*percents]
    if all(percent is None for percent in known):
        return None
    return sum(percent or 0 for percent in known) // len(known)
