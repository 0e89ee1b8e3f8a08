"""Renders the pictures of the documents, from a seeded fleet with a fixed clock."""

import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.support.seeded_fleet import seeded_fleet  # noqa: E402
from tui_manager.ui.app import DashboardApp  # noqa: E402

SHOTS: dict[str, tuple[tuple[int, int], Sequence[str]]] = {
    "dashboard": ((120, 36), ("down",)),
    "dashboard-light": ((120, 36), ("down", "t")),
    "dashboard-80x24": ((80, 24), ("down",)),
    "task": ((120, 36), ("down", "enter")),
    "groups": ((120, 36), ("down", "enter", "equals_sign", "down", "d")),
    "new-task": ((100, 28), ("n", *"role=web", "tab", *"apt-get -y upgrade")),
    "approve": ((120, 36), ("2", "a")),
    "audit": ((120, 36), ("4", "down")),
    "schedules": ((120, 36), ("5",)),
    "run-template": ((100, 28), ("5", "tab", "tab", "down", "enter", *"OPS-12")),
    "help": ((120, 36), ("question_mark",)),
}
# Textual names its ids by a checksum of the picture and fetches its font from a network.
_FONT_FACE = re.compile(r"\s*@font-face\s*\{.*?\}", re.DOTALL)
_ID = re.compile(r"terminal-\d+")
_FONTS = "Fira Code, DejaVu Sans Mono, Noto Sans Mono CJK SC, monospace"


async def shoot(name: str) -> str:
    """The picture as SVG text."""
    size, keys = SHOTS[name]
    fleet = await seeded_fleet()
    app = DashboardApp(fleet.open, now=fleet.now)
    async with app.run_test(size=size) as pilot:
        for _ in range(4):
            await pilot.pause()
        await pilot.press(*keys)
        for _ in range(4):
            await pilot.pause()
        svg = app.export_screenshot()
    svg = _ID.sub("terminal", _FONT_FACE.sub("", svg)).replace("Fira Code", _FONTS)
    return "\n".join(line.rstrip() for line in svg.splitlines()).strip() + "\n"


async def main() -> None:
    """All pictures, beside this file."""
    for name in SHOTS:
        (HERE / f"{name}.svg").write_text(await shoot(name), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
