"""The hosts of a lab are what the other tests take them for, and nothing of them stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.lab.conftest import MakeLab
from tests.lab.disks import HostPlan
from tests.lab.lab import plans
from tests.support.programs.programs import wait_for

ROOT = Path(__file__).parents[2]
PROGRAM_THAT_KEEPS_A_LAB = """
import sys, time
from pathlib import Path
from tests.lab.lab import plans, running_lab
with running_lab(Path(sys.argv[1]), plans(2, systemd=(2,))):
    print("up", flush=True)
    time.sleep(1000)
"""


def test_hosts_have_names_addresses_and_processes_of_their_own(make_lab: MakeLab) -> None:
    lab = make_lab(plans(4, systemd=(3,), behind_jump=(4,)))
    names = [f"h{number:02}" for number in range(1, 5)]
    ask = "hostname; hostname -I; cat /etc/machine-id /proc/sys/kernel/random/boot_id; id -un"
    said = {name: lab.ssh(name, ask) for name in names}
    assert {name: done.out.decode().splitlines()[0] for name, done in said.items()} == {
        name: name for name in names
    }
    for line in range(1, 4):
        assert len({done.out.splitlines()[line] for done in said.values()}) == len(names)
    assert {done.out.splitlines()[4] for done in said.values()} == {b"root"}


def test_no_host_has_python(make_lab: MakeLab) -> None:
    lab = make_lab(plans(1))
    assert lab.ssh("h01", "command -v python3 || command -v python || ls /usr/lib/python3").code
    assert lab["h01"].run("find", "/", "-xdev", "-path", "*bin/python*") == ""


def test_users_may_do_what_they_are_for(make_lab: MakeLab) -> None:
    lab = make_lab(plans(1))
    assert lab.ssh("admin@h01", "sudo id -un").out == b"root\n"
    assert lab.ssh("plain@h01", "sudo -n id -un").code != 0


def test_a_host_behind_the_jump_host_is_reached_through_it_alone(make_lab: MakeLab) -> None:
    lab = make_lab([HostPlan("far", behind_jump=True)])
    assert lab.ssh("far", "hostname").out == b"far\n"
    direct = lab.operator.shell("ssh", "-oBatchMode=yes", "-oProxyJump=none", "far", "hostname")
    assert direct.code == 255
    lab["jump"].link("down")
    cut = lab.operator.shell("ssh", "-oBatchMode=yes", "-oConnectTimeout=1", "far", "hostname")
    assert cut.code == 255
    lab["jump"].link("up")
    assert lab.ssh("far", "hostname").out == b"far\n"


def test_a_host_that_loses_power_keeps_its_disk_and_boots_anew(make_lab: MakeLab) -> None:
    lab = make_lab(plans(1))
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = lab.ssh("h01", f"echo kept > /opt/file; {boot}").out
    lab["h01"].run("crontab", "-", stdin=b"@reboot echo booted > /opt/booted\n")
    lab.restart("h01")
    after = lab.ssh("h01", f"cat /opt/file; {boot}").out.splitlines()
    assert after[0] == b"kept"
    assert after[1] != before.strip()
    wait_for("cron to run @reboot", lambda: (lab["h01"].root / "opt/booted").exists())


def test_systemd_is_the_first_process_where_it_is_planned(make_lab: MakeLab) -> None:
    lab = make_lab(plans(2, systemd=(2,)))
    assert lab.ssh("h01", "command -v systemctl").code
    lab["h02"].run("systemctl", "is-system-running", "--wait")
    assert lab.ssh("plain@h02", "systemctl --user is-system-running --wait").out == b"running\n"
    lab.restart("h02")
    lab["h02"].run("systemctl", "is-system-running", "--wait")


def test_a_host_may_lack_what_others_have(make_lab: MakeLab) -> None:
    plan = HostPlan("bad", without=("sudo", "crontab"), banner="Welcome!", read_only=True)
    lab = make_lab([plan, HostPlan("new")])
    assert lab.ssh("admin@bad", "command -v sudo; command -v crontab").code
    assert lab.ssh("admin@bad", "echo x > /opt/file").code
    assert lab.ssh("admin@bad", "true").out == b"Welcome!\n"
    lab["new"].change_host_key()
    refused = lab.ssh("new", "true")
    assert refused.code == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.err
    lab.trust_host_keys()
    assert lab.ssh("new", "true").code == 0


def test_what_changed_on_a_host_is_seen_in_its_files(make_lab: MakeLab) -> None:
    host = make_lab(plans(1))["h01"]
    before = host.files()
    host.run("sh", "-c", "echo 1 > /var/lib/new; rm /etc/deluser.conf; chmod 700 /opt")
    after = host.files()
    changed = {path for path, text in after.items() if before.get(path) != text}
    assert changed == {"opt", "var/lib/new"}
    assert set(before) - set(after) == {"etc/deluser.conf"}


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGINT])
def test_nothing_of_a_lab_stays_when_its_test_is_ended(
    tmp_path: Path, make_lab: MakeLab, sig: int
) -> None:
    folder = tmp_path / "ended"
    words = [sys.executable, "-c", PROGRAM_THAT_KEEPS_A_LAB, str(folder)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as by:
        assert by.stdout is not None
        assert by.stdout.readline() == b"up\n"
        left = psutil.Process(by.pid).children(recursive=True)
        assert {process.name() for process in left} >= {"sshd", "systemd", "unshare", "cron"}
        by.send_signal(sig)
        by.wait()
    wait_for("all to end", lambda: [process for process in left if _lives(process)], _is_empty)
    assert str(folder) not in Path("/proc/self/mounts").read_text()
    assert str(folder) not in Path("/proc/1/mounts").read_text()
    assert not list((folder / "disks").iterdir() if (folder / "disks").exists() else ())
    make_lab(())  # the next lab removes the cgroups of those that were killed
    assert not [name for name in _cgroups() if name == f"tui-manager-lab-{by.pid}"]


def _is_empty(found: list[psutil.Process]) -> bool:
    return not found


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _cgroups() -> list[str]:
    return [name for _, folders, _ in os.walk("/sys/fs/cgroup") for name in folders]
