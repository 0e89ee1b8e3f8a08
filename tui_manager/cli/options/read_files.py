"""Reads the files that become part of a task: task files, and the scripts and inputs that they
name. What reads task files is imported only for these."""

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.cli.options.values import file_path
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.script_and_stdin import CONTENT_LENGTH

if TYPE_CHECKING:
    from tui_manager.domain.task_files.task_file import TaskFile
    from tui_manager.operator.local_files.sources_of_task import TaskSources

STDIN = "-"  # instead of the name of a task file


@dataclass(frozen=True, slots=True)
class LoadedTaskFile:
    """A task file with what the files contain that it names.

    Attributes:
        name: for errors, `deploy.toml`.
        source: as it was written.
        folder: from which its relative paths count.
        names_files: it names scripts, inputs or files to copy by paths.
    """

    name: str
    source: str
    folder: Path
    names_files: bool
    task_file: "TaskFile"

    @property
    def text(self) -> str:
        """With its scripts and inputs in it. If it names no file, as it was written. Raises
        InvalidInputError if one of them is no text."""
        from tui_manager.domain.task_files.write_task_file import write_task_file

        return write_task_file(self.task_file) if self.names_files else self.source


def load_task_file(file: str, copied: "TaskSources") -> LoadedTaskFile:
    """Reads a task file, and the scripts, inputs and files to copy that it names by paths relative
    to it.

    Args:
        file: as typed; `-` is stdin, whose paths are relative to the current folder.
        copied: reads the files that are to be copied.

    Raises:
        InvalidInputError: a file cannot be read, or something in it is wrong.
    """
    from tui_manager.domain.task_files.task_file import read_task_file

    path = file_path(file)
    name = "stdin" if file == STDIN else path.name
    text = _text(name, _stdin() if file == STDIN else _contents(path))
    folder = Path() if file == STDIN else path.parent
    named: list[str] = []

    def read_content(content: str) -> bytes:
        named.append(content)
        return read_bytes(folder / file_path(content), CONTENT_LENGTH)

    copied.folder = folder
    task_file = read_task_file(text, name, read_content, copied)
    return LoadedTaskFile(name, text, folder, bool(named or copied.all), task_file)


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a regular file.

    Raises:
        OSError: it cannot be read.
        InvalidInputError: it is no regular file, of which a read might never end, or too long.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidInputError("file", "it is not a regular file.")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InvalidInputError("file", f"it has more than {limit} bytes.")
    return data


def _contents(path: Path) -> bytes:
    from tui_manager.domain.task_files.task_file import TASK_FILE_LENGTH

    try:
        return read_bytes(path, TASK_FILE_LENGTH)
    except OSError as error:
        raise InvalidInputError("file", f"{path}: {error.strerror or error}.") from error
    except InvalidInputError as error:
        raise InvalidInputError("file", f"{path}: {error}") from None


def _stdin() -> bytes:
    from tui_manager.domain.task_files.task_file import TASK_FILE_LENGTH

    data = sys.stdin.buffer.read(TASK_FILE_LENGTH + 1)
    if len(data) > TASK_FILE_LENGTH:
        raise InvalidInputError("file", f"stdin: it has more than {TASK_FILE_LENGTH} bytes.")
    return data


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            "file", f"{name}: it is not UTF-8 at byte {error.start + 1}."
        ) from None
