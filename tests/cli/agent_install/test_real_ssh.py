"""With the real `ssh` and a real sshd on this machine. It lets root in, with a key that the test
has made, and a variable of its configuration says in which folder the host is."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.agent_install.ssh_hosts import (
    Installing,
    InstallOperator,
    SshHost,
    SshHosts,
    Uninstalling,
    statuses,
)
from tests.cli.conftest import Connect
from tests.support.programs.programs import wait_for
from tui_manager.agent_install import manager_calls
from tui_manager.agent_install.ssh import host_session

_SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(
    _SSHD is None or os.geteuid() != 0, reason="needs sshd, and root to let somebody in"
)


class Sshd:
    """A server on a free port of 127.0.0.1, for one host.

    Attributes:
        config: of ssh, with the host under the names `web1` and, through itself, `inner`.
    """

    def __init__(self, folder: Path, host: SshHost) -> None:
        self._sockets = tempfile.TemporaryDirectory()  # paths of sockets must be short
        self.folder = folder / "sshd"
        self.folder.mkdir()
        self.config = self.folder / "ssh_config"
        self.known_hosts = self.folder / "known_hosts"
        for name in ("host_key", "user_key", "other_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(command, check=True)
        self._host = host
        (self.folder / "banner").write_text("*** Authorized use only. Permission denied? ***\n")
        self.know("host_key")
        self._process = self._start()

    def know(self, name: str) -> None:
        """Says which key of the host ssh knows; empty: none."""
        key = (self.folder / f"{name}.pub").read_text() if name else ""
        self.known_hosts.write_text("".join(f"{host} {key}" for host in ("web1", "inner") if key))

    def _start(self) -> subprocess.Popen[bytes]:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd demands it
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (self.folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{port}\nHostKey {self.folder}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder}/user_key.pub\nStrictModes no\nUsePAM no\n"
            f"PermitRootLogin yes\nBanner {self.folder}/banner\nMaxSessions 1\n"
            f"SetEnv TUI_MANAGER_INSTALL_PREFIX={self._host.folder}/root HERE={self._host.folder}\n"
        )
        self._write_config(port)
        process = subprocess.Popen(
            [str(_SSHD), "-D", "-e", "-f", self.folder / "sshd_config"], stderr=subprocess.DEVNULL
        )
        wait_for("sshd to listen", lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None
        return process

    def _write_config(self, port: int) -> None:
        common = (
            f"    HostName 127.0.0.1\n    Port {port}\n    User root\n    IdentitiesOnly yes\n"
            f"    IdentityFile {self.folder}/user_key\n    RemoteCommand id\n"
        )
        self.config.write_text(
            f"Host *\n    UserKnownHostsFile {self.known_hosts}\n"
            "    GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking ask\n"
            "    KexAlgorithms curve25519-sha256\n"  # takes less CPU time
            f"Host web1\n{common}    HostKeyAlias web1\n"
            f"Host inner\n{common}    HostKeyAlias inner\n    ProxyJump web1\n"
            "    ControlMaster auto\n    ControlPersist yes\n"
            f"    ControlPath {self._sockets.name}/%C\n"
        )

    def stop_listening(self) -> None:
        """Ends the server."""
        self._process.terminate()
        self._process.wait()

    def stop(self) -> None:
        """Ends the server and kept connections."""
        for path in Path(self._sockets.name).iterdir():
            command = ["ssh", "-F", str(self.config), "-S", str(path), "-O", "exit", "inner"]
            subprocess.run(command, check=False, capture_output=True)
        self._sockets.cleanup()
        self.stop_listening()


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def ssh_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshHosts]:
    monkeypatch.setattr(manager_calls, "INTERVAL", 0.02)
    monkeypatch.setattr(host_session, "_PAUSE", 0.0)
    made = SshHosts(tmp_path)
    made.add("web1")
    yield made
    made.stop()


@pytest.fixture
def server(tmp_path: Path, ssh_hosts: SshHosts) -> Iterator[Sshd]:
    made = Sshd(tmp_path, ssh_hosts.hosts[0])
    yield made
    made.stop()


@pytest.fixture
def run(
    ssh_hosts: SshHosts, connect_to: Connect, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Installing:
    operator = InstallOperator(ssh_hosts)
    connect_to(lambda: operator)
    return Installing(tmp_path, capsys)


def test_an_agent_comes_and_goes(
    server: Sshd, ssh_hosts: SshHosts, run: Installing, capsys: pytest.CaptureFixture[str]
) -> None:
    (web1,) = ssh_hosts.hosts
    before = web1.files
    config = ("--ssh-config", str(server.config))
    assert statuses(run("web1", *config)) == {"web1": "installed"}
    assert statuses(run("inner", *config)) == {"inner": "unchanged"}  # over a jump host, and kept
    assert statuses(run("inner", *config)) == {"inner": "unchanged"}
    rows = run("web1,inner", *config, exits=1)
    assert sorted(row["status"] for row in rows) == ["failed", "unchanged"]
    assert statuses(Uninstalling(capsys)("web1", *config)) == {"web1": "removed"}
    assert web1.files == before


@pytest.mark.parametrize(
    ("known", "user_key", "words"),
    [
        ("", "user_key", "Its host key is not known here yet: `ssh web1` once shows it"),
        ("other_key", "user_key", "Its host key is not the known one"),
        ("host_key", "other_key", "ssh was not let in: root@127.0.0.1: Permission denied"),
    ],
)
def test_what_ssh_would_ask_for_is_said(
    known: str, user_key: str, words: str, server: Sshd, run: Installing
) -> None:
    server.know(known)
    config = server.config.read_text().replace("user_key", user_key)
    server.config.write_text(config)
    (row,) = run("web1", "--ssh-config", str(server.config), exits=1)
    assert row["status"] == "failed"
    assert words in row["detail"]
    assert "Authorized use" not in row["detail"]


def test_the_key_that_has_changed_is_removed_as_it_is_said(server: Sshd, run: Installing) -> None:
    server.know("other_key")
    text = server.config.read_text()
    server.config.write_text(text.replace("    HostKeyAlias web1\n", ""))  # known by its address
    port = text.partition("    Port ")[2].partition("\n")[0]
    key = (server.folder / "other_key.pub").read_text()
    server.known_hosts.write_text(f"[127.0.0.1]:{port} {key}")
    config = ("--ssh-config", str(server.config))
    (row,) = run("web1", *config, exits=1)
    _, command, _ = row["detail"].split("`", 2)
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    (row,) = run("web1", *config, exits=1)
    assert "Its host key is not known here yet" in row["detail"]


def test_nobody_listens(server: Sshd, run: Installing) -> None:
    server.stop_listening()
    (row,) = run("web1", "--ssh-config", str(server.config), exits=1)
    assert row["detail"].startswith("ssh: connect to host 127.0.0.1 port ")
    assert row["detail"].endswith("Connection refused.")
