"""The dashboard as `tui-manager` runs it, with a clock that notes how late its loop is.

`python -m bench.screen.app FILE OPTIONS…` takes the options of `tui-manager`, and writes to FILE, a
line each, when a timer should have run (monotonic seconds) and how late it did.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import TextIO

from tui_manager.cli.main import main
from tui_manager.ui import app

EVERY = 0.01  # seconds


class MeasuredApp(app.DashboardApp):
    """Nothing is different but the clock."""

    CSS_PATH = str(Path(app.__file__).with_name("app.tcss"))  # else looked for beside this file
    lateness: TextIO
    _measuring: "asyncio.Task[None] | None" = None

    def on_mount(self) -> None:
        """Starts the clock; Textual calls the app's own beside this."""
        self._measuring = asyncio.create_task(self._measure())

    async def on_unmount(self) -> None:
        """Stops the clock."""
        if self._measuring:
            self._measuring.cancel()

    async def _measure(self) -> None:
        while True:
            due = time.monotonic() + EVERY
            await asyncio.sleep(EVERY)
            self.lateness.write(f"{due:.4f} {time.monotonic() - due:.5f}\n")


if __name__ == "__main__":
    with Path(sys.argv[1]).open("w", buffering=1) as lateness:
        MeasuredApp.lateness = lateness
        app.DashboardApp = MeasuredApp  # type: ignore[misc]
        sys.exit(main(sys.argv[2:]))
