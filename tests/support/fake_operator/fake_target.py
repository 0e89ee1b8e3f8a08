"""A small part of the TARGET notation for the fake operator: names, globs, labels, hosts of a task,
@all and `,`."""

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

from ClusterShell.NodeSet import NodeSet, NodeSetParseError

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.host import Host

_COMMA = re.compile(r",(?![^\[]*\])")


Classes = Callable[[int], Mapping[str, str]]  # of the hosts of a task, by name


def resolve(target: str, hosts: list[Host], classes: Classes) -> list[str]:
    """The names that match, in order. Raises InvalidInputError naming what did not."""
    names: set[str] = set()
    if not target.strip():
        raise InvalidInputError("target", "The target is empty; name hosts, or @all.")
    for part in map(str.strip, _COMMA.split(target)):
        found = set(_part(part, hosts, classes))
        if not found and not part.startswith("task:"):
            raise InvalidInputError("target", f"No host matches {part!r}.")
        names |= found
    if not names:
        raise InvalidInputError("target", f"No host matches {target}.")
    return sorted(names)


def fold(names: Iterable[str]) -> str:
    """The names in ClusterShell notation."""
    return str(NodeSet.fromlist(list(names)))


def _part(part: str, hosts: list[Host], classes: Classes) -> list[str]:
    if part == "@all":
        return [host.name for host in hosts]
    if part.startswith("task:"):
        _, task_id, host_class = part.split(":")
        of_task = classes(int(task_id))
        return [host.name for host in hosts if of_task.get(host.name) == host_class]
    if "=" in part:
        key, value = part.split("=", 1)
        return [host.name for host in hosts if host.labels.get(key) == value]
    if "*" in part:
        return [host.name for host in hosts if fnmatchcase(host.name, part)]
    try:
        wanted = set(NodeSet(part))
    except NodeSetParseError as error:
        raise InvalidInputError("target", f"{part!r} is not a target: {error}.") from error
    if unknown := wanted - {host.name for host in hosts}:
        raise InvalidInputError("target", f"Not known: {fold(unknown)}.")
    return sorted(wanted)
