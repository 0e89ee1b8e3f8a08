"""`tui-manager audit`: lists who did what; like a log, the newest comes last. Each
command has a file of its own, which is imported only when the command is called. The columns are in
`printing/list_and_show/list_tables.py`."""

import argparse
import asyncio

from tui_manager.cli.printing.list_and_show.list_tables import audit_table
from tui_manager.cli.printing.write_text import note, write, write_json
from tui_manager.client.connection import connect_operator
from tui_manager.client.read_lists import newest_audit
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.presentation.json_fields import audit_shape
from tui_manager.settings import Settings


def run_audit(settings: Settings, options: argparse.Namespace) -> int:
    """Prints entries, and returns the exit status."""
    entries = asyncio.run(_read(settings, options.text, options.limit))
    if options.json:
        write_json([audit_shape(entry) for entry in entries])
    elif entries:
        write(audit_table(entries))
    elif options.text:
        note(f"Nothing in the audit has {options.text!r}.")
    else:
        note("Nothing in the audit yet.")
    return 0


async def _read(settings: Settings, text: str, limit: int) -> list[AuditEntry]:
    async with connect_operator(settings.state_dir) as operator:
        return await newest_audit(operator, text, limit)
