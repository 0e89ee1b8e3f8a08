"""`tui-manager notifications`: who receives notifications, and a test of one. Each command has a
file of its own, which is imported only when the command is called."""

import argparse
import asyncio
from collections.abc import Sequence

from tui_manager.cli.exit_status import NOT_COMPLETED
from tui_manager.cli.printing.list_and_show.receiver_table import receiver_table
from tui_manager.cli.printing.write_text import note_storage_trouble, write, write_json
from tui_manager.client.connection import connect_operator
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.domain.manager.notification import Answer, Outcome, ReceiverStatus
from tui_manager.domain.presentation.json_fields import receiver_shape
from tui_manager.domain.text.safe_text import safe_text
from tui_manager.settings import Settings


def run_notifications(settings: Settings, options: argparse.Namespace) -> int:
    """Runs the command, and returns the exit status."""
    if options.notifications_action == "test":
        answer = asyncio.run(_test(settings, options.receiver))
        write(f"{options.receiver}: {answer.outcome}: {safe_text(answer.text)}\n")
        return 0 if answer.outcome is Outcome.DELIVERED else NOT_COMPLETED
    receivers, status = asyncio.run(_read(settings))
    if options.json:
        write_json([receiver_shape(receiver) for receiver in receivers])
    else:
        write(receiver_table(receivers))
    note_storage_trouble(status)
    return 0


async def _test(settings: Settings, name: str) -> Answer:
    async with connect_operator(settings.state_dir) as operator:
        return await operator.test_receiver(name)


async def _read(settings: Settings) -> tuple[Sequence[ReceiverStatus], ManagerStatus]:
    async with connect_operator(settings.state_dir) as operator:
        return await operator.list_receivers(), await operator.manager_status()
