"""Copies and fetches while programs die, streams break, and operators change their minds."""

import asyncio
import hashlib
import random
from pathlib import Path

from tests.faults.checks.checker import Allowed, check
from tests.faults.checks.file_checks import compare_fetched
from tests.faults.fleet.files_of_fleet import IN
from tests.faults.fleet.fleet import Fleet
from tests.faults.keeping import kept_alive
from tests.faults.scenarios.disks import fill, small_disk
from tests.faults.scenarios.running import all_ended, new_fleet, scenario
from tests.support.file_trees import MIB, OF_HOST, Tree, noise, odd_tree, partial_files
from tests.support.memory_folder import memory_folder
from tui_manager.domain.task_spec.task_spec import Offline

_HOSTS = ("h1", "h2")
_CUTS = 8


def _tree(seed: str, size: int = 3 * MIB) -> Tree:
    return {**odd_tree(), b"large": noise(seed, size), b"seed": seed.encode()}


async def _checked(fleet: Fleet, allowed: Allowed | None = None) -> None:
    await compare_fetched(fleet, fleet.files)
    check(fleet, allowed)


def _has_begun(fleet: Fleet, host: str) -> bool:
    """Whether a copy has a partial file on a host."""
    return bool(partial_files(fleet.files.disk(host) / IN))


def _statuses(fleet: Fleet, task_id: int) -> set[str]:
    rows = fleet.rows("SELECT status FROM command_hosts WHERE task_id = ?", task_id)
    return {str(row["status"]) for row in rows}


@scenario("connections cut again and again while files are on their way")
async def cut(seed: str) -> None:
    """It goes on at the byte: with every stream a little more is there."""
    tree, trees = _tree(seed, 8 * MIB), {host: _tree(f"{seed} {host}") for host in _HOSTS}
    async with new_fleet(seed, *_HOSTS) as fleet, kept_alive(fleet), fleet.files.watched():
        copy = await fleet.files.copy_of(tree, "place")
        fetch = await fleet.files.fetch_of(trees)
        task_id = await fleet.run("@all", copy, fetch, offline=Offline.WAIT)
        for _ in range(_CUTS):
            await asyncio.sleep(0.15)  # not for something to happen: it is cut whatever happens
            fleet.note(f"{fleet.proxy.cut()} connections cut")
        await all_ended(fleet, task_id)
        assert _statuses(fleet, task_id) == {"completed"}, fleet.explain()
        await _checked(fleet)


@scenario("two copies to one place at the same time")
async def one_place(seed: str) -> None:
    """The same names with other contents: each file is of one of them, whole."""
    async with new_fleet(seed, *_HOSTS) as fleet, fleet.files.watched():
        steps = [await fleet.files.copy_of(_tree(f"{seed} {which}"), "place") for which in "abc"]
        tasks = [await fleet.run("@all", step, offline=Offline.WAIT) for step in steps]
        await all_ended(fleet, *tasks)
        for task_id in tasks:
            assert _statuses(fleet, task_id) == {"completed"}, fleet.explain()
        await _checked(fleet)


@scenario("a copy canceled in the middle")
async def canceled(seed: str) -> None:
    """Nothing of it is left, and the old files stay."""
    tree: Tree = {b"large": noise(seed, 24 * MIB)}
    async with new_fleet(seed, *_HOSTS) as fleet, fleet.files.watched():
        old = await fleet.files.copy_of({b"large": b"old", b"other": b"old"}, "place")
        await all_ended(fleet, await fleet.run("@all", old, offline=Offline.WAIT))
        new = await fleet.files.copy_of(tree, "place")
        with fleet.proxy.delayed(0.05):
            task_id = await fleet.run("@all", new, offline=Offline.WAIT)
            await fleet.wait("it to begin", lambda: _has_begun(fleet, "h1"))
            await fleet.cancel(task_id)
            await all_ended(fleet, task_id)
        assert _statuses(fleet, task_id) == {"canceled"}, fleet.explain()
        for host in _HOSTS:
            assert (fleet.files.disk(host) / IN / "place/tree/large").read_bytes() == b"old"
        await _checked(fleet)


@scenario("managers and agents killed by turns while files are on their way")
async def killed_by_turns(seed: str) -> None:
    dice, size = random.Random(seed), 16 * MIB
    tree, trees = _tree(seed, size), {host: _tree(f"{seed} {host}", size) for host in _HOSTS}
    async with new_fleet(seed, *_HOSTS) as fleet, kept_alive(fleet), fleet.files.watched():
        copy = await fleet.files.copy_of(tree, "place")
        fetch = await fleet.files.fetch_of(trees)
        with fleet.proxy.delayed(0.01):
            task_id = await fleet.run("@all", copy, fetch, offline=Offline.WAIT)
            for node in (*fleet.nodes, *fleet.nodes):
                await asyncio.sleep(dice.uniform(0.2, 0.8))
                if node.alive:
                    await fleet.kill(node)
        await all_ended(fleet, task_id)
        assert _statuses(fleet, task_id) == {"completed"}, fleet.explain()
        await _checked(fleet)


