"""What is asked if another operator has edited or deleted a schedule while its form was open."""

from typing import Any

from textual.app import App

from tui_manager.domain.errors import ManagerError, NotFoundError
from tui_manager.domain.schedules.schedule import Schedule
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.operator.api import Operator
from tui_manager.ui.drawing.schedule_words import source_text
from tui_manager.ui.forms.confirm import ConfirmScreen, Question


def edited_question(theirs: Schedule) -> Question:
    """The question whether to overwrite the change of another operator."""
    spec = theirs.spec
    name = safe_line(spec.name)
    return Question(
        f"Save over another edit of {name}?",
        (
            "Another operator has edited it while the form was open. It is now:",
            f"  {safe_line(spec.cron)} in {safe_line(spec.zone)}, {source_text(spec)}"
            f"{', paused' if theirs.paused else ''}",
            "That edit is lost.",
        ),
        "Save over it",
    )


def deleted_question(begun: Schedule) -> Question:
    """The question whether to add a deleted schedule again."""
    paused = "It is paused again, as it was. " if begun.paused else "It runs when it is due next. "
    return Question(
        f"Add {safe_line(begun.spec.name)} again?",
        (
            "Another operator has deleted it while the form was open.",
            f"{paused}Its history does not come back.",
        ),
        "Add it again",
        destructive=False,
    )


async def agreed_revision(
    app: App[Any], operator: Operator, begun: Schedule, error: ManagerError
) -> int | None:
    """Asks what to do with a schedule that could not be saved.

    Args:
        begun: the schedule as the form has begun with it, with the revision that was saved over
            last.
        error: why it could not be saved.

    Returns:
        The revision to save over; 0: add it again; None: the operator goes back to the form.

    Raises:
        ManagerError: `error`, as nobody else has changed it, or the manager does not answer.
    """
    try:
        theirs = (await operator.get_schedule(begun.spec.name)).schedule
    except NotFoundError:
        again = await app.push_screen_wait(ConfirmScreen(deleted_question(begun)))
        return 0 if again else None
    if theirs.revision == begun.revision:
        raise error
    if await app.push_screen_wait(ConfirmScreen(edited_question(theirs))):
        return theirs.revision
    return None
