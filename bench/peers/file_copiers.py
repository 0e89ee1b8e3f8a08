"""Who copies: each of them copies a file, or a folder, to all hosts."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers.command_runners import ansible_environment, output_of
from bench.peers.sshd import PROGRAM, Sshd, names, sshd
from bench.under_test.helper_processes import worker
from bench.under_test.manager_process import program
from bench.under_test.real_agents import OWN_FOLDER, RealFleet, real_fleet


@dataclass(frozen=True, slots=True, eq=False)
class Copier:
    """One way to do it.

    Attributes:
        places: the folder of each host into which the source is copied.
        copy: copies a source into them.
    """

    name: str
    places: Sequence[Path]
    copy: Callable[[Path], Awaitable[object]]


@asynccontextmanager
async def copiers(folder: Path, made: Path, count: int) -> AsyncIterator[list[Copier]]:
    """Ours, and those of the peers that are set up.

    Args:
        made: where `setup.sh` has put their environments.
    """
    async with AsyncExitStack() as stack:
        found = [_ours(await stack.enter_async_context(real_fleet(count)))]
        if os.access(PROGRAM, os.X_OK):
            world = await stack.enter_async_context(sshd(folder / "ssh"))
            if os.access(clush := made / "clustershell/bin/clush", os.X_OK):
                found.append(_clush(clush, world, folder / "clush", count))
            if os.access(ansible := made / "ansible/bin/ansible", os.X_OK):
                found.append(_ansible(ansible, world, folder / "ansible", count))
            if os.access(python := made / "parallel-ssh/bin/python", os.X_OK):
                found.append(await _parallel_ssh(stack, python, world, folder / "pssh", count))
        yield found


def _ours(fleet: RealFleet) -> Copier:
    state = str(fleet.manager.state_dir)

    def copy(source: Path) -> Awaitable[object]:
        words = (str(program()), "copy", "--state-dir", state, "--recursive")
        return output_of((*words, "@all", str(source), OWN_FOLDER), {})

    return Copier("tui-manager copy", fleet.work_folders, copy)


def _places(folder: Path, hosts: Sequence[str]) -> list[Path]:
    places = [folder / host for host in hosts]
    for place in places:
        place.mkdir(parents=True)
    return places


def _clush(clush: Path, world: Sshd, folder: Path, count: int) -> Copier:
    """All hosts are one machine, and clush has one destination for all: they write the same file,
    which spares it the disk."""
    (place,) = _places(folder, ["all"])
    words = (str(clush), "-S", "-o", f"-F {world.warm}", "-w", ",".join(names(count)))

    def copy(source: Path) -> Awaitable[object]:
        return output_of((*words, "--copy", str(source), "--dest", str(place)), {})

    return Copier("clush --copy, connections kept", [place], copy)


def _ansible(ansible: Path, world: Sshd, folder: Path, count: int) -> Copier:
    inventory = world.folder / "inventory"
    inventory.write_text("\n".join(names(count)) + "\n")
    words = (str(ansible), "all", "-i", str(inventory), "-f", str(count), "-m", "copy", "-a")

    def copy(source: Path) -> Awaitable[object]:
        arguments = f"src={source} dest={folder}/{{{{inventory_hostname}}}}/"
        return output_of((*words, arguments), ansible_environment(world))

    return Copier("Ansible copy", _places(folder, names(count)), copy)


async def _parallel_ssh(
    stack: AsyncExitStack, python: Path, world: Sshd, folder: Path, count: int
) -> Copier:
    arguments = (world.port, world.user, world.key, count)
    kept = await stack.enter_async_context(
        worker("bench.peers.kept_connections", *arguments, python=str(python))
    )

    def copy(source: Path) -> Awaitable[object]:
        return kept.ask("copy", source, folder)

    places = _places(folder, [str(number) for number in range(count)])
    return Copier("parallel-ssh scp, connections kept", places, copy)
