"""What agents can do beyond the first version of the wire, and which commands need it.

An agent lists its features in its Hello. The manager does not send a command that needs a feature
which the agent does not list, because an old agent ignores silently what it does not know.
"""

from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import NamedTuple

from tui_manager_protos.rules import host_variables

from tui_manager.domain.hosts.agent_version import HostAgent, update_refusal
from tui_manager.domain.task_spec.task_spec import CommandSpec


class Feature(StrEnum):
    """A word of Hello.features."""

    CGROUP = "cgroup"  # each command has its own cgroup, and is killed in it
    MEMORY_MAX = "memory-max"
    TASKS_MAX = "tasks-max"
    CPU_MAX = "cpu-max"
    SCRIPT = "script"
    STDIN = "stdin"  # something to read there
    FILES = "files"  # copy and fetch
    UPDATE = "update"  # another version of the agent; only one that runs from a bundle offers it
    # Its policy need not name the variables that the manager adds. Other agents do not get them.
    HOST_VARIABLES = host_variables.FEATURE


class _Need(NamedTuple):
    feature: Feature
    uses: Callable[[CommandSpec], bool]
    action: str  # what an agent without the feature cannot do


# Each option of a command that not every agent supports has a row here.
_NEEDS = (
    _Need(Feature.MEMORY_MAX, lambda spec: bool(spec.limits.memory_max), "limit memory"),
    _Need(Feature.TASKS_MAX, lambda spec: bool(spec.limits.tasks_max), "limit processes"),
    _Need(Feature.CPU_MAX, lambda spec: bool(spec.limits.cpu_max), "limit CPU time"),
    _Need(Feature.SCRIPT, lambda spec: spec.script is not None, "run scripts"),
    _Need(Feature.STDIN, lambda spec: spec.stdin is not None, "give a command its stdin"),
    _Need(Feature.FILES, lambda spec: bool(spec.copy or spec.fetch), "copy or fetch files"),
)
_WORDS = {feature.value: feature for feature in Feature}
# Each set once, however many agents have it. There are as many as subsets of `Feature` at most.
_SETS: dict[frozenset[Feature], frozenset[Feature]] = {}


def known(words: Iterable[str]) -> frozenset[Feature]:
    """The features that this manager knows, among those that an agent lists."""
    features = frozenset(_WORDS[word] for word in words if word in _WORDS)
    return _SETS.setdefault(features, features)


def refusal(
    spec: CommandSpec, features: Collection[Feature], agent: HostAgent | None = None
) -> str:
    """Why an agent with these features cannot get this command, as a sentence; empty: it can.

    Args:
        agent: what it is; None: nothing is known of it.
    """
    if spec.update is not None:
        return update_refusal(spec.update, agent, offered=Feature.UPDATE in features)
    missing = [need for need in _NEEDS if need.feature not in features and need.uses(spec)]
    if not missing:
        return ""
    actions = " or ".join(need.action for need in missing)
    names = ", ".join(need.feature for need in missing)
    return (
        f"this host's agent cannot {actions}: it does not offer {names}. It is too old, or its "
        "host lacks what that needs."
    )
