"""Saves what a task has fetched from its hosts into a folder of this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from tui_manager.domain.errors import InvalidInputError, NotFoundError, StorageError
from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.text.number_format import count_of, size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.operator.api import Operator
from tui_manager.operator.local_files.download_fetched_files import download_fetched_files
from tui_manager.operator.local_files.write_fetched_files import Saved

_PROBLEMS_SHOWN = 3


@dataclass
class SavedFiles:
    """What was saved so far.

    Attributes:
        hosts: whose files are saved.
        failed: files that were not saved.
        problems: sentences on the first of these.
    """

    hosts: int = 0
    files: int = 0
    bytes: int = 0
    unchanged: int = 0
    renamed: int = 0
    failed: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, host: str, saved: Saved) -> None:
        """Counts what was saved of one host."""
        self.hosts += bool(saved.files or not saved.failed)
        self.files += saved.files
        self.bytes += saved.bytes
        self.unchanged += saved.unchanged_files
        self.renamed += saved.renamed
        self.failed += saved.failed
        self.problems += (f"{host}: {problem}" for problem in saved.problems)

    def words(self, folder: Path) -> str:
        """`Saved 12 files, 3.4 MB, of 3 hosts in /home/ana/logs. 2 were there already.`"""
        of = (
            f"{count_of(self.files, 'file')}, {size(self.bytes)}, of {count_of(self.hosts, 'host')}"
        )
        texts = [f"Saved {of} in {folder}." if self.hosts else f"Nothing is saved in {folder}."]
        if self.unchanged:
            texts.append(f"{self.unchanged:,} {_were(self.unchanged)} there already.")
        if self.renamed:
            texts.append(f"{self.renamed:,} {_have(self.renamed)} another name here.")
        shown = self.problems[:_PROBLEMS_SHOWN]
        if self.failed:
            texts.append(f"{count_of(self.failed, 'file')} {_were(self.failed)} not saved:")
        texts += map(safe_line, shown)
        return " ".join(texts)


async def rows_with_files(
    operator: Operator, task_id: int, host_ids: Collection[str] | None = None
) -> AsyncIterator[CommandHost]:
    """The rows of a task that have fetched something; None: of all hosts. May raise
    ManagerError."""
    offset, more = 0, True
    while more:
        page = await operator.list_command_hosts(task_id, Window(offset=offset, limit=LIMIT_MAX))
        for row in page.rows:
            has_files = row.status.ended and row.transfer is not None and row.transfer.stored
            if has_files and (host_ids is None or row.host_id in host_ids):
                yield row
        offset += len(page.rows)
        more = bool(page.rows) and offset < page.matching


async def folder_of(text: str) -> Path:
    """The folder that is typed, which is made if it is missing. Raises InvalidInputError."""
    try:
        path = await asyncio.to_thread(lambda: Path(text).expanduser().absolute())
        await asyncio.to_thread(path.mkdir, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError("folder", f"{text}: {error.strerror or error}.") from error
    except (ValueError, RuntimeError) as error:  # a NUL in it; a ~name that nobody has
        raise InvalidInputError("folder", f"{text}: {error}.") from error
    return path


async def save_rows(
    operator: Operator,
    task_id: int,
    folder: Path,
    host_ids: Collection[str] | None = None,
    on_progress: Callable[[SavedFiles], None] | None = None,
) -> SavedFiles:
    """Saves the files of these hosts, or of all. A host whose files cannot be had is a problem; the
    others go on. May raise ManagerError, after which a further call goes on.

    Args:
        folder: is there; each host has a folder of its own in it.
        on_progress: called after each host.
    """
    saved = SavedFiles()
    async for row in rows_with_files(operator, task_id, host_ids):
        saved.add(row.host, await _save_row(operator, row, folder))
        if on_progress is not None:
            on_progress(saved)
    return saved


async def _save_row(operator: Operator, row: CommandHost, folder: Path) -> Saved:
    """Saves the files of one host. If the manager cannot give them, or not all, the others count as
    failed."""
    assert row.transfer is not None
    assert row.transfer.stored is not None
    saved = Saved()

    def keep(now: Saved) -> None:
        nonlocal saved
        saved = now

    try:
        return await download_fetched_files(operator, row.transfer.stored, folder, row.host, keep)
    except (NotFoundError, StorageError) as error:
        failed = max(1, row.transfer.files - saved.files)
        return replace(saved, failed=failed, problems=[str(error), *saved.problems])


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"
