"""Hosts on which an install over ssh cannot succeed, and connections that break in the middle.

Each says its own reason, no other host is disturbed by it, and nothing of a failed install stays.
"""

import json
import os
import shutil
from typing import Any

import pytest

from tests.lab.conftest import MakeLab, give_bundle
from tests.lab.disks import HostPlan
from tests.lab.lab import Lab, plans

pytestmark = pytest.mark.long

NO_SYSTEMD = ("systemctl", "loginctl", "systemd-run")
# Comes before the real ssh. What ends a silent connection after a minute ends it after 12 s.
QUICK_SSH = """\
#!/bin/sh
for word; do
    shift
    [ "$word" != ServerAliveInterval=15 ] || word=ServerAliveInterval=3
    set -- "$@" "$word"
done
exec {} "$@"
"""


def agent(lab: Lab, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Runs `tui-manager agent` with these arguments; its exit status, and how each host ended."""
    done = lab.operator.run("agent", *arguments, "--json")
    assert done.out.startswith(b"["), f"{done}\n{lab.story()}"
    return done.code, {outcome["host"]: outcome for outcome in json.loads(done.out)}


def prepared(make_lab: MakeLab, *planned: HostPlan, forked: bool = True) -> Lab:
    """A lab with a manager and a bundle. Its programs are forked, or start as from a shell."""
    lab = make_lab(planned)
    if not forked:
        lab.operator.inside = 0
    lab.operator.serve()
    give_bundle(lab)
    return lab


def opt_of(lab: Lab, name: str) -> set[str]:
    """What is below /opt of a host, and what agents have elsewhere."""
    return {
        path
        for path in lab[name].paths()
        if path.startswith("opt/") or "tui-manager" in path or path.startswith("var/spool/cron/c")
    } - {"var/spool/cron/crontabs"}


def quick_ssh(lab: Lab) -> str:
    """A PATH whose ssh notices sooner that nobody answers, if it is told to notice it at all."""
    real = shutil.which("ssh")
    folder = lab.operator.folder / "quick"
    folder.mkdir()
    (folder / "ssh").write_text(QUICK_SSH.format(real))
    (folder / "ssh").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_each_bad_host_says_why_and_the_good_ones_are_installed(make_lab: MakeLab) -> None:
    names = ("good", "new", "fixed", "lacking", "poor", "small", "noexec", "packaged", "off")
    lab = prepared(
        make_lab,
        HostPlan("loud", without=NO_SYSTEMD, banner="Welcome! $nonce done=yes"),
        HostPlan("bare", without=(*NO_SYSTEMD, "crontab", "setsid", "flock", "sha256sum")),
        *(
            HostPlan(
                name,
                without=("sudo", *NO_SYSTEMD) if name == "lacking" else NO_SYSTEMD,
                read_only=name == "fixed",
            )
            for name in names
        ),
    )
    lab["new"].change_host_key()
    lab["small"].run("mount", "-t", "tmpfs", "-o", "size=40m", "none", "/opt")
    lab["noexec"].run("mount", "-t", "tmpfs", "-o", "noexec", "none", "/opt")
    packaged = "mkdir -p /usr/lib/tui-manager-agent; echo deb > /usr/lib/tui-manager-agent/packaged"
    lab["packaged"].run("sh", "-c", packaged)
    lab["off"].kill()
    hosts = [name for name in lab.hosts if name != "off"]
    before = {name: opt_of(lab, name) for name in hosts}

    users = {name: "plain" if name == "poor" else "admin" for name in lab.hosts}
    targets = [f"{user}@{name}" for name, user in users.items()]
    code, said = agent(lab, "install", "--ssh", "--become", *targets, "admin@unknown")
    assert code == 1
    said = {target.partition("@")[2]: outcome for target, outcome in said.items()}
    installed = {name for name, outcome in said.items() if outcome["status"] == "installed"}
    assert installed == {"good", "loud", "bare"}, said
    assert "does not start with the machine" in said["bare"]["detail"]
    done = lab.operator.run("run", "@all", "--json", "--", "id", "-un")
    assert [row["stdout"] for row in json.loads(done.out)["hosts"]] == ["root\n"] * 3
    for name, words in {
        "new": f"`ssh-keygen -r {lab['new'].address}` removes the known key",
        "fixed": "read-only",
        "lacking": "sudo",
        "poor": "sudo",
        "small": "free",
        "noexec": "noexec",
        "packaged": "deb",
        "off": "ssh:",
        "unknown": "ssh:",
    }.items():
        assert said[name]["status"] == "failed", said[name]
        assert words in said[name]["detail"].lower(), said[name]
    for name in set(hosts) - installed - {"packaged"}:
        assert opt_of(lab, name) == before[name], name

    lab.trust_host_keys()
    lab["small"].run("umount", "/opt")
    lab["noexec"].run("umount", "/opt")
    code, said = agent(
        lab, "install", "--ssh", "--become", "admin@new", "admin@small", "admin@noexec"
    )
    assert code == 0, said


def test_connections_that_break_in_the_middle_spoil_one_host_only(make_lab: MakeLab) -> None:
    lab = prepared(make_lab, HostPlan("far", behind_jump=True, without=NO_SYSTEMD), *plans(1))
    before = opt_of(lab, "far")
    running = lab.operator.start("cut", "agent", "install", "--ssh", "far", "h01", "--json")
    lab.operator.wait_for("the first bytes", lambda: "far sending" in running.err)
    lab["jump"].end_logins()
    assert running.wait() == 1
    said = {outcome["host"]: outcome["status"] for outcome in json.loads(running.out)}
    assert said == {"far": "failed", "h01": "installed"}
    lab.operator.wait_for("nothing to be left", lambda: opt_of(lab, "far") == before)

    words = ("agent", "install", "--ssh", "far", "h01", "--json")
    running = lab.operator.start("silent", *words, PATH=quick_ssh(lab))
    lab.operator.wait_for("the first bytes", lambda: "far sending" in running.err)
    lab["jump"].link("down")
    assert running.wait() == 1  # it ends by itself
    said = {outcome["host"]: outcome["status"] for outcome in json.loads(running.out)}
    assert said == {"far": "failed", "h01": "unchanged"}
    lab["jump"].link("up")
    lab["far"].end_logins()  # sshd there has not noticed, and the install that it serves has a lock
    lab.operator.wait_for("nothing to be left", lambda: opt_of(lab, "far") == before)
    code, outcomes = agent(lab, "install", "--ssh", "far")
    assert code == 0, outcomes


def test_one_host_under_two_names_is_installed_once(make_lab: MakeLab) -> None:
    lab = prepared(make_lab, *plans(1), forked=False)
    config = lab.operator.home / ".ssh" / "config"
    config.write_text(f"Host twin\n    HostName {lab['h01'].address}\n{config.read_text()}")
    code, said = agent(lab, "install", "--ssh", "h01", "twin")
    assert code == 1
    same = [name for name in ("h01", "twin") if said[name]["status"] == "failed"]
    assert len(same) == 1, said
    assert "the same machine" in said[same[0]]["detail"]
    assert len(lab.operator.hosts()) == 1


def test_a_host_of_another_manager_is_left_to_it(make_lab: MakeLab) -> None:
    lab = prepared(make_lab, *plans(1, unpacked=True))
    assert agent(lab, "install", "--ssh", "h01")[0] == 0
    other = str(lab.operator.folder / "other")
    lab.operator.serve("--state-dir", other)
    before = lab["h01"].files()
    code, said = agent(lab, "install", "--ssh", "h01", "--state-dir", other)
    assert code == 1
    assert "belongs to another manager" in said["h01"]["detail"], said
    changed = {path for path, text in lab["h01"].files().items() if before.get(path) != text}
    assert not [path for path in changed if path.startswith(("opt", "etc"))], changed
    assert lab.operator.host("h01")["online"]
