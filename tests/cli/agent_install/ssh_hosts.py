"""Hosts that a `ssh` of the tests reaches: folders of this machine, in which the command of the
session runs with a small agent instead of the real one. A host is whoever has the folder: two names
may be links to one.

What a host does otherwise than others stands in files of its folder: `stderr` and `status` (ssh
ends with them and runs nothing), `banner` (the login shell prints it), `shell` (the login shell),
`bin` (programs that come first in PATH), `dies` (the session ends when this verb is asked for, or
so many bytes after it).
"""

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tui_manager_agent.supervisor import record
from tui_manager_protos.rules.fingerprint import fingerprint

from tests.cli.agent_install.identities import IdentityServer
from tests.cli.fake import FakeOperator
from tests.support.fake_operator.fake_hosts import WAYS_OUT
from tests.support.programs.bundles import new_key, public, small_bundle
from tests.support.programs.programs import wait_for
from tui_manager.cli.main import main
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Page, Window

MANAGER_ID = "manager-1"  # of the fake operator
ADDRESS = "192.0.2.7:7443"

_SSH = """#!/bin/sh
echo "$@" >> {hosts}/calls
while [ "$1" != -- ]; do shift; done
cd {hosts}/"${{2#*@}}" 2>/dev/null || {{ echo "ssh: Could not resolve hostname $2" >&2; exit 255; }}
if [ -f stderr ]; then cat stderr >&2; exit "$(cat status)"; fi
if [ -f banner ]; then cat banner; cat banner >&2; fi
shell=sh
if [ -f shell ]; then shell=$(cat shell); fi
here=$(pwd -P)
run() {{
    exec env -i HOME="$here/home" TUI_MANAGER_INSTALL_PREFIX="$here/root" HERE="$here" \\
        PATH="$here/bin:{path}" $shell -c "$1"
}}
if [ -f dies ]; then
    {python} -c {cut} $(cat dies) | run "$3"
    echo "client_loop: send disconnect: Broken pipe" >&2
    exit 255
fi
run "$3"
"""

_CUT = """
import os, sys
verb, more = sys.argv[1].encode(), int((*sys.argv, 0)[2])
seen = b""
while piece := os.read(0, 65536):
    seen += piece
    found = seen.find(b"do=" + verb + b"\\n")
    end = len(seen) if found < 0 else found + len(verb) + 4
    if found >= 0 and more and (request := seen.find(b"\\n\\n", found)) >= 0:
        end = request + 2 + more
    os.write(1, piece[: max(0, end - len(seen) + len(piece))])
    if found >= 0 and end <= len(seen):
        break
"""

# Asks the process of the test, which has imported what signs. bash starts faster than Python.
_ASK = """
exec 3<>"/dev/tcp/127.0.0.1/$0" || exit
printf '%s\\n' "$@" >&3
read -r answer <&3 && printf '%s\\n' "$answer"
"""

# The files of the small agent. Its key is a file with random bytes; it joins by writing down the
# manager and the token; a file `refused` in its state folder is what its log says instead.
_PROGRAM = """#!/bin/sh
case $1 in
--version) echo tui-manager-agent {version} ;;
identity)
    state=$4
    [ -d "$state" ] || mkdir -p -m 700 "$state" || exit 2
    [ -f "$state/identity" ] || printf 'journal_id=j\\0manager_id=\\0host_id=\\0' >"$state/identity"
    read -r port <"$HERE/../identities" && exec bash -c {ask} "$port" "$state" "$6" ;;
esac
"""
_LOOP = """#!/bin/sh
# run-agent.sh
root=$1 settings=$2
case $settings in
*/etc/*) token=${settings%.env}.token state=${settings%/etc/*}/var/lib/tui-manager-agent ;;
*) token=${settings%.env}.token state=$HOME/.local/state/tui-manager-agent ;;
esac
if [ -f "$state/refused" ]; then
    cat "$state/refused" >>"$root/agent.log"
    exit 3
fi
if [ -f "$token" ]; then
    mv "$token" "$state/used-token"
    printf 'journal_id=j\\0manager_id=manager-1\\0host_id=' >"$state/identity.new"
    read -r key <"$state/key.sha256"
    printf 'host-%.12s\\0' "$key" >>"$state/identity.new"
    mv "$state/identity.new" "$state/identity"
fi
echo $$ >"$root/run.pid"
trap 'rm -f "$root/run.pid"; exit 0' TERM
exec 8<>"$HERE/../waits"
while :; do read -r _ <&8; done
"""
NO_BOOT = "it does not start with the machine: there is no systemd and no crontab"
KEY = new_key()  # that the tests trust
UNIT = "[Service]\nExecStart=/usr/local/bin/tui-manager-agent run\n"


