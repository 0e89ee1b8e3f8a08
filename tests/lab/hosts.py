"""One host of a lab: what it is made of, and what a test does to it from outside, without ssh."""

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.lab.disks import HOST_KEY, HostPlan, private_key_file
from tests.support.programs.programs import wait_for

_SSH_PORT = 22
_LISTENS = "0A"  # the state of a socket, as /proc/net/tcp has it
# Not compared: what the kernel shows, and what logins write.
_NOT_FILES = ("dev", "proc", "run", "sys", "tmp/systemd-private", "var/tmp/systemd-private")
_MOST = "usr"  # eight of nine thousand files are there
_OF_LOGINS = ("var/log/lastlog", "var/log/wtmp", "var/log/btmp", "var/log/journal")


@dataclass(slots=True)
class LabHost:
    """A host that runs in a lab. Its files are seen through its first process."""

    plan: HostPlan
    address: str
    gateway: str
    bridge: str  # or the host that it is behind
    disk: Path  # as the lab sees it
    written: Path  # what it has there and `roots` have not, as this process sees it
    log: Path
    roots: Sequence[Path]  # which it begins with; the first one covers the others
    cgroup: Path | None
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    starter: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """By which the operator reaches it."""
        return self.plan.name

    @property
    def pid(self) -> int:
        """The first process of the host, as this machine numbers it; 0 while it is off."""
        pid = self.starter.pid if self.starter and self.starter.poll() is None else 0
        for _ in range(2):  # nsenter, then unshare, have forked
            children = _children(pid)
            pid = children[0] if children else 0
        return pid

    @property
    def root(self) -> Path:
        """The root of the host, as this process reaches it. An absolute link in it leads astray."""
        return Path(f"/proc/{self.pid}/root")

    def listens(self) -> bool:
        """Whether its sshd answers."""
        pid = self.pid
        if not pid:
            return False
        with suppress(OSError):
            if not os.path.samefile(f"/proc/{pid}/root", "/"):
                lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
                ends = {(words[1].split(":")[1], words[3]) for words in map(str.split, lines)}
                return (f"{_SSH_PORT:04X}", _LISTENS) in ends
        return False

    def run(self, *words: str, user: str = "root", stdin: bytes = b"") -> str:
        """What a program on the host prints; started without ssh.

        Raises:
            AssertionError: it did not exit with 0.
        """
        done = self.try_to_run(*words, user=user, stdin=stdin)
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, f"{words} on {self.name}: {done}"
        return said

    def try_to_run(
        self, *words: str, user: str = "root", stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a program on the host to its end, without ssh."""
        home = "/root" if user == "root" else f"/home/{user}"
        variables = {
            "HOME": home,
            "USER": user,
            "LOGNAME": user,
            "SHELL": "/bin/sh",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }
        enter = ("nsenter", f"--target={self.pid}", "--all", "--root", "--wd=/")
        change = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--")
        return subprocess.run(
            [*enter, *(() if user == "root" else change), *words],
            input=stdin,
            env=variables,
            capture_output=True,
            check=False,
        )

    def processes(self) -> list[psutil.Process]:
        """All processes of the host."""
        own = _namespace(self.pid)
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if _namespace(process.pid) == own:
                    found.append(process)
        return found

    def files(self) -> dict[str, str]:
        """Each path of the host, with kind, mode, owner, and for files the size and a hash.

        What lies in /dev, /proc, /run and /sys is left out, and the files that each login changes.
        Below /usr only what the host has written there: of what was removed, a device.
        """
        return dict(_files(self.root, self.written))

    def paths(self) -> set[str]:
        """The paths that `files` describes."""
        return {path for path, *_ in _listed(self.root, self.written)}

    def kill(self) -> None:
        """Ends the host as the loss of its power does: no program is told, its disk stays."""
        pid = self.pid
        if pid:
            os.kill(pid, signal.SIGKILL)
        if self.starter is not None:
            self.starter.wait()

    def end_logins(self) -> None:
        """Kills the processes of sshd that serve connections; sshd itself goes on."""
        for process in self.processes():
            with suppress(psutil.Error):
                if process.name() == "sshd" and process.pid != self.pid and process.ppid() != 1:
                    process.kill()

    def link(self, state: str) -> None:
        """Sets the network device of the host `up` or `down`."""
        words = ["nsenter", f"--target={self.pid}", "--net", "ip", "link", "set", "eth0", state]
        subprocess.run(words, check=True)
        if state == "up":
            words[4:] = ["route", "replace", "default", "via", self.gateway]
            subprocess.run(words, check=True)

    def change_host_key(self) -> None:
        """Gives its sshd another key, as a host has that was installed anew."""
        self.key = Ed25519PrivateKey.generate()
        (self.root / HOST_KEY).write_bytes(private_key_file(self.key))

    def story(self) -> str:
        """What its first process has said."""
        said = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"--- {self.name} ({self.pid=})\n{said[-2000:]}"

    def wait_until_it_listens(self) -> None:
        """Returns when its sshd answers."""
        wait_for(f"sshd of {self.name}", self.listens, explain=self.story)

    def start(self, enter: Sequence[str], script: Path, log: IO[bytes]) -> None:
        """Starts it in the lab that `enter` leads into."""
        words = (
            *(self.name, self.address, self.gateway, self.bridge),
            *(":".join(map(str, self.roots)), str(self.disk)),
            "systemd" if self.plan.systemd else "sshd",
            str(self.cgroup or ""),
        )
        self.starter = subprocess.Popen(
            [*enter, "sh", str(script), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _namespace(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")


def _listed(root: Path, written: Path) -> Iterator[Sequence[str]]:
    """Of each path: itself, mode with owner and aim, kind, size, time of the last change."""
    yield from _found(root, *_NOT_FILES, _MOST)
    for path, *facts in _found(written / _MOST):
        yield f"{_MOST}/{path}", *facts


def _found(folder: Path, *skipped: str) -> Iterator[Sequence[str]]:
    """The same, by `find`: Python takes thirty times as long."""
    words = [word for name in skipped for word in ("-path", f"{folder}/{name}*", "-prune", "-o")]
    form = r"%P\0%M %U %G %l\0%y\0%s\0%T@\0"
    words = ["find", "-H", str(folder), *words, "-printf", form]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # 1: a file went away meanwhile
    fields = iter(os.fsdecode(done.stdout).split("\0"))
    for found in zip(fields, fields, fields, fields, fields, strict=False):
        if found[0] and not found[0].startswith(_OF_LOGINS):
            yield found


def _files(root: Path, written: Path) -> Iterator[tuple[str, str]]:
    for path, description, kind, size, changed in _listed(root, written):
        if kind != "f":
            yield path, description
        elif path.startswith("usr/"):
            yield path, f"{description}{size} {changed}"
        else:
            with suppress(FileNotFoundError):
                hashed = hashlib.sha256((root / path).read_bytes()).hexdigest()
                yield path, f"{description}{size} {hashed}"
