"""`tui-manager clock accept`: the operator confirms that the manager's clock is right. Each
command has a file of its own, which is imported only when the command is called."""

import asyncio

from tui_manager.cli.printing.write_text import write
from tui_manager.client.connection import connect_operator
from tui_manager.settings import Settings


def run_clock(settings: Settings) -> int:
    """Prints the result, and returns the exit status."""
    if asyncio.run(_accept(settings)):
        write("The clock is accepted; schedules start tasks, and old history is removed again.\n")
    else:
        write("Nothing waits for the clock.\n")
    return 0


async def _accept(settings: Settings) -> bool:
    async with connect_operator(settings.state_dir) as operator:
        return await operator.accept_clock()