def agent_bundle(
    folder: Path,
    version: str = "0.2.0",
    more: str = "",
    key: Ed25519PrivateKey | None = None,
    **changed: object,
) -> Path:
    """A bundle with the small agent.

    Args:
        more: is in it too, so that its build is another one.
        key: signs it; None: `KEY`.
        changed: values of its manifest.
    """
    files = {
        "bin/tui-manager-agent": _PROGRAM.format(
            version=version,
            ask=shlex.quote(_ASK),
        ).encode(),
        "share/run-agent.sh": _LOOP.encode(),
        "share/tui-manager-agent.service": UNIT.encode(),
        "share/user/tui-manager-agent.service": UNIT.encode(),
        "share/update-keys": b"",
        "share/more": more.encode(),
    }
    path = folder / f"agent-{version}{more}.bundle"
    values = {"arch": os.uname().machine, "version": version, **changed}
    path.write_bytes(small_bundle([key or KEY], files, **values))  # type: ignore[arg-type]
    return path


class SshHosts:
    """The hosts, and the `ssh` that reaches them.

    Attributes:
        bin: the folder of that ssh, for PATH.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "hosts"
        self.folder.mkdir()
        self.bin = folder / "ssh-bin"
        self.bin.mkdir()
        ssh = self.bin / "ssh"
        ssh.write_text(
            _SSH.format(
                hosts=self.folder,
                path=os.environ["PATH"],
                python=sys.executable,
                cut=shlex.quote(_CUT),
            )
        )
        ssh.chmod(0o755)
        self._identities = IdentityServer()
        (self.folder / "identities").write_text(f"{self._identities.port}\n")
        os.mkfifo(self.folder / "waits")  # to which nobody writes

    def add(self, *names: str) -> "SshHost":
        """A host that has all of these names."""
        host = SshHost(self.folder / names[0])
        for alias in names[1:]:
            (self.folder / alias).symlink_to(names[0])
        return host

    @property
    def hosts(self) -> Sequence["SshHost"]:
        """Those that were added, each once."""
        folders = (path for path in self.folder.iterdir() if path.is_dir())
        return [SshHost(path) for path in sorted(folders) if not path.is_symlink()]

    def calls(self) -> str:
        """The command lines of ssh."""
        return (self.folder / "calls").read_text()

    def stop(self) -> None:
        """Ends what still runs on the hosts."""
        self._identities.stop()
        for host in self.hosts:
            host.signal_loop(signal.SIGKILL)


class SshHost:
    """One host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        for part in ("home", "root/opt", "root/etc", "root/var/lib", "bin"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0 and not (folder / "user").exists():
            self._use(folder / "root/opt", folder / "root/var/lib", folder / "root/etc")
        else:
            self.use_home()

    def use_home(self) -> None:
        """The login is a user without root."""
        (self.folder / "user").touch()
        home = self.folder / "home"
        self._use(home / ".local/share", home / ".local/state", home / ".config")

    def _use(self, programs: Path, state: Path, config: Path) -> None:
        self.root, self.state = programs / "tui-manager-agent", state / "tui-manager-agent"
        self.config = config
        self.settings = config / "tui-manager-agent.env"
        self.token = config / "tui-manager-agent.token"

    def write(self, **files: str) -> None:
        """Says what the host does otherwise than others."""
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def program(self, name: str, text: str) -> None:
        """Gives the host a program of its own."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    @property
    def files(self) -> list[str]:
        """All files and folders of the host."""
        parts = [*(self.folder / "root").rglob("*"), *(self.folder / "home").rglob("*")]
        return sorted(str(path.relative_to(self.folder)) for path in parts)

    @property
    def fingerprint(self) -> str:
        """Of its key; empty: it has none."""
        try:
            return fingerprint(self.key_sha256)
        except OSError:
            return ""

    @property
    def key_sha256(self) -> bytes:
        """Of its key."""
        return bytes.fromhex((self.state / "key.sha256").read_text())

    @property
    def pid(self) -> int:
        """Of the loop that runs there; 0: none."""
        try:
            pid = int((self.root / "run.pid").read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return 0
        return pid

    @property
    def current(self) -> str:
        """The version and build that is installed."""
        try:
            return os.readlink(self.root / "current").removeprefix("versions/")
        except OSError:
            return ""

    def ids(self) -> dict[str, str]:
        """What its agent knows of its manager."""
        try:
            return record.read(str(self.state / "identity"))
        except OSError:
            return {}

    def stop(self) -> None:
        """Ends the agent, and waits for its end."""
        self.kill_loop(signal.SIGKILL)
        (self.root / "run.pid").unlink()

    def kill_loop(self, number: signal.Signals) -> None:
        """Ends the agent, and waits until it is gone for whoever looks."""
        if pid := self.signal_loop(number):
            wait_for(f"process {pid} to be gone", lambda: self.pid != pid)

    def signal_loop(self, number: signal.Signals) -> int:
        """Sends the agent a signal; its number, 0 if there is none."""
        if pid := self.pid:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pid


class InstallOperator(FakeOperator):
    """A manager with TLS, to which the hosts connect whose agent runs and has used a token for its
    key."""

    def __init__(self, ssh_hosts: SshHosts, *names: str) -> None:
        super().__init__(*names)
        self.security = "mTLS"
        self.address = ADDRESS
        self.ssh_hosts = ssh_hosts

    async def list_hosts(self, window: Window) -> Page[Host]:
        """As they are now."""
        for host in self.ssh_hosts.hosts:
            self._look_at(host)
        return await super().list_hosts(window)

    def run_alone(self, work: Coroutine[Any, Any, int]) -> int:
        """Does something on a loop of its own."""
        return asyncio.run(work)

    def _look_at(self, host: SshHost) -> None:
        ids = host.ids()
        if not ids.get("host_id") or ids["manager_id"] != MANAGER_ID:
            return
        known = [name for name, one in self.hosts.items() if one.host_id == ids["host_id"]]
        if not known:
            if not self._may_enroll(host):
                return
            name = host.settings.read_text().partition("AGENT_NAME=")[2].partition("\n")[0]
            added = self.add_host(
                name or host.name,
                host_id=ids["host_id"],
                fingerprint=host.fingerprint,
                ago=timedelta(0),
            )
            known = [added.name]
        online = bool(host.pid) and bool(self.hosts[known[0]].admission in WAYS_OUT)
        version, _, build = host.current.partition("-")
        self.hosts[known[0]] = replace(
            self.hosts[known[0]], online=online, agent_version=version, agent_build=build
        )

    def _may_enroll(self, host: SshHost) -> bool:
        used = (host.state / "used-token").read_text().strip()
        return any(
            token.text == used and spec.key_sha256 == host.key_sha256 and spec.uses == 1
            for spec, token in self.tokens
        )

    async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
        """It completes at once."""
        left_out = await super().start_task(task_id, request_id)
        for row in list(self.tasks[task_id].rows.values()):
            self.end_on(row.host, task_id=task_id)
        return left_out


Rows = list[dict[str, str]]


def statuses(rows: Rows) -> dict[str, str]:
    """How it ended on each host."""
    return {row["host"]: row["status"] for row in rows}


class Installing:
    """Runs `agent install`, and reads its JSON.

    Attributes:
        bundle: what it installs.
        err: what the last run wrote on stderr.
    """

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.bundle = agent_bundle(folder)
        self._capsys = capsys
        self.err = ""

    def __call__(self, *words: str, exits: int = 0, bundle: Path | None = None) -> Rows:
        command = ["agent", "install", "--json", "--bundle", str(bundle or self.bundle)]
        command += ["--trust", public(KEY)]
        rows, self.err = _rows_of([*command, "--ssh", *words], exits, self._capsys)
        return rows

    def without_bundle(self, *words: str, exits: int = 0) -> Rows:
        """Installs the bundle of this machine."""
        command = ["agent", "install", "--json", "--ssh", *words]
        rows, self.err = _rows_of(command, exits, self._capsys)
        return rows


class Uninstalling:
    """The same for `agent uninstall`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.err = ""

    def __call__(self, *words: str, exits: int = 0) -> Rows:
        command = ["agent", "uninstall", "--json", "--ssh", *words]
        rows, self.err = _rows_of(command, exits, self._capsys)
        return rows


def _rows_of(
    command: list[str], exits: int, capsys: pytest.CaptureFixture[str]
) -> tuple[Rows, str]:
    status = main(command)
    out, err = capsys.readouterr()
    assert status == exits, (out, err)
    return (json.loads(out) if out else []), err
