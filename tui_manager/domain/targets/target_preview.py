"""What a target matches, as an operator is told. A file of its own, because a client needs it, and
not the rules of targets."""

from tui_manager_protos.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class TargetPreview:
    """The hosts that a target matches now.

    Attributes:
        hosts: names of all on which a task would run, in order.
        offline: names of those that are offline.
        folded: the names in ClusterShell notation, `web[01-14]`.
        left_out: names of hosts that it matches and that a task leaves out, in natural order.
    """

    hosts: tuple[str, ...]
    offline: tuple[str, ...]
    folded: str
    left_out: tuple[str, ...] = ()
