"""`agent install`: as which user the agent runs, and what starts it with the machine: systemd or a
crontab."""

import os
import signal
from pathlib import Path

import pytest

from tests.cli.agent_install.ssh_hosts import (
    NO_BOOT,
    Installing,
    SshHost,
    SshHosts,
    Uninstalling,
    statuses,
)

Capture = pytest.CaptureFixture[str]


def _as_user(host: SshHost, sudo: str) -> None:
    """The login is no root, and sudo is as given; it runs what it gets with `AS_ROOT` set."""
    host.program("id", 'case "$1 $AS_ROOT" in "-u ") echo 1000;; *) exec /usr/bin/id "$@"; esac')
    host.program("sudo", sudo)


SUDO = """
password= stdin=
while :; do
    case $1 in -n) ;; -k) ;; -S) stdin=yes;; -p) shift;; --) shift; break;; esac
    shift
done
if [ "$NEEDS" ]; then
    [ "$stdin" ] || { echo sudo: a password is required >&2; exit 1; }
    while IFS= read -r password; do
        [ "$password" != "$NEEDS" ] || AS_ROOT=yes exec "$@"
        echo "$password" >>"$HERE/wrong"
    done
    echo sudo: 3 incorrect password attempts >&2
    exit 1
fi
AS_ROOT=yes exec "$@"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent would be another user's")
@pytest.mark.parametrize("needs", ["", "pass word'$x"])
def test_root_by_sudo(
    needs: str, hosts: SshHosts, run: Installing, monkeypatch: pytest.MonkeyPatch
) -> None:
    web1 = hosts.add("web1")
    quoted = needs.replace("'", "'\\''")
    _as_user(web1, f"NEEDS='{quoted}'\n{SUDO}")
    given = needs or "not needed"
    monkeypatch.setattr(
        "tui_manager.cli.commands.hosts.agent_install._read_password", lambda: given
    )
    assert statuses(run("web1", "--become", "--ask-become-password")) == {"web1": "installed"}
    assert (web1.folder / "root/opt/tui-manager-agent/current").exists()
    assert given not in hosts.calls()
    if needs:
        (row,) = run("web1", "--become", exits=1)
        assert row["detail"].startswith("sudo was refused: sudo: a password is required.")
        monkeypatch.setattr(
            "tui_manager.cli.commands.hosts.agent_install._read_password", lambda: "bad"
        )
        _as_user(hosts.add("web2"), f"NEEDS='{quoted}'\n{SUDO}")
        rows = run("web[1-2]", "--become", "--ask-become-password", exits=1)
        tried, spared = sorted(rows, key=lambda row: "not tried" in row["detail"])
        assert "did not take the password" in tried["detail"]
        assert spared["detail"] == (
            f"sudo was not tried there, because it has refused the password on {tried['host']}."
        )
        wrong = [path.read_text() for path in hosts.folder.glob("*/wrong")]
        assert wrong == ["bad\n"]
    (web1.folder / "bin/sudo").unlink()


def _systemctl(host: SshHost, show_environment: str = "exit 1") -> str:
    """It starts the script in place of the service."""
    root, settings = host.root, host.settings
    return f"""
echo "$@" >>"$HERE/systemctl"
case "$2 $3" in
"show-environment ") {show_environment} ;;
"is-active --quiet") kill -0 "$(cat {root}/run.pid)" 2>/dev/null ;;
restart*)
    setsid sh {root}/current/share/run-agent.sh {root} {settings} </dev/null >/dev/null 2>&1 3>&- &
    ;;
"disable --now")
    kill "$(cat {root}/run.pid)"; while [ -e {root}/run.pid ]; do sleep 0.05; done ;;
esac
"""


def test_with_systemd_the_agent_is_a_service(hosts: SshHosts, run: Installing) -> None:
    """systemctl is played by a script that runs the loop."""
    if os.geteuid() != 0:
        pytest.skip("this systemd is root's")
    web1 = hosts.add("web1")
    for folder in ("root/run/systemd/system", "root/etc/systemd/system"):
        (web1.folder / folder).mkdir(parents=True)
    web1.program("systemctl", _systemctl(web1))
    (row,) = run("web1")
    assert row["status"] == "installed"
    assert row["detail"] == f"known by {web1.fingerprint}"
    unit = (web1.folder / "root/etc/systemd/system/tui-manager-agent.service").read_text()
    assert f"ExecStart={web1.root}/current/bin/tui-manager-agent run\n" in unit
    asked = (web1.folder / "systemctl").read_text()
    assert "--system enable tui-manager-agent\n" in asked
    assert asked.count(" restart ") == 1
    assert statuses(run("web1")) == {"web1": "unchanged"}


@pytest.mark.parametrize("may", [True, False])
def test_without_root_the_agent_outlives_the_login(
    may: bool, hosts: SshHosts, run: Installing, remove: Uninstalling
) -> None:
    """A service of a user ends with the login, unless the user lingers. The script does not."""
    web1 = hosts.add("web1")
    unit = _systemd_of_a_user(web1, may_linger=may)
    (row,) = run("web1")
    assert row["status"] == "installed"
    assert unit.exists() is may
    assert ("`loginctl enable-linger` was refused there" in row["detail"]) is not may
    assert statuses(run("web1")) == {"web1": "unchanged"}
    remove("web1")
    asked = (web1.folder / "asked").read_text().splitlines()
    assert asked == (["enable-linger ana", "disable-linger ana"] if may else ["enable-linger ana"])
    assert [name for name in web1.files if "home/" in name] == []


def _systemd_of_a_user(host: SshHost, *, may_linger: bool) -> Path:
    """The login is no root; returns where its unit would be."""
    host.use_home()
    host.program("id", "case $1 in -u) echo 1000;; -un) echo ana;; esac")
    host.program("systemctl", _systemctl(host, show_environment="exit 0"))
    host.program("loginctl", f'echo "$@" >>"$HERE/asked"; exit {0 if may_linger else 1}')
    (host.folder / "root/run/systemd/system").mkdir(parents=True)
    return host.config / "systemd/user/tui-manager-agent.service"


def test_without_systemd_a_crontab_starts_it(hosts: SshHosts, run: Installing) -> None:
    web1 = hosts.add("web1")
    table = web1.folder / "table"
    web1.program("crontab", f"""
case $1 in
-l) cat {table} 2>/dev/null || {{ echo no crontab for root >&2; exit 1; }} ;;
-r) rm {table} ;;
-) cat >{table} ;;
esac
""")  # fmt: skip
    (row,) = run("web1")
    assert row["detail"] == f"known by {web1.fingerprint}"
    (line,) = table.read_text().splitlines()
    assert line.startswith(f"@reboot sh {web1.root}/current/share/run-agent.sh {web1.root} ")
    table.write_text(f"1 2 * * * mine\n{line}\n")
    web1.kill_loop(signal.SIGTERM)
    run("web1")
    assert table.read_text() == f"1 2 * * * mine\n{line}\n"


def test_a_crontab_that_cannot_be_read_is_left_alone(hosts: SshHosts, run: Installing) -> None:
    web1 = hosts.add("web1")
    web1.program(
        "crontab", 'case $1 in -l) echo broken >&2; exit 1;; esac; echo "$@" >"$HERE/wrote"'
    )
    (row,) = run("web1")
    assert row["detail"].endswith(NO_BOOT)
    assert not (web1.folder / "wrote").exists()
