"""The label that tells the hosts on which a task failed from its other hosts. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

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


def common_label(group: LabelCounts, task: LabelCounts) -> CommonLabel | None:
    """The label of a group of hosts that the fewest other hosts of their task have; None if no
    label tells them apart. The time grows with the number of different labels of `task`.

    Args:
        group: some hosts of `task`.
        task: all of its hosts.
    """
    hosts = sum(count for _, count in group)
    others = sum(count for _, count in task) - hosts
    if hosts < LEAST_HOSTS or others < 1:
        return None
    common = set.intersection(*(set(labels.items()) for labels, _ in group))
    having: Counter[tuple[str, str]] = Counter()
    for labels, count in task:
        for label in common & labels.items() if common else ():
            having[label] += count
    elsewhere, key, value = min(
        ((having[label] - hosts, *label) for label in common), default=(others, "", "")
    )
    if elsewhere * FEW > others:
        return None
    return CommonLabel(f"{key}={value}", elsewhere, others)
