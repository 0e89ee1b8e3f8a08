"""`tui-manager clock accept`: the operator says that the manager's clock is right."""

import asyncio

from tui_manager.cli.printing.text import write
from tui_manager.cli.reading import connect
from tui_manager.settings import Settings


def run_clock(settings: Settings) -> int:
    """Prints what came of it, and returns the exit status."""
    if asyncio.run(_accept(settings)):
        write("The clock is accepted; what has waited for it goes on.\n")
    else:
        write("Nothing waits for the clock.\n")
    return 0


async def _accept(settings: Settings) -> bool:
    async with connect(settings.state_dir) as operator:
        return await operator.accept_clock()
