"""The files of this machine that a command copies: reads them, says what is left out, gives them to
the manager, and shows the progress on a terminal."""

from types import TracebackType
from typing import Self

from tui_manager.cli.printing.status_line import clear_status, show_status
from tui_manager.cli.printing.write_text import note
from tui_manager.domain.text.number_format import size
from tui_manager.operator.file_calls import FileCalls
from tui_manager.operator.local_files.sources_of_task import TaskSources


class CopiedFiles:
    """The files that the copies of one task send.

    Attributes:
        read: reads those of one copy; `read_task_file` calls it.
    """

    def __init__(self) -> None:
        self.read = TaskSources(on_progress=_show_reading)

    def note_left_out(self) -> None:
        """Prints on stderr what is not sent."""
        clear_status()
        for sentence in self.read.left_out:
            note(sentence)

    async def upload(self, operator: FileCalls) -> None:
        """Gives all to the manager."""
        try:
            await self.read.upload(operator, _show_upload)
        finally:
            clear_status()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        clear_status()
        self.read.close()


def _show_reading(total: int, files: int) -> None:
    show_status(lambda: f"reading: {size(total)} in {files:,} files")


def _show_upload(sent: int, total: int) -> None:
    if sent == total:
        show_status(lambda: "the manager checks the files", at_once=True)
    else:
        show_status(lambda: f"giving the files to the manager: {size(sent)} of {size(total)}")
