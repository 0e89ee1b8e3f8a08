"""Renders the pictures of the documents, from a seeded fleet with a fixed clock. Each picture has
the colours of the dark theme, and those of the light one for whoever prefers light pages."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from textual.strip import Strip

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from screenshots.story import SIZE, settle, story  # noqa: E402
from screenshots.terminal_svg import animation, cells_of, still  # noqa: E402
from tests.support.seeded.seeded_fleet import seeded_fleet  # noqa: E402
from tests.support.seeded.seeded_managers import add_managers  # noqa: E402
from tui_manager.ui.app import DashboardApp  # noqa: E402
from tui_manager.ui.drawing.theme import THEMES  # noqa: E402
from tui_manager.ui.preferences import Preferences, ThemeName  # noqa: E402

SMALL, USUAL = (80, 24), (120, 36)
SHOTS: dict[str, Sequence[str]] = {
    "dashboard": ("down",),
    "task": ("down", "enter"),
    "groups": ("down", "enter", "equals_sign", "down", "d"),
    "hosts": ("2", "down", "down"),
    "host": ("2", "slash", *"web06", "enter", "enter"),
    "tasks": ("3", "down"),
    "audit": ("4", "down"),
    "managers": ("4",),
    "schedules": ("5",),
    "run-template": ("5", "shift+tab", "shift+tab", "down", "enter", *"OPS-12"),
    "new-task": ("n", *"role=web", "tab", *"apt-get -y upgrade"),
    "rerun": ("3", "end", "up", "r"),
    "approve": ("2", "a"),
    "palette": ("colon", *"again"),
    "help": ("question_mark",),
}
OTHER_THEMES = {"dashboard-light": ThemeName.LIGHT, "dashboard-contrast": ThemeName.CONTRAST}


SEVERAL = ("managers",)  # pictures of three managers on one database, of which one is not heard


async def draw(
    size: tuple[int, int], keys: Sequence[str], theme: ThemeName, *, several: bool = False
) -> Sequence[Strip]:
    """The lines of the screen after these keys."""
    fleet = await seeded_fleet()
    if several:
        add_managers(fleet)
    app = DashboardApp(fleet.open, now=fleet.now, preferences=Preferences(theme=theme))
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press(*keys)
        await settle(pilot)
        return lines_of(app)


async def draw_story(theme: ThemeName) -> tuple[Sequence[Sequence[Strip]], Sequence[float]]:
    """The frames of the story, and for how many seconds each is seen."""
    fleet = await seeded_fleet()
    app = DashboardApp(fleet.open, now=fleet.now, preferences=Preferences(theme=theme))
    frames, seconds = [], []
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        async for duration in story(pilot, fleet):
            frames.append(lines_of(app))
            seconds.append(duration)
    return frames, seconds


def lines_of(app: DashboardApp) -> Sequence[Strip]:
    """The lines of the screen as they are drawn now."""
    return app.screen._compositor.render_strips()


def grounds(dark: ThemeName, light: ThemeName) -> tuple[str, str]:
    """The backgrounds of two themes."""
    one, other = THEMES[dark].background, THEMES[light].background
    assert one is not None
    assert other is not None
    return one, other


async def shoot(size: tuple[int, int], name: str) -> str:
    """The picture in the dark theme, and in the light one."""
    keys, several = SHOTS[name], name in SEVERAL
    dark = await draw(size, keys, ThemeName.DARK, several=several)
    light = await draw(size, keys, ThemeName.LIGHT, several=several)
    return still(cells_of(dark, light), grounds(ThemeName.DARK, ThemeName.LIGHT))


async def tell_story() -> str:
    """The animated picture."""
    dark, seconds = await draw_story(ThemeName.DARK)
    light, _ = await draw_story(ThemeName.LIGHT)
    frames = [cells_of(one, other) for one, other in zip(dark, light, strict=True)]
    return animation(frames, seconds, grounds(ThemeName.DARK, ThemeName.LIGHT))


async def main() -> None:
    """All pictures, beside this file."""
    for name in SHOTS:
        (HERE / f"{name}.svg").write_text(await shoot(USUAL, name), encoding="utf-8")
        (HERE / f"{name}-80x24.svg").write_text(await shoot(SMALL, name), encoding="utf-8")
    (HERE / "story.svg").write_text(await tell_story(), encoding="utf-8")
    for name, theme in OTHER_THEMES.items():
        lines = await draw(USUAL, SHOTS["dashboard"], theme)
        picture = still(cells_of(lines, lines), grounds(theme, theme))
        (HERE / f"{name}.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
