"""What is asked and said when the operator quits."""

from tui_manager.ui.link import Link
from tui_manager.ui.render.figures import count_of
from tui_manager.ui.screens.confirm import Question

GOES_ON = "The manager goes on in its own process."


def quit_question(link: Link) -> Question | None:
    """None when nothing runs in this process that would stop."""
    running = link.status.tasks_running if link.status else 0
    if link.joined or not running or link.trouble:
        return None
    return Question(
        "Quit?",
        (
            f"The manager stops; {count_of(running, 'task')} {'is' if running == 1 else 'are'} "
            "running.",
            "Running commands go on on their hosts and are picked up at the next start.",
        ),
        "Quit",
    )
