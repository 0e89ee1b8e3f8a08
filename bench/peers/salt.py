"""A salt master and its minions, all on this machine, each in a folder of its own."""

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.ending import end
from bench.served import free_port

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


@asynccontextmanager
async def minions(folder: Path, programs: Path, count: int) -> AsyncIterator[Path]:
    """Runs them until the block is left.

    Args:
        programs: the folder of Salt's programs.

    Yields:
        The folder with the master's configuration.
    """
    fields = {"folder": folder, "publish": free_port(), "ret": free_port()}
    configuration = _configure(folder / "etc", "master", _MASTER, fields)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_running(programs / "salt-master", configuration))
        for number in range(count):
            own = _configure(folder / f"etc{number}", "minion", _MINION, fields, number)
            await stack.enter_async_context(_running(programs / "salt-minion", own))
        await _come(programs, configuration, count)
        yield configuration


def _configure(
    folder: Path, name: str, text: str, fields: dict[str, object], number: int = 0
) -> Path:
    folder.mkdir(parents=True)
    (folder / name).write_text(text.format(**fields, user=getpass.getuser(), number=number))
    return folder


@asynccontextmanager
async def _running(program: Path, configuration: Path) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *(str(program), "-c", str(configuration)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
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
