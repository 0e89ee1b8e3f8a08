"""The files of this machine that the copies of one task send."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tui_manager.domain.task_spec.copy_and_fetch import FileSet
from tui_manager.operator.file_calls import FileCalls
from tui_manager.operator.local_files.find_sources import OnRead, find_sources
from tui_manager.operator.local_files.source_bytes import Sources
from tui_manager.operator.local_files.upload import OnUpload, upload


class TaskSources:
    """Reads the files that each copy of a task names, and gives all to the manager: a `ReadFiles`
    for `read_task_file`. Close it when the task is made.

    Args:
        folder: from which relative paths count.
        on_progress: is called with the bytes and files of a copy that are read.

    Attributes:
        all: the sources of each copy that was read.
    """

    def __init__(self, folder: Path = Path(), on_progress: OnRead | None = None) -> None:
        self.folder = folder
        self.all: list[Sources] = []
        self._on_progress = on_progress

    def __call__(self, paths: Sequence[str], *, recursive: bool) -> tuple[FileSet, Sequence[str]]:
        """The set that these files make, and their names, to be shown. Blocks.

        Args:
            paths: a byte that is not UTF-8 stands in them as Python's `surrogateescape` has it.

        Raises:
            InvalidInputError: ("files") a file cannot be copied.
        """
        found = [self._path(path) for path in paths]
        sources = find_sources(found, recursive=recursive, on_progress=self._on_progress)
        self.all.append(sources)
        return sources.files, sources.names

    def _path(self, path: str) -> bytes:
        typed = path.encode(errors="surrogateescape")
        return typed if self.folder == Path() else os.path.join(os.fsencode(self.folder), typed)

    @property
    def left_out(self) -> list[str]:
        """Sentences on what is not sent."""
        return [sentence for sources in self.all for sentence in sources.left_out]

    async def upload(self, operator: FileCalls, on_progress: OnUpload | None = None) -> None:
        """Gives them to the manager; see `upload`."""
        for sources in self.all:
            await upload(operator, sources, on_progress)

    def close(self) -> None:
        """Removes what was kept of them."""
        for sources in self.all:
            sources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
