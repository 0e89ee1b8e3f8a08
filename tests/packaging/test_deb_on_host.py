"""The package of Debian on a host with systemd and without Python."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.conftest import MakeLab, make_lab
from tests.lab.hosts import LabHost
from tests.lab.lab import Lab, plans
from tests.packaging.conftest import run_tool
from tests.support.programs.built_bundles import built_bundle
from tests.support.programs.programs import wait_for

__all__ = ["make_lab"]
WAITS = "until [ -e /root/go ]; do sleep 0.1; done; echo it went on"


def make_package(folder: Path) -> Path:
    """A package of the agent of this checkout; its release is 1. To compress it takes ten seconds,
    and `test_packages.py` has packages that are compressed."""
    words = ("--bundle", built_bundle().path, "--release", "1", "--only", "deb", "--uncompressed")
    return Path(run_tool("tools/make_packages.py", folder, *words).strip())


def make_newer(package: Path, folder: Path) -> Path:
    """The same package as its release 2."""
    subprocess.run(["dpkg-deb", "-R", package, folder], check=True)
    control = folder / "DEBIAN" / "control"
    text = control.read_text()
    assert text.count("-1\n") == 1
    control.write_text(text.replace("-1\n", "-2\n"))
    newer = package.with_name("newer.deb")
    subprocess.run(["dpkg-deb", "-Znone", "-b", folder, newer], check=True)
    return newer


def put(package: Path, host: LabHost) -> str:
    """Copies a package to a host. Returns its path there."""
    shutil.copy(package, host.root / "root" / package.name)
    return f"/root/{package.name}"


def join(lab: Lab, host: LabHost) -> None:
    """Says to the agent of a host which manager it has, and starts it."""
    settings = host.root / "etc" / "tui-manager-agent.env"
    settings.write_text(f"TUI_MANAGER_AGENT_MANAGER={lab.operator.address}\n")
    token = host.root / "etc" / "tui-manager-agent.token"
    token.touch(mode=0o600)
    token.write_text(lab.operator.token())
    host.run("systemctl", "enable", "--now", "tui-manager-agent")
    lab.operator.wait_for("the host", lab.operator.hosts)
    lab.operator.run("hosts", "approve", "--all-pending")
    lab.operator.wait_for(
        "the host to be online", lambda: [one for one in lab.operator.hosts() if one["online"]]
    )


def start(lab: Lab, command: str) -> str:
    """Starts a command on the host and returns its task, once it runs."""
    done = lab.operator.run("run", "--detach", "h01", "--", command)
    task = done.out.decode().strip()
    lab.operator.wait_for(
        "the command to run",
        lambda: lab.operator.json("task", "show", task),
        lambda shown: shown["counts"]["running"] == 1,
    )
    return task


@pytest.mark.long
def test_neither_an_upgrade_nor_a_removal_ends_a_command(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(plans(1, systemd=(1,)))
    lab.operator.serve()
    host = lab["h01"]
    package = make_package(tmp_path)
    first, second = put(package, host), put(make_newer(package, tmp_path / "unpacked"), host)
    host.run("dpkg", "-i", first)
    assert host.run("tui-manager-agent", "--version").startswith("tui-manager-agent ")
    join(lab, host)
    (told,) = lab.operator.hosts()
    assert told["installed_by"] == "deb"
    task = start(lab, WAITS)
    main_pid = ("systemctl", "show", "--property=MainPID", "tui-manager-agent")
    before = host.run(*main_pid)

    # The upgrade itself is a command of the agent.
    upgrade = lab.operator.run("run", "h01", "--", f"dpkg -i {second} && echo upgraded")
    assert upgrade.code == 0, upgrade
    assert b"h01: upgraded\n" in upgrade.out
    assert host.run("dpkg-query", "-W", "-f", "${Version}", "tui-manager-agent").endswith("-2")
    assert host.run(*main_pid) != before
    assert lab.operator.address in (host.root / "etc" / "tui-manager-agent.env").read_text()
    (host.root / "root" / "go").touch()
    followed = lab.operator.run("task", "follow", task)
    assert (followed.code, followed.out) == (0, b"h01: it went on\n")

    (host.root / "root" / "go").unlink()
    start(lab, f"{WAITS}; touch /root/ended")
    host.run("dpkg", "--remove", "tui-manager-agent")
    shown = host.run("systemctl", "show", "--property=ActiveState", "tui-manager-agent")
    assert shown.strip() == "ActiveState=inactive"
    assert (host.root / "var" / "lib" / "tui-manager-agent").exists()
    (host.root / "root" / "go").touch()
    wait_for("the command to end", lambda: (host.root / "root" / "ended").exists())
    host.run("dpkg", "--purge", "tui-manager-agent")
    left = [path for path in host.paths() if "tui-manager" in path and not path.endswith(".deb")]
    assert left == []
