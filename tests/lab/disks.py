"""What a host is like, and what is written to its disk for that before its first start."""

import os
import stat
import uuid
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
_USERS = ("root", "admin", "plain")


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What a host is like."""

    name: str
    systemd: bool = False  # as its first process, with logind and the managers of users
    behind_jump: bool = False  # ssh reaches it through the host `jump` only
    without: tuple[str, ...] = ()  # programs of /usr/bin and /usr/sbin that it does not have
    banner: str = ""  # what a shell that starts prints to stdout
    read_only: bool = False  # all but /dev, /proc, /run, /tmp and what the test mounts
    unpacked: bool = False  # it has the files of the agent, so an install only configures it


def write_first_files(
    plan: HostPlan, upper: Path, root: Path, host_key: Ed25519PrivateKey, operators: bytes
) -> None:
    """Writes what differs from host to host.

    Args:
        upper: the layer over `root` that the host writes to.
        operators: the public key that may log in as each user, as a line of authorized_keys.
    """
    _write(upper / HOST_KEY, private_key_file(host_key), 0o600)
    _write(upper / "etc/hostname", f"{plan.name}\n".encode())
    names = f"127.0.0.1 localhost\n127.0.1.1 {plan.name}\n10.77.0.1 manager\n"
    _write(upper / "etc/hosts", names.encode())
    _write(upper / "etc/machine-id", f"{uuid.uuid4().hex}\n".encode(), 0o444)
    _write(upper / "etc/resolv.conf", b"")
    _write_homes(plan, upper, root, operators)
    for program in plan.without:
        for folder in ("usr/bin", "usr/sbin"):
            if (root / folder / program).exists():
                (upper / folder).mkdir(parents=True, exist_ok=True)
                os.mknod(upper / folder / program, stat.S_IFCHR, os.makedev(0, 0))  # removed
    if plan.read_only:
        _write(upper / "etc/lab-read-only", b"")
    if plan.behind_jump:
        text = (root / "etc/ssh/sshd_config").read_text() + "AllowUsers *@10.78.0.1\n"
        _write(upper / "etc/ssh/sshd_config", text.encode())


def _write_homes(plan: HostPlan, upper: Path, root: Path, operators: bytes) -> None:
    passwd = (line.split(":") for line in (root / "etc/passwd").read_text().splitlines())
    for name, _, uid, gid, _, home, _ in passwd:
        if name not in _USERS:
            continue
        folder = upper / home[1:]
        _write(folder / ".ssh/authorized_keys", operators.strip() + b"\n", 0o600)
        if plan.banner:
            for file in (".bashrc", ".profile"):
                _write(folder / file, f"echo '{plan.banner}'\n".encode())
        folder.chmod(0o700)
        (folder / ".ssh").chmod(0o700)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, int(uid), int(gid))


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def private_key_file(key: Ed25519PrivateKey) -> bytes:
    """A private key as OpenSSH keeps it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )


def public_key_line(key: Ed25519PrivateKey) -> bytes:
    """The public key, as `authorized_keys` and `known_hosts` have it."""
    return key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