@scenario("a source of a fetch that changes while it is read")
async def changing(seed: str) -> None:
    """What comes is a content that the file had, whole, or the fetch says that it changes."""
    contents = [noise(f"{seed} {number}", 2 * MIB) for number in range(20)]
    async with new_fleet(seed, "h1") as fleet:
        fetch = await fleet.files.fetch_of({"h1": {b"large": contents[0]}})
        assert fetch.fetch
        path = fleet.files.on_disk("h1", fetch.fetch.paths[0]) / "large"
        task_id = await fleet.run("h1", fetch, offline=Offline.WAIT)
        draft = fleet.host("h1") / "draft"
        for content in contents:
            await asyncio.to_thread(draft.write_bytes, content)
            draft.rename(path)
            await asyncio.sleep(0.02)  # not for something to happen: it changes whatever happens
        await all_ended(fleet, task_id)
        (row,) = fleet.rows("SELECT status, reason, detail FROM command_hosts")
        said = f"{row['status']} {row['reason']}: {row['detail']}"
        if row["status"] != "completed":
            assert said.startswith("failed transfer_failed"), f"{said}\n{fleet.explain()}"
            assert OF_HOST[1:] in row["detail"], f"{said}\n{fleet.explain()}"
            return
        hashes = {hashlib.sha256(content).hexdigest() for content in contents}
        (sha256,) = (each["sha256"] for each in fleet.rows("SELECT sha256 FROM transfers"))
        assert sha256 in hashes, f"{sha256} is none of the contents\n{fleet.explain()}"


@scenario("a host's disk full in the middle of a copy")
async def host_disk_full(seed: str) -> None:
    """The copy fails and leaves the old file, and nothing else."""
    async with new_fleet(seed) as fleet, fleet.files.watched():
        fleet.add_agent("h1")
        disk = fleet.files.disk("h1") / IN
        with small_disk(disk, "24m"):
            fleet.start_agent("h1")
            await fleet.online("h1")
            old = await fleet.files.copy_of({b"large": noise(seed, MIB)}, "place")
            await all_ended(fleet, await fleet.run("h1", old, offline=Offline.WAIT))
            new = await fleet.files.copy_of({b"large": noise(f"{seed} new", 16 * MIB)}, "place")
            with fleet.proxy.delayed(0.02):
                failing = await fleet.run("h1", new, offline=Offline.WAIT)
                await fleet.wait("it to begin", lambda: _has_begun(fleet, "h1"))
                fleet.note("the disk of the host is full")
                filler = fill(disk)
                await all_ended(fleet, failing)
            await _failed(fleet, failing, "No space left on device")
            assert (disk / "place/tree/large").read_bytes() == noise(seed, MIB), fleet.explain()
            filler.unlink()
            again = await fleet.run("h1", new, offline=Offline.WAIT)
            await all_ended(fleet, again)
            assert _statuses(fleet, again) == {"completed"}, fleet.explain()
            await _checked(fleet, Allowed(reasons={"transfer_failed"}))
            await fleet.kill(fleet.agents["h1"])


@scenario("the manager's disk full in the middle of a fetch")
async def manager_disk_full(seed: str) -> None:
    """The fetch fails, and another one completes when there is space again."""
    with memory_folder("faults-") as folder:
        fleet = Fleet(folder, seed)
        with small_disk(fleet.state_dir, "64m"):
            try:
                await fleet.start("h1")
                await _fetch_until_full(fleet)
            finally:
                await fleet.close()


async def _fetch_until_full(fleet: Fleet) -> None:
    fetch = await fleet.files.fetch_of({"h1": {b"large": noise(fleet.seed, 32 * MIB)}})
    with fleet.proxy.delayed(0.02):
        failing = await fleet.run("h1", fetch, offline=Offline.WAIT)
        files = fleet.state_dir / "files"
        await fleet.wait("it to begin", lambda: _size(files), lambda size: size > MIB)
        fleet.note("the disk of the manager is full")
        filler = fill(fleet.state_dir)
        said = "files not fetched"
        await fleet.wait(said, fleet.manager.text, lambda text: said in text)
    filler.unlink()
    await all_ended(fleet, failing)
    await _failed(fleet, failing, "No space left on device")
    again = await fleet.run("h1", fetch, offline=Offline.WAIT)
    await all_ended(fleet, again)
    assert _statuses(fleet, again) == {"completed"}, fleet.explain()
    await _checked(fleet, Allowed(reasons={"transfer_failed"}))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def _failed(fleet: Fleet, task_id: int, why: str) -> None:
    """On its only host, for this reason."""
    query = "SELECT status, reason, detail FROM command_hosts WHERE task_id = ?"
    (row,) = fleet.rows(query, task_id)
    said = f"{row['status']} {row['reason']}: {row['detail']}"
    assert said.startswith("failed transfer_failed"), f"{said}\n{fleet.explain()}"
    assert why in said, f"{said}\n{fleet.explain()}"
