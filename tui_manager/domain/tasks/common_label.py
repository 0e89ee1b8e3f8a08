"""The label that tells the hosts on which a task failed from its other hosts. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

from tui_manager.domain.frozen_dataclass import dataclass

LEAST_HOSTS = 2  # that a label can have in common
FEW = 5  # at most one in so many of the other hosts may have the label too

# The labels of hosts, and how many hosts have exactly these.
LabelCounts = Sequence[tuple[Mapping[str, str], int]]


@dataclass(frozen=True, slots=True)
class CommonLabel:
    """A label that all hosts of a group have, and none or few of the other hosts of their task.

    Attributes:
        text: `zone=eu`.
        elsewhere: how many of the other hosts have it.
        others: how many other hosts there are.
    """

    text: str
    elsewhere: int
    others: int


def common_labels(group: LabelCounts) -> set[tuple[str, str]]:
    """The labels that all hosts of a group have, which are none if it has too few hosts."""
    if sum(count for _, count in group) < LEAST_HOSTS:
        return set()
    common = set(group[0][0].items())
    for labels, _ in group:
        common.intersection_update(labels.items())
        if not common:
            break
    return common


class TaskLabels:
    """The labels of all hosts of a task, counted once for all groups of its hosts."""

    def __init__(self, task: LabelCounts) -> None:
        self._hosts = sum(count for _, count in task)
        each = (labels.items() for labels, count in task for _ in range(count))
        self._having = Counter(chain.from_iterable(each))

    def common_label(self, group: LabelCounts) -> CommonLabel | None:
        """The label of a group of hosts of the task that the fewest other hosts have; None if no
        label tells them apart."""
        hosts = sum(count for _, count in group)
        others = self._hosts - hosts
        if hosts < LEAST_HOSTS or others < 1:
            return None
        common = common_labels(group)
        if not common:
            return None
        elsewhere, key, value = min((self._having[label] - hosts, *label) for label in common)
        if elsewhere * FEW > others:
            return None
        return CommonLabel(f"{key}={value}", elsewhere, others)


def common_label(group: LabelCounts, task: LabelCounts) -> CommonLabel | None:
    """The same for one group."""
    return TaskLabels(task).common_label(group)
