"""`tui-manager audit`: lists who did what; like a log, the newest comes last."""

import argparse
import asyncio
from collections.abc import Mapping

from tui_manager.cli.printing.json_shapes import audit_shape
from tui_manager.cli.printing.text import local_time, note, table, write, write_json
from tui_manager.cli.reading import connect, newest_audit
from tui_manager.domain.audit import AuditEntry
from tui_manager.settings import Settings

_HEADER = ("WHEN", "WHO", "DID", "HOST", "TASK", "DETAIL")
_SHORTENED = tuple(map(_HEADER.index, ("DETAIL", "TASK", "WHO", "HOST")))


def run_audit(settings: Settings, options: argparse.Namespace) -> int:
    """Prints entries, and returns the exit status."""
    entries = asyncio.run(_read(settings, options.text, options.limit))
    if options.json:
        write_json([audit_shape(entry) for entry in entries])
    elif entries:
        write(table(_HEADER, [_row(entry) for entry in entries], stretch=_SHORTENED))
    elif options.text:
        note(f"Nothing in the audit has {options.text!r}.")
    else:
        note("Nothing in the audit yet.")
    return 0


async def _read(settings: Settings, text: str, limit: int) -> list[AuditEntry]:
    async with connect(settings.state_dir) as operator:
        return await newest_audit(operator, text, limit)


def _row(entry: AuditEntry) -> tuple[str, ...]:
    return (
        local_time(entry.at),
        entry.actor,
        entry.action,
        entry.host or "-",
        f"#{entry.task_id} {entry.task_name}".rstrip() if entry.task_id else "-",
        _detail(entry.detail) or "-",
    )


def _detail(detail: Mapping[str, str]) -> str:
    """`key=value`; a value with blanks is quoted, an empty one is left out."""
    shown = {key: f'"{value}"' if " " in value else value for key, value in detail.items()}
    return " ".join(f"{key}={value}" for key, value in sorted(shown.items()) if value)
