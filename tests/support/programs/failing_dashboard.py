"""The program with a screen that fails: the help cannot be opened. Started as a script."""

import sys
from typing import NoReturn

from tui_manager.cli.main import main
from tui_manager.ui.frame.help import HelpScreen


def fail(_: HelpScreen) -> NoReturn:
    """As a fault of ours would."""
    raise KeyError("help")


if __name__ == "__main__":
    HelpScreen.compose = fail  # type: ignore[method-assign, assignment]
    sys.exit(main())
