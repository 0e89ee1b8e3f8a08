"""The folders of this machine that get fetched files."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tui_manager.cli.options.values import file_path
from tui_manager.cli.printing.standard_streams import OutputError
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

NO_FOLDERS: Mapping[int, Path] = {}


def with_folders(spec: TaskSpec, base: Path) -> tuple[TaskSpec, Mapping[int, Path]]:
    """The task whose fetches name their folders by absolute paths, and these folders, by the index
    of the step.

    Args:
        base: from which relative paths count.
    """
    if not any(step.fetch for step in spec.commands):
        return spec, NO_FOLDERS
    folders: dict[int, Path] = {}
    steps = []
    for index, step in enumerate(spec.commands):
        if step.fetch is None or not step.fetch.to:
            steps.append(step)
            continue
        folders[index] = Path(os.path.abspath(base / file_path(step.fetch.to)))
        shown = os.fsencode(folders[index]).decode(errors="replace")
        steps.append(replace(step, fetch=replace(step.fetch, to=shown)))
    return replace(spec, commands=tuple(steps)), folders


def stored_folders(steps: Sequence[CommandSpec]) -> Mapping[int, Path]:
    """The folders for which the fetches of a task were made, by the index of the step."""
    return {
        index: file_path(step.fetch.to)
        for index, step in enumerate(steps)
        if step.fetch is not None and step.fetch.to.startswith("/")
    }


def make_folders(folders: Mapping[int, Path]) -> None:
    """Makes the folders that are missing. Raises OutputError."""
    for folder in folders.values():
        try:
            folder.mkdir(exist_ok=True)
        except FileExistsError:
            raise OutputError(
                f"{folder} is no folder, so that no files can be saved in it."
            ) from None
        except OSError as error:
            raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"The folder {folder} cannot be written: no permission.")
