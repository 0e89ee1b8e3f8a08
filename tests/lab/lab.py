"""A lab: hosts in namespaces on one bridge, and an operator with a manager on the same bridge.

All is in namespaces of its own, below one first process. When this ends, also because the test was
killed, the kernel ends every process, mount and device of the lab. The manager of the lab listens
on 10.77.0.1; hosts are 10.77.0.11 and on. The host `jump` is 10.77.0.2, and 10.78.0.1 for those
behind it. Several labs do not see each other.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.lab.disks import HostPlan, private_key_file, public_key_line, write_first_files
from tests.lab.hosts import LabHost
from tests.lab.operator_machine import OperatorMachine
from tests.lab.prepare import root_folder
from tests.support.programs.built_bundles import unpacked_bundle
from tests.support.programs.processes import Done
from tests.support.programs.programs import wait_for

MANAGER = "10.77.0.1"  # the address of the bridge
JUMP = "jump"
DISK = "6g"  # for all hosts together; in memory, and only what they use
_HERE = Path(__file__).parent
_CGROUPS = "tui-manager-lab-"


def plans(
    number: int,
    systemd: Sequence[int] = (),
    behind_jump: Sequence[int] = (),
    *,
    unpacked: bool = False,
) -> list[HostPlan]:
    """That many hosts from h01 on: those of `systemd` have it as their first process, the others
    do not have it at all. Those of `behind_jump` are behind a jump host. For `unpacked` see
    `HostPlan`."""
    without = ("systemctl", "loginctl", "systemd-run")
    return [
        HostPlan(
            f"h{index:02}",
            systemd=index in systemd,
            behind_jump=index in behind_jump,
            without=() if index in systemd else without,
            unpacked=unpacked,
        )
        for index in range(1, number + 1)
    ]


@dataclass(slots=True)
class Lab:
    """Hosts that run, and their operator."""

    folder: Path
    operator: OperatorMachine
    hosts: dict[str, LabHost] = field(default_factory=dict)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    keeper: subprocess.Popen[bytes] | None = None

    def __getitem__(self, name: str) -> LabHost:
        return self.hosts[name]

    @property
    def enter(self) -> Sequence[str]:
        """The words that start a program in the lab."""
        return ("nsenter", f"--target={self._first_process()}", "--all", "--")

    def _first_process(self) -> int:
        assert self.keeper is not None
        path = Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children")
        with suppress(OSError, IndexError):
            return int(path.read_text().split()[0])
        return 0

    def open(self) -> None:
        """Starts the first process of the lab, with the bridge and the disk of the hosts."""
        _remove_cgroups()
        (self.folder / "disks").mkdir(parents=True)
        (self.folder / "logs").mkdir()
        self._write_home()
        namespaces = ("--mount", "--net", "--pid", "--uts", "--ipc")
        with (self.folder / "logs" / "keeper").open("wb") as log:
            self.keeper = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig=KILL"),
                    *("unshare", *namespaces, "--fork", "--kill-child=KILL", "--mount-proc"),
                    *("sh", str(_HERE / "keeper.sh"), str(self.folder), DISK),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for("the lab", self._ready, explain=self.story)
        self.operator.enter, self.operator.inside = self.enter, self._first_process()

    def _ready(self) -> bool:
        assert self.keeper is not None
        assert self.keeper.poll() is None, self.story()
        return (self.folder / "ready").exists()

    def add(self, *planned: HostPlan) -> None:
        """Starts these hosts, and returns when their sshd listens."""
        if any(plan.behind_jump for plan in planned) and JUMP not in self.hosts:
            self.add(HostPlan(JUMP))
        for plan in planned:
            self.hosts[plan.name] = self._make(plan)
        self._write_ssh_files()
        for plan in planned:
            self.start(plan.name)
        for plan in planned:
            self.hosts[plan.name].wait_until_it_listens()

    def _make(self, plan: HostPlan) -> LabHost:
        number = 10 + len([name for name in self.hosts if name != JUMP]) + 1
        network = "10.78.0" if plan.behind_jump else "10.77.0"
        host = LabHost(
            plan,
            address="10.77.0.2" if plan.name == JUMP else f"{network}.{number}",
            gateway=f"{network}.1",
            bridge=JUMP if plan.behind_jump else "br0",
            disk=self.folder / "disks" / plan.name,
            written=self._seen(self.folder / "disks" / plan.name / "upper"),
            log=self.folder / "logs" / plan.name,
            roots=[*([unpacked_bundle()] if plan.unpacked else []), root_folder()],
            cgroup=_cgroups() / f"{_CGROUPS}{os.getpid()}" / plan.name if plan.systemd else None,
        )
        operators = public_key_line(self.key)
        write_first_files(plan, host.written, root_folder(), host.key, operators)
        return host

    def _seen(self, path: Path) -> Path:
        """A path of the lab, as this process reaches it."""
        return Path(f"/proc/{self._first_process()}/root") / path.relative_to("/")

    def start(self, name: str) -> None:
        """Starts a host that is off; its disk is as it was left."""
        with self.hosts[name].log.open("ab") as log:
            self.hosts[name].start(self.enter, _HERE / "host.sh", log)

    def restart(self, name: str) -> None:
        """Ends a host as the loss of its power does, and starts it again."""
        self.hosts[name].kill()
        self.start(name)
        self.hosts[name].wait_until_it_listens()

    def ssh(self, name: str, *words: str, stdin: bytes = b"") -> Done:
        """Runs a command on a host by the operator's ssh."""
        return self.operator.shell("ssh", "-o", "BatchMode=yes", name, "--", *words, stdin=stdin)

    def trust_host_keys(self) -> None:
        """Writes the keys that the hosts have now into the operator's known_hosts."""
        lines = [
            f"{host.name},{host.address} {public_key_line(host.key).decode()}\n"
            for host in self.hosts.values()
        ]
        (self.operator.home / ".ssh" / "known_hosts").write_text("".join(lines))

    def _write_home(self) -> None:
        ssh = self.operator.home / ".ssh"
        ssh.mkdir(mode=0o700, parents=True)
        (ssh / "id_ed25519").touch(0o600)
        (ssh / "id_ed25519").write_bytes(private_key_file(self.key))
        (ssh / "id_ed25519.pub").write_bytes(public_key_line(self.key) + b"\n")
        passwd = Path("/etc/passwd").read_text().splitlines()
        others = [line for line in passwd if not line.startswith("root:")]
        own = f"root:x:0:0:root:{self.operator.home}:/bin/sh"
        (self.folder / "passwd").write_text("\n".join((own, *others)) + "\n")

    def _write_ssh_files(self) -> None:
        text = ""
        for host in self.hosts.values():
            text += f"Host {host.name}\n    HostName {host.address}\n"
            if host.plan.behind_jump:
                text += f"    ProxyJump {JUMP}\n"
        text += "Host *\n    User root\n    StrictHostKeyChecking yes\n"
        # The newer exchange of keys takes most of a short connection's CPU time.
        text += "    KexAlgorithms curve25519-sha256\n"
        (self.operator.home / ".ssh" / "config").write_text(text)
        self.trust_host_keys()

    def story(self) -> str:
        """What all parts have said, for a test that gives up."""
        keeper = (self.folder / "logs" / "keeper").read_text(errors="replace")
        said = "\n".join(host.story() for host in self.hosts.values())
        return f"--- keeper\n{keeper}\n{said}\n{self.operator.story()}"

    def close(self) -> None:
        """Ends everything in the lab, and removes what it kept outside: folders and cgroups."""
        if self.keeper is not None:
            self.keeper.kill()
            self.keeper.wait()
        for program in self.operator.programs:
            program.process.wait(60)
        for host in self.hosts.values():
            if host.starter is not None:
                host.starter.wait(60)
        _remove_cgroups()
        shutil.rmtree(self.folder / "disks", ignore_errors=True)
        self.operator.runtime.cleanup()


@contextmanager
def running_lab(folder: Path, planned: Sequence[HostPlan] = ()) -> Iterator[Lab]:
    """A lab with these hosts. `folder` is made."""
    lab = Lab(folder, OperatorMachine(folder / "operator"))
    lab.operator.folder.mkdir(parents=True)
    try:
        lab.open()
        lab.add(*planned)
        yield lab
    finally:
        lab.close()


def _cgroups() -> Path:
    """Where this machine has version 2 of cgroups."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise AssertionError("no cgroup2 is mounted, and systemd needs it")


def _remove_cgroups() -> None:
    """Removes the cgroups of this process's labs, and those of labs that were killed."""
    with suppress(AssertionError):
        for folder in _cgroups().glob(f"{_CGROUPS}*"):
            pid = int(folder.name.removeprefix(_CGROUPS))
            if pid == os.getpid() or not Path(f"/proc/{pid}").exists():
                for inner, _, _ in os.walk(folder, topdown=False):
                    with suppress(OSError):
                        os.rmdir(inner)
