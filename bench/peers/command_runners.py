"""Who runs: each of them runs one command on all hosts, and returns the bytes that came back."""

import asyncio
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.clean_up import end
from bench.peers import salt
from bench.peers.outcome import FailedError
from bench.peers.sshd import PROGRAM, Sshd, names, sshd
from bench.process_memory import cpu_of
from bench.under_test.fleet import run
from bench.under_test.helper_processes import worker
from bench.under_test.real_agents import RealFleet
from tui_manager.domain.lists.list_window import LIMIT_MAX, Window

Runs = Callable[[str], Awaitable[int]]
Used = Callable[[], float]  # CPU seconds until now
_FANOUT = "64"
_AT_ONCE = 200  # hosts that Ansible talks to at once


@dataclass(frozen=True, slots=True)
class CommandRunner:
    """One way to do it.

    Attributes:
        kept: whether it keeps its connections between two commands.
        hosts: on which it runs the command.
        stays: what goes on between two commands on the controlling side, such as the manager, or
            an ssh that keeps a connection. What `run` starts and waits for is counted without it.
        is_new: whether each command starts a new program.
    """

    name: str
    kept: bool
    hosts: int
    run: Runs
    stays: Used = lambda: 0.0
    is_new: bool = True

    @property
    def is_ours(self) -> bool:
        """Whether it is this project's."""
        return self.name.startswith("tui-manager")

    def used(self) -> float:
        """CPU seconds of the controlling side until now."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime + self.stays()


def ours(fleet: RealFleet) -> list[CommandRunner]:
    """Through the operator's socket, and as a person types it."""
    program, count = str(Path(sys.executable).with_name("tui-manager")), len(fleet.pids)

    async def by_socket(command: str) -> int:
        ran = await run(fleet.operator, "@all", command)
        page = await fleet.operator.list_command_hosts(ran.task.task_id, Window(limit=LIMIT_MAX))
        return sum(row.stdout_bytes for row in page.rows)

    async def by_command(command: str) -> int:
        return await output_of(
            (program, "run", "--state-dir", str(fleet.manager.state_dir), "@all", "--", command), {}
        )

    def manager() -> float:
        return cpu_of(fleet.manager.running)

    def manager_and_this() -> float:
        return manager() + time.process_time()

    socket = "tui-manager, operator's socket"
    return [
        CommandRunner(socket, True, count, by_socket, manager_and_this, is_new=False),
        CommandRunner("tui-manager run", True, count, by_command, manager),
    ]


@asynccontextmanager
async def over_ssh(folder: Path, made: Path, count: int) -> AsyncIterator[list[CommandRunner]]:
    """Those of the peers that are set up and go over ssh.

    Args:
        made: where `setup.sh` has put their environments.
    """
    if not os.access(PROGRAM, os.X_OK):
        yield []
        return
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(sshd(folder))
        found = []
        if os.access(clush := made / "clustershell/bin/clush", os.X_OK):
            found += _both("clush", world, count, lambda conf: _clush(clush, conf, count))
        if os.access("/usr/bin/pdsh", os.X_OK):
            found += _both("pdsh", world, count, lambda conf: _pdsh(conf, count))
        if os.access(ansible := made / "ansible/bin/ansible", os.X_OK):
            inventory = folder / "inventory"
            inventory.write_text("\n".join(names(count)) + "\n")
            go = _ansible(ansible, inventory, world)
            found.append(CommandRunner("Ansible ad hoc, raw", True, count, go, world.cpu_of_kept))
        if os.access(python := made / "parallel-ssh/bin/python", os.X_OK):
            found += await _parallel_ssh(stack, python, world, count)
        yield found


@asynccontextmanager
async def over_salt(folder: Path, made: Path, count: int) -> AsyncIterator[list[CommandRunner]]:
    """Salt with as many minions; nobody when it is not set up."""
    programs = made / "salt/bin"
    if not count or not os.access(programs / "salt-master", os.X_OK):
        yield []
        return
    async with salt.minions(folder, programs, count) as master:

        async def go(command: str) -> int:
            words = (
                str(programs / "salt"),
                "-c",
                str(master.configuration),
                "--static",
                "--out=txt",
            )
            return await output_of((*words, "-t", "60", "*", "cmd.run", command), {})

        yield [CommandRunner(f"Salt, {count} minions", True, count, go, master.cpu)]


def _both(name: str, world: Sshd, count: int, made: Callable[[Path], Runs]) -> list[CommandRunner]:
    return [
        CommandRunner(
            f"{name}, connections kept", True, count, made(world.warm), world.cpu_of_kept
        ),
        CommandRunner(f"{name}, new connections", False, count, made(world.cold)),
    ]


def _clush(program: Path, conf: Path, count: int) -> Runs:
    hosts = ",".join(names(count))
    words = (str(program), "-S", "-f", _FANOUT, "-o", f"-F {conf}", "-w", hosts)
    return lambda command: output_of((*words, command), {})


def _pdsh(conf: Path, count: int) -> Runs:
    words = ("pdsh", "-R", "ssh", "-S", "-f", _FANOUT, "-w", ",".join(names(count)))
    return lambda command: output_of((*words, command), {"PDSH_SSH_ARGS_APPEND": f"-F {conf}"})


def _ansible(program: Path, inventory: Path, world: Sshd) -> Runs:
    words = (str(program), "all", "-i", str(inventory), "-f", str(_AT_ONCE), "-m", "raw", "-a")
    return lambda command: output_of((*words, command), ansible_environment(world))


def ansible_environment(world: Sshd) -> Mapping[str, str]:
    """With which Ansible reaches the hosts over kept connections."""
    return {
        "ANSIBLE_SSH_ARGS": f"-F {world.warm}",
        "ANSIBLE_HOME": str(world.folder / "ansible"),
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "LC_ALL": "C.UTF-8",
    }


async def _parallel_ssh(
    stack: AsyncExitStack, python: Path, world: Sshd, count: int
) -> list[CommandRunner]:
    module, arguments = "bench.peers.kept_connections", (world.port, world.user, world.key, count)
    kept = await stack.enter_async_context(worker(module, *arguments, python=str(python)))

    async def ask(command: str) -> int:
        return int(await kept.ask("run", command.encode().hex()))

    async def start(command: str) -> int:
        words = (str(python), "-m", module, *map(str, arguments), command.encode().hex())
        return int(await printed(words, {}))

    name = "parallel-ssh"
    return [
        CommandRunner(
            f"{name}, connections kept", True, count, ask, lambda: cpu_of(kept.pid), is_new=False
        ),
        CommandRunner(f"{name}, new connections", False, count, start),
    ]


async def output_of(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs a program, and returns how many bytes it prints. Raises FailedError when it fails."""
    return len(await printed(words, environment))


async def printed(words: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """Runs a program, and returns what it prints. Raises FailedError when it fails."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        out, err = await process.communicate()
    finally:
        await end(process)
    if process.returncode:
        said = err.decode(errors="replace")[-1000:] or out.decode(errors="replace")[-1000:]
        raise FailedError(f"{words[0]} ended with status {process.returncode}: {said}")
    return out
