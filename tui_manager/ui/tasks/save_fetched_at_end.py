"""Saves the files that tasks fetch when these tasks have ended, into the folders that were named in
the form."""

from collections.abc import AsyncIterator

from tui_manager.domain.errors import InvalidInputError, ManagerError, NotFoundError
from tui_manager.operator.api import Operator
from tui_manager.ui.forms.files.save_fetched_files import folder_of, save_rows


class FetchSaver:
    """The tasks whose files are to be saved when they have ended."""

    def __init__(self) -> None:
        self._folders: dict[int, str] = {}

    def follow(self, task_id: int, folder: str) -> None:
        """Saves the files of a task when it has ended."""
        self._folders[task_id] = folder

    @property
    def waits(self) -> bool:
        """Whether there are such tasks."""
        return bool(self._folders)

    async def save_ended(self, operator: Operator) -> AsyncIterator[tuple[str, bool]]:
        """Saves the files of the tasks that have ended. What it gives is said to the operator, with
        whether something is wrong. May raise ManagerError; then the next call tries again."""
        for task_id, name in [*self._folders.items()]:
            try:
                task = (await operator.get_task(task_id)).task
            except NotFoundError:
                del self._folders[task_id]
                continue
            if not task.status.ended:
                continue
            try:
                folder = await folder_of(name)
                saved = await save_rows(operator, task_id, folder)
            except (InvalidInputError, ManagerError) as error:
                yield f"Not all files of #{task_id} are saved: {error}", True
            else:
                if saved.hosts or saved.problems:
                    yield f"#{task_id}: {saved.words(folder)}", bool(saved.problems)
                else:
                    yield f"#{task_id} has fetched no files to save in {folder}.", True
            del self._folders[task_id]
