"""The label that tells the hosts on which a task failed from its other hosts. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import chain, islice

from tui_manager_protos.lazy_dataclass import dataclass

LEAST_HOSTS = 2  # that a label can have in common
FEW = 5  # at most one in so many of the other hosts may have the label too

Labels = Mapping[str, str]  # of one host


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


def common_labels(group: Iterable[Labels]) -> set[tuple[str, str]]:
    """The labels that all hosts of a group have, which are none if it has too few hosts. As soon as
    there are none, no further host is looked at."""
    hosts = iter(group)
    first = [*islice(hosts, LEAST_HOSTS)]
    if len(first) < LEAST_HOSTS:
        return set()
    common = set(first[0].items())
    for labels in chain(first[1:], hosts):
        common.intersection_update(labels.items())
        if not common:
            break
    return common


class TaskLabels:
    """The labels of all hosts of a task, counted once for all groups of its hosts."""

    def __init__(self, task: Collection[Labels]) -> None:
        self._hosts = len(task)
        self._having = Counter(chain.from_iterable(labels.items() for labels in task))

    def common_label(self, common: Collection[tuple[str, str]], hosts: int) -> CommonLabel | None:
        """The label of a group of hosts of the task that the fewest other hosts have; None if no
        label tells them apart.

        Args:
            common: what `common_labels` says of the group.
            hosts: how many they are.
        """
        others = self._hosts - hosts
        if not common or others < 1:
            return None
        elsewhere, key, value = min((self._having[label] - hosts, *label) for label in common)
        if elsewhere * FEW > others:
            return None
        return CommonLabel(f"{key}={value}", elsewhere, others)
