"""A salt master and its minions, all on this machine, each in a folder of its own."""

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.clean_up import end
from bench.under_test.manager_process import free_port

_READY_SECONDS = 60.0  # and so many more for each minion:
_SECONDS_EACH = 5.0
_MASTER = """
interface: 127.0.0.1
publish_port: {publish}
ret_port: {ret}
user: {user}
root_dir: {folder}/master
auto_accept: True
log_level: quiet
worker_threads: 4
"""
_MINION = """
master: 127.0.0.1
master_port: {ret}
publish_port: {publish}
id: m{number:03d}
user: {user}
root_dir: {folder}/minion{number}
log_level: quiet
"""


class NotReadyError(Exception):
    """The minions have not come."""


@dataclass(frozen=True, slots=True)
class Master:
    """It runs.

    Attributes:
        configuration: its folder.
    """

    configuration: Path
    pid: int

    def cpu(self) -> float:
        """CPU seconds of all its processes until now."""
        master = psutil.Process(self.pid)
        return sum(sum(one.cpu_times()[:2]) for one in (master, *master.children(recursive=True)))


@asynccontextmanager
async def minions(folder: Path, programs: Path, count: int) -> AsyncIterator[Master]:
    """Runs a master and its minions until the block is left.

    Args:
        programs: the folder of Salt's programs.
    """
    fields = {"folder": folder, "publish": free_port(), "ret": free_port()}
    configuration = _configure(folder / "etc", "master", _MASTER, fields)
    async with AsyncExitStack() as stack:
        master = await stack.enter_async_context(_running(programs / "salt-master", configuration))
        for number in range(count):
            own = _configure(folder / f"etc{number}", "minion", _MINION, fields, number)
            await stack.enter_async_context(_running(programs / "salt-minion", own))
        await _come(programs, configuration, count)
        yield Master(configuration, master)


def _configure(
    folder: Path, name: str, text: str, fields: dict[str, object], number: int = 0
) -> Path:
    folder.mkdir(parents=True)
    (folder / name).write_text(text.format(**fields, user=getpass.getuser(), number=number))
    return folder


@asynccontextmanager
async def _running(program: Path, configuration: Path) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *(str(program), "-c", str(configuration)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process.pid
    finally:
        await end(process)


async def _come(programs: Path, configuration: Path, count: int) -> None:
    """Waits until all answer a ping. Raises NotReadyError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _READY_SECONDS + count * _SECONDS_EACH
    came = 0
    while loop.time() < deadline:
        process = await asyncio.create_subprocess_exec(
            *(str(programs / "salt"), "-c", str(configuration), "--static", "--out=txt"),
            *("-t", "10", "*", "test.ping"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await process.communicate()
        came = out.decode().count(": True")
        if came == count:
            return
    raise NotReadyError(f"{came} of {count} minions have come.")
