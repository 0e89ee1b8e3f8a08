"""`tui-manager hosts remove|label|rename|maintenance`: changes hosts, and prints their names."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime

from tui_manager.cli.connect_and_read import connect
from tui_manager.cli.options.values import parse_pairs, read_moment
from tui_manager.domain.errors import InvalidInputError
from tui_manager.operator.api import Operator
from tui_manager.settings import Settings


async def change_hosts(
    settings: Settings, options: argparse.Namespace, names: Sequence[str]
) -> Sequence[str]:
    """Does what was asked, and returns the names of the hosts.

    Args:
        names: those that were typed, without ranges.
    """
    async with connect(settings.state_dir) as operator:
        match options.hosts_action:
            case "remove":
                return await operator.remove_hosts(names)
            case "rename":
                (name,) = names
                return (await operator.rename_host(name, options.new_name),)
            case "label":
                to_set = parse_pairs("set", options.set)
                return await operator.label_hosts(names, to_set, options.unset)
            case _:
                return await _maintain(operator, options, names)


async def _maintain(
    operator: Operator, options: argparse.Namespace, names: Sequence[str]
) -> Sequence[str]:
    if options.end:
        if options.until is not None:
            raise InvalidInputError("until", "--until is for a maintenance that begins, not --end.")
        return await operator.set_maintenance(names, end=True)
    until = options.until and read_moment("until", options.until, datetime.now(UTC), ahead=True)
    return await operator.set_maintenance(names, options.reason, until)
