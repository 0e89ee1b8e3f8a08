"""The part of the operator's API that is about schedules; see `api.py`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tui_manager.domain.lists.list_window import Page, Window
    from tui_manager.domain.schedules.schedule import (
        Schedule,
        ScheduleDetail,
        ScheduleRun,
        ScheduleSpec,
    )


class ScheduleCalls(Protocol):
    """What an operator can see of schedules and do with them. All of them raise NotFoundError for a
    name that no schedule has."""

    async def add_schedule(self, spec: ScheduleSpec, request_id: str = "") -> Schedule:
        """Makes a schedule. The same `request_id`, a UUID, returns the same one. InvalidInputError
        names what is wrong (cron, zone, template, param…); IllegalMoveError if there is a schedule
        of this name."""
        ...

    async def edit_schedule(self, spec: ScheduleSpec, revision: int) -> Schedule:
        """Gives a schedule, that of the spec's name, another description; its history stays.
        InvalidInputError as `add_schedule`; IllegalMoveError if it was edited since this revision
        was read."""
        ...

    async def list_schedules(self, window: Window) -> Page[Schedule]:
        """Schedules by name. `text` matches name, cron, template and target; `faults_only` keeps
        those with a problem, or whose last due time was skipped; sort: name, next."""
        ...

    async def get_schedule(self, name: str) -> ScheduleDetail:
        """One schedule with its next due times."""
        ...

    async def list_schedule_runs(self, name: str, window: Window) -> Page[ScheduleRun]:
        """What became of the due times of a schedule, the newest first."""
        ...

    async def preview_schedule(self, cron: str, zone: str, count: int = 5) -> Sequence[datetime]:
        """The next due times of a cron expression in a zone, up to 20; fewer if it is not due more
        often. InvalidInputError("cron"), InvalidInputError("zone")."""
        ...

    async def pause_schedule(self, name: str) -> None:
        """Nothing is due until it is resumed. IllegalMoveError if it is paused."""
        ...

    async def resume_schedule(self, name: str) -> None:
        """Ends a pause. IllegalMoveError if it is not paused."""
        ...

    async def run_schedule(self, name: str, request_id: str = "") -> int:
        """Starts its task now, whatever is due, also while it is paused, and returns the task_id.
        The same `request_id`, a UUID, returns the same task. InvalidInputError if the task cannot
        be started; IllegalMoveError while a task of it has not ended."""
        ...

    async def delete_schedule(self, name: str) -> None:
        """Deletes a schedule with its history. Its tasks stay, and what runs goes on."""
        ...
