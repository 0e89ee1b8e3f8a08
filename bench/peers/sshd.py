"""A loopback sshd, and the configuration with which as many names lead to it as are wanted."""

import asyncio
import contextlib
import getpass
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.clean_up import end
from bench.process_memory import cpu_of
from bench.under_test.manager_process import free_port

PROGRAM = "/usr/sbin/sshd"
_READY_WITHIN = 15.0  # seconds
_LOOK_EVERY = 0.05  # seconds
_SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
# bash reads the .bashrc of a user who comes over ssh, each time: what this one has in it is no
# cost of the peers.
SetEnv HOME={folder}
UseDNS no
MaxStartups 1000
MaxSessions 1000
LogLevel ERROR
"""
_SSH = """
Host *
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {folder}/user_key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
"""
_KEPT = """
    ControlMaster auto
    ControlPersist 10m
    ControlPath {folder}/m-%n
"""


@dataclass(frozen=True, slots=True)
class Sshd:
    """It runs.

    Attributes:
        cold, warm: configuration of ssh, with a new connection each time, and with kept ones.
    """

    folder: Path
    port: int
    user: str

    @property
    def cold(self) -> Path:
        """See above."""
        return self.folder / "cold.conf"

    @property
    def warm(self) -> Path:
        """See above."""
        return self.folder / "warm.conf"

    def cpu_of_kept(self) -> float:
        """CPU seconds of the programs that keep connections: each is an `ssh` that has forked away
        from the one that opened the connection."""
        mark = f"{self.folder}/m-"
        return sum(
            cpu_of(process.pid)
            for process in psutil.process_iter()
            if any(word.startswith(f"ssh: {mark}") for word in _words(process))
        )

    @property
    def key(self) -> Path:
        """Of the user."""
        return self.folder / "user_key"


def _words(process: psutil.Process) -> Sequence[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return ()


def names(count: int) -> Sequence[str]:
    """Of hosts, all of which are this machine."""
    return [f"p{number:03d}" for number in range(count)]


@asynccontextmanager
async def sshd(folder: Path) -> AsyncIterator[Sshd]:
    """Runs an sshd with keys of its own until the block is left."""
    world = await asyncio.to_thread(_prepare, folder)
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        "-D",
        "-e",
        "-f",
        str(folder / "sshd.conf"),
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_READY_WITHIN):
            await _answers(world.port)
        yield world
    finally:
        await _close_kept(world)
        await end(process)


def _prepare(folder: Path) -> Sshd:
    folder.mkdir(mode=0o700, exist_ok=True)
    for key in ("host_key", "user_key"):
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key))
        subprocess.run(words, check=True)
    world = Sshd(folder, free_port(), getpass.getuser())
    fields = {"port": world.port, "folder": folder, "user": world.user}
    (folder / "sshd.conf").write_text(_SSHD.format(**fields))
    world.cold.write_text(_SSH.format(**fields))
    world.warm.write_text((_SSH + _KEPT.lstrip("\n")).format(**fields))
    Path("/run/sshd").mkdir(exist_ok=True)  # where it separates its privileges
    return world


async def _answers(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_LOOK_EVERY)
        else:
            writer.close()
            return


async def _close_kept(world: Sshd) -> None:
    """Ends the connections that ssh keeps."""
    for path in world.folder.glob("m-*"):
        name = path.name.removeprefix("m-")
        process = await asyncio.create_subprocess_exec(
            *("ssh", "-F", str(world.warm), "-O", "exit", name),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.wait()
