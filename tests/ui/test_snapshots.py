"""What the screens look like, from a seeded fleet and a fixed clock."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.seeded.seeded_fleet import words
from tests.support.seeded.seeded_managers import add_managers
from tests.support.seeded.seeded_transfers import add_copy, add_fetch
from tests.ui.conftest import draw_each_change, press, settle, threads_done
from tui_manager.domain.status import Admission
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.preferences import Preferences, ThemeName

Compare = Callable[..., bool]

SMALL, USUAL, LARGE = (80, 24), (120, 36), (200, 50)
TASK = ("3", "home", "down", "enter")
TEMPLATE = ("5", "shift+tab", "shift+tab", "down")
# The keys to each screen. Every one is drawn in three sizes, in light colours and without any.
SCREENS: dict[str, Sequence[str]] = {
    "dashboard": ("down",),
    "hosts": ("2",),
    "host": ("2", "slash", *"web06", "enter", "enter"),
    "tasks": ("3",),
    "task": TASK,
    "groups": (*TASK, "equals_sign", "down", "d"),
    "manager": ("4", "down"),
    "schedules": ("5",),
    "templates": TEMPLATE,
    "new_task": ("n", *"role=web", "tab", *"uptime"),
}
# What opens on them, each in the sizes that matter.
OPENED: dict[str, tuple[Sequence[str], Sequence[tuple[int, int]]]] = {
    "run_template": ((*TEMPLATE, "enter", *"ops"), (SMALL, USUAL, LARGE)),
    "edit_schedule": (("5", "e"), (SMALL,)),
    "add_schedule": (("5", "a"), (USUAL,)),
    "template_schedule": ((*TEMPLATE, "a"), (LARGE,)),
    "new_task_wrong": (("n", *"role=web", "tab", *"uptime", "tab", "tab", *"5x"), (SMALL,)),
    "rerun": (("3", "end", "up", "r"), (SMALL, USUAL)),
    "cancel": ((*TASK, "c"), (SMALL,)),
    "approve": (("2", "a"), (SMALL,)),
    "revoke": (("2", *["down"] * 9, "x"), (SMALL,)),
    "join_token": (("J", "tab", "0", "tab", *"env=prod", "tab", "space"), (SMALL,)),
    "join_line": (("J", "f5"), (SMALL, (160, 48))),
    "palette": (("colon", *"again"), (SMALL, USUAL)),
    "help": (("question_mark",), (SMALL, USUAL, LARGE)),
    "notices": (("3", "a", "x", "i"), (SMALL, USUAL)),
    "filtered": (("2", "slash", *"role=web", "enter", "exclamation_mark"), (USUAL,)),
    "too_small": ((), ((58, 14),)),
}


# A hint in it takes its place only after it was drawn once.
DRAWN_MORE_THAN_ONCE = ("template_schedule_200x50",)


@dataclass(frozen=True)
class Case:
    """What is drawn."""

    keys: Sequence[str]
    size: tuple[int, int]
    theme: ThemeName = ThemeName.DARK
    colours: bool = True


def cases() -> dict[str, Case]:
    """All pictures by name."""
    made = {}
    for name, keys in SCREENS.items():
        for size in (SMALL, USUAL, LARGE):
            made[f"{name}_{size[0]}x{size[1]}"] = Case(keys, size)
        made[f"{name}_light"] = Case(keys, USUAL, ThemeName.LIGHT)
        made[f"{name}_no_color"] = Case(keys, SMALL, colours=False)
    for name, (keys, sizes) in OPENED.items():
        for size in sizes:
            made[f"{name}_{size[0]}x{size[1]}"] = Case(keys, size)
    for theme in (ThemeName.TERMINAL, ThemeName.CONTRAST):
        made[f"dashboard_{theme}"] = Case(SCREENS["dashboard"], USUAL, theme)
        made[f"cancel_{theme}"] = Case(OPENED["cancel"][0], SMALL, theme)
    return made


CASES = cases()


@pytest.mark.parametrize("name", list(CASES))
def test_screen(
    name: str, fleet: FakeOperator, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    if name in DRAWN_MORE_THAN_ONCE:
        draw_each_change(monkeypatch)
    if not case.colours:
        monkeypatch.setenv("NO_COLOR", "1")
    preferences = Preferences(theme=case.theme)
    app = DashboardApp(fleet.open, now=fleet.now, preferences=preferences)

    async def before(pilot: "Pilot[None]") -> None:
        await settle(pilot)
        assert isinstance(pilot.app.screen, MainScreen)
        pilot.app.screen.tick()  # how far tasks are is read once a second
        await settle(pilot)
        await press(pilot, *case.keys)
        if compares := [worker for worker in pilot.app.workers if worker.group == "group text"]:
            await pilot.app.workers.wait_for_complete(compares)  # in a thread
            await settle(pilot)

    assert snap_compare(app, terminal_size=case.size, run_before=before)


def test_a_name_that_another_host_has(fleet: FakeOperator, snap_compare: Compare) -> None:
    fleet.add_host(
        "web02",
        host_id="twin",
        admission=Admission.PENDING,
        fingerprint=words("twin"),
        note=f"The name web02 is also that of web02, which is admitted ({words('web02')}, machine "
        "4c1f2ab1d0e04c27a9a2b1ffbc0d7a11, last seen from 10.0.0.9:40112).",
    )
    app = DashboardApp(fleet.open, now=fleet.now)

    async def before(pilot: "Pilot[None]") -> None:
        await settle(pilot)
        await press(pilot, "2", "down", "a")

    assert snap_compare(app, terminal_size=(120, 36), run_before=before)


@pytest.mark.parametrize("size", [SMALL, USUAL, LARGE])
@pytest.mark.parametrize("screen", ["manager", "host"])
def test_several_managers(
    screen: str, size: tuple[int, int], fleet: FakeOperator, snap_compare: Compare
) -> None:
    add_managers(fleet)
    app = DashboardApp(fleet.open, now=fleet.now)

    async def before(pilot: "Pilot[None]") -> None:
        await settle(pilot)
        await press(pilot, *SCREENS[screen])

    assert snap_compare(app, terminal_size=size, run_before=before)


COPY_FORM = ("C", *"role=web", "tab", *"app.conf", "tab", *"/srv/app/", "tab", "tab", "space")
FETCH_FORM = ("F", *"role=db", "tab", *"/var/log/postgresql", "tab", "space", "tab", *"./logs")
FILES = {
    "copy": Case(("3", "home", "down", "enter"), USUAL),
    "fetch": Case(("3", "home", "enter", "end"), USUAL),
    "save_files": Case(("3", "home", "enter", "end", "ctrl+s", "tab", "space"), SMALL),
    "copy_form": Case(COPY_FORM, SMALL),
    "kind": Case(("C", "shift+tab"), SMALL),
    "fetch_form": Case(FETCH_FORM, SMALL),
}
FILES_CASES = {
    **{f"{name}_{case.size[0]}x{case.size[1]}": case for name, case in FILES.items()},
    **{f"copy_{w}x{h}": Case(FILES["copy"].keys, (w, h)) for w, h in (SMALL, LARGE)},
    **{f"copy_form_{w}x{h}": Case(COPY_FORM, (w, h)) for w, h in (USUAL, LARGE)},
    "copy_light": Case(FILES["copy"].keys, USUAL, ThemeName.LIGHT),
    "copy_no_color": Case(FILES["copy"].keys, SMALL, colours=False),
    "copy_form_light": Case(COPY_FORM, USUAL, ThemeName.LIGHT),
    "copy_form_no_color": Case(COPY_FORM, SMALL, colours=False),
    "fetch_80x24": Case(FILES["fetch"].keys, SMALL),
}


@pytest.mark.parametrize("name", list(FILES_CASES))
def test_files(
    name: str,
    fleet: FakeOperator,
    snap_compare: Compare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "getcwd", lambda: "/home/ana")  # of the absolute path that is shown
    (tmp_path / "app.conf").write_bytes(b"port = 80\n" * 150)
    case = FILES_CASES[name]
    if not case.colours:
        monkeypatch.setenv("NO_COLOR", "1")
    app = DashboardApp(fleet.open, now=fleet.now, preferences=Preferences(theme=case.theme))

    async def before(pilot: "Pilot[None]") -> None:
        await add_copy(fleet)
        await add_fetch(fleet)
        await settle(pilot)
        await press(pilot, *case.keys)
        await threads_done(pilot, "look")

    assert snap_compare(app, terminal_size=case.size, run_before=before)


@pytest.mark.parametrize("security", ["mTLS", "insecure"])
def test_empty(security: str, snap_compare: Compare) -> None:
    fleet = FakeOperator()
    fleet.security = security
    app = DashboardApp(fleet.open, now=fleet.now)
    assert snap_compare(app, terminal_size=(80, 24), run_before=settle)
