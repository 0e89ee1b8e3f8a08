"""`tui-manager managers`: lists the managers that share one database. Each command has a file of
its own, which is imported only when the command is called. The columns are in
`printing/list_and_show/list_tables.py`."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from tui_manager.cli.printing.list_and_show.list_tables import manager_table
from tui_manager.cli.printing.write_text import note_storage_trouble, write, write_json
from tui_manager.client.connection import connect_operator
from tui_manager.domain.manager.gateway import Gateway
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.domain.presentation.json_fields import manager_shape
from tui_manager.settings import Settings


def run_managers(settings: Settings, *, as_json: bool) -> int:
    """Prints the managers, and returns the exit status."""
    managers, status = asyncio.run(_read(settings))
    if as_json:
        write_json([manager_shape(manager) for manager in managers])
    else:
        write(manager_table(managers, datetime.now(UTC)))
    note_storage_trouble(status)
    return 0


async def _read(settings: Settings) -> tuple[Sequence[Gateway], ManagerStatus]:
    async with connect_operator(settings.state_dir) as operator:
        return await operator.list_managers(), await operator.manager_status()
