"""What is asked and said when the operator quits."""

from tui_manager.ui.drawing.figures import count_of
from tui_manager.ui.forms.confirm import Question
from tui_manager.ui.manager_link import Link

GOES_ON = "The manager goes on in its own process."
STOPS = (
    "The manager stops.",
    "Running commands keep running on their hosts and are picked up at the next start.",
)


def quit_question(link: Link, leaving: str = "") -> Question | None:
    """None when nothing runs that would stop; `leaving` says what else ends with the app."""
    running = link.status.tasks_running if link.status else 0
    if link.joined or not running or link.trouble:
        return None
    what = f"{count_of(running, 'task')} {'is' if running == 1 else 'are'} running."
    lines = (leaving,) if leaving else STOPS
    return Question("Quit?", (what, *lines), "Quit")


def afterwards(*, joined: bool, leaving: str = "") -> str:
    """What becomes of the manager when the dashboard ends."""
    return GOES_ON if joined else leaving or " ".join(STOPS)
