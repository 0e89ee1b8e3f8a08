"""Managers that are stopped and started one by one while tasks run, as in an upgrade."""

import shutil
from pathlib import Path

import tui_manager
from tests.faults.fleet.fleet import Fleet
from tests.faults.fleet.manager_of_fleet import ManagerOfFleet
from tests.faults.scenarios.running import new_fleet
from tests.faults.scenarios.several import (
    HOSTS,
    more_tasks_end,
    others,
    says,
    says_no_more,
    several,
    under_load,
)

_NEXT_VERSION = "999.0.0"
_MIGRATION = """
ALTER TABLE tasks ADD COLUMN of_next_version text NOT NULL DEFAULT '';
ALTER TABLE hosts ADD COLUMN of_next_version bigint;
CREATE TABLE next_version (id bigint PRIMARY KEY);
"""
_DIFFERENT = "Managers have different versions"


def _make_next_version(folder: Path) -> Path:
    """A copy of the manager's code with another version and one migration more, which only adds
    things; returns the folder in which Python finds it."""
    source = Path(tui_manager.__file__).parent
    code = folder / "next version"
    copy = code / source.name
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / "__init__.py").read_text()
    (copy / "__init__.py").write_text(text.replace(tui_manager.__version__, _NEXT_VERSION))
    migrations = copy / "storage" / "sql" / "postgresql"
    newest = max(int(path.name[:4]) for path in migrations.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    (migrations / f"{newest + 1:04}_next_version.sql").write_text(_MIGRATION)
    return code


async def _restart(fleet: Fleet, manager: ManagerOfFleet) -> None:
    """Ends a manager in order, and starts it again; tasks end without it and with it."""
    fleet.asked = others(fleet, manager)
    assert await fleet.terminate(manager.node) == 0, fleet.explain()
    await more_tasks_end(fleet)
    await fleet.start_manager(manager.node)
    fleet.asked = list(fleet.managers)
    await more_tasks_end(fleet)


@several("managers stopped and started one by one under load")
async def one_by_one(seed: str) -> None:
    async with new_fleet(seed, *HOSTS) as fleet, under_load(fleet):
        for manager in fleet.managers:
            await fleet.gather_agents(manager)
            await _restart(fleet, manager)


@several("managers replaced one by one by those of the next version, which has a migration")
async def next_version(seed: str) -> None:
    async with new_fleet(seed, *HOSTS) as fleet, under_load(fleet):
        code = _make_next_version(fleet.folder)
        for manager in fleet.managers:
            await fleet.gather_agents(manager)
            manager.node.code = code
            fleet.note(f"{manager.node.name} is replaced by the next version")
            await _restart(fleet, manager)
            if manager is not fleet.managers[-1]:
                await says(fleet, manager, _DIFFERENT, _NEXT_VERSION)
                await fleet.gather_agents(manager)
                await more_tasks_end(fleet)
        assert fleet.number("SELECT count(*) FROM next_version") == 0
        for manager in fleet.managers:
            await says_no_more(fleet, manager, _DIFFERENT)


@several("a manager of the old version started again after the next one's migration")
async def old_version_again(seed: str) -> None:
    """It is refused and says so; the others go on, of either version."""
    async with new_fleet(seed, *HOSTS) as fleet, under_load(fleet):
        first, second, _ = fleet.managers
        first.node.code = _make_next_version(fleet.folder)
        await _restart(fleet, first)
        await fleet.kill(second.node)
        fleet.asked = others(fleet, second)
        fleet.start_program(second.node)
        await fleet.ended(second.node)
        assert "was written by a newer tui-manager" in second.node.text(), fleet.explain()
        await more_tasks_end(fleet)
        second.node.code = first.node.code
        await fleet.start_manager(second.node)
        fleet.asked = list(fleet.managers)
        await more_tasks_end(fleet)
