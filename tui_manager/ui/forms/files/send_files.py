"""The files of this machine that a form copies: they are looked at while they are typed, read when
the task is made, and given to the manager."""

import asyncio
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet
from tui_manager.domain.text.number_format import count_of, size
from tui_manager.open_in_thread import open_in_thread
from tui_manager.operator.api import Operator
from tui_manager.operator.local_files.find_sources import find_sources
from tui_manager.operator.local_files.source_bytes import Sources
from tui_manager.operator.local_files.upload import upload

OnProgress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class FilesSummary:
    """What a look at some paths has shown.

    Attributes:
        note: `2 files, 14 kB, and 1 folder`.
        problem: why they cannot be copied; empty: nothing is wrong at the first look.
        folder: the name of the folder if it is the only source.
    """

    note: str = ""
    problem: str = ""
    folder: str = ""


async def summarize_files(paths: Sequence[str], *, recursive: bool) -> FilesSummary:
    """Looks whether the files are there, without reading them. A slow disk does not stop the
    screen."""
    return await asyncio.to_thread(_summarize, paths, recursive=recursive)


def _summarize(paths: Sequence[str], *, recursive: bool) -> FilesSummary:
    files, folders, total = 0, 0, 0
    for path in paths:
        try:
            found = Path(path).expanduser().stat()
        except OSError as error:
            return FilesSummary(problem=f"{path}: {error.strerror or error}.")
        except (RuntimeError, ValueError) as error:  # no such home folder; a NUL in the path
            return FilesSummary(problem=f"{path}: {error}.")
        if stat.S_ISDIR(found.st_mode):
            folders += 1
            if not recursive:
                return FilesSummary(
                    problem=f"{path} is a folder: tick Folders to copy what is in it."
                )
        elif not stat.S_ISREG(found.st_mode):
            return FilesSummary(problem=f"{path} is not a file.")
        elif not os.access(Path(path).expanduser(), os.R_OK):
            return FilesSummary(problem=f"{path}: Permission denied.")
        else:
            files, total = files + 1, total + found.st_size
    texts = [f"{count_of(files, 'file')}, {size(total)}"] if files else []
    texts += [count_of(folders, "folder")] if folders else []
    folder = _expanded(paths[0]).name if folders and len(paths) == 1 else ""
    return FilesSummary(note=" and ".join(texts), folder=folder)


class FilesToSend:
    """The files of one copy."""

    def __init__(self) -> None:
        self._sources: Sources | None = None

    async def read(
        self, paths: Sequence[str], *, recursive: bool, on_progress: OnProgress
    ) -> FileSet:
        """Reads and hashes the files, which may have changed since the last time. Raises
        InvalidInputError("files").

        Args:
            on_progress: called with the bytes that were read so far.
        """
        self.close()
        stop, say = Event(), _on_this_loop(on_progress)
        expanded = [_expanded(path) for path in paths]

        def read_all() -> Sources:
            return find_sources(expanded, recursive=recursive, on_progress=say, stop=stop.is_set)

        try:
            self._sources = await open_in_thread(read_all, Sources.close)
        except asyncio.CancelledError:
            stop.set()
            raise
        return self._sources.files

    @property
    def left_out(self) -> Sequence[str]:
        """What is in the folders and is not copied, with the reasons."""
        return self._sources.left_out if self._sources else ()

    async def send(self, operator: Operator, on_progress: OnProgress) -> None:
        """Gives the manager what it lacks. May raise ManagerError: a further call goes on where
        this one has ended.

        Args:
            on_progress: called with the bytes that the manager has.
        """
        if self._sources is not None:
            await upload(operator, self._sources, _on_this_loop(on_progress))

    def close(self) -> None:
        """Forgets what was read."""
        if self._sources is not None:
            self._sources.close()
            self._sources = None


def _on_this_loop(on_progress: OnProgress) -> Callable[[int, int], None]:
    """May be called by another thread, with the bytes so far and something else."""
    loop = asyncio.get_running_loop()

    def say(done: int, _other: int) -> None:
        loop.call_soon_threadsafe(on_progress, done)

    return say


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InvalidInputError("files", f"{path}: {error}.") from error
