"""From hosts with nothing but sshd to a fleet that runs a command, and back to nothing."""

import json
import operator
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import psutil
import pytest

from tests.lab.conftest import MakeLab, give_bundle
from tests.lab.hosts import LabHost
from tests.lab.lab import Lab, plans

pytestmark = pytest.mark.long

NAMES = [f"h{number:02}" for number in range(1, 6)]
ROOT = "opt/tui-manager-agent"


def agent(lab: Lab, *arguments: str, status: int = 0) -> dict[str, Any]:
    """Runs `tui-manager agent` with these arguments; how it ended on each host."""
    done = lab.operator.run("agent", *arguments, "--json")
    assert done.code == status, f"{done}\n{lab.story()}"
    return {outcome["host"]: outcome for outcome in json.loads(done.out)}


def statuses(outcomes: Mapping[str, Any]) -> dict[str, str]:
    """How it ended, in a word."""
    return {name: outcome["status"] for name, outcome in outcomes.items()}


def programs(host: LabHost) -> list[str]:
    """What runs on a host, but for those who are logged in, and what systemd starts for them."""
    names = []
    for process in host.processes():
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            if not words.startswith(("sshd: ", "(sd-pam)")) and "systemd --user" not in words:
                names.append(words)
    return sorted(names)


def restart(lab: Lab, name: str) -> None:
    """Lets a host lose its power and boot; returns when its agent has connected again."""
    first = lab.operator.host(name)["since"]
    lab.restart(name)
    lab.operator.wait_for(
        f"{name} to be back",
        lambda: lab.operator.host(name),
        lambda host: host["online"] and host["since"] != first,
    )


def stdout_of(lab: Lab, target: str, *words: str) -> dict[str, str]:
    """What a command prints on hosts, where it must complete."""
    done = lab.operator.run("run", target, "--json", "--", *words)
    assert done.code == 0, f"{done}\n{lab.story()}"
    return {row["host"]: row["stdout"] for row in json.loads(done.out)["hosts"]}


def check_traces(lab: Lab, before: Mapping[str, tuple[dict[str, str], Sequence[str]]]) -> None:
    """Compares files (with users and crontabs) and processes of hosts with those of before."""
    for name, (files, running) in before.items():
        after = lab[name].files()
        changed = {path: text for path, text in after.items() if files.get(path) != text}
        assert (name, changed, set(files) - set(after)) == (name, {}, set())
        lab.operator.wait_for(
            f"only {running} to run on {name}",
            partial(programs, lab[name]),
            partial(operator.eq, running),
        )


def traces(lab: Lab, *names: str) -> dict[str, tuple[dict[str, str], Sequence[str]]]:
    """What `check_traces` compares."""
    for name in names:  # the first login makes files
        assert lab.ssh(name, "true").code == 0
    return {name: (lab[name].files(), programs(lab[name])) for name in names}


def test_five_hosts_go_from_nothing_to_a_command_and_back(make_lab: MakeLab) -> None:
    """Although the first install is killed, and the agents are broken in between."""
    lab = make_lab(plans(5, systemd=(3, 4), behind_jump=(5,)))
    lab.operator.serve()
    give_bundle(lab)
    before = traces(lab, *NAMES)
    kill_an_install(lab)

    installed = agent(lab, "install", "--ssh", "h[01-05]")
    assert statuses(installed) == dict.fromkeys(NAMES, "installed")
    assert {host["name"] for host in lab.operator.hosts()} == set(NAMES)
    words = "command -v python3 || echo none; cat /etc/hostname"
    assert stdout_of(lab, "@all", words) == {name: f"none\n{name}\n" for name in NAMES}

    assert statuses(agent(lab, "install", "--ssh", "h[01-05]")) == dict.fromkeys(NAMES, "unchanged")
    assert len(lab.operator.hosts()) == len(NAMES)

    mend_and_boot(lab)

    removed = agent(lab, "uninstall", "--ssh", "h[01-05]")
    assert statuses(removed) == dict.fromkeys(NAMES, "removed")
    assert lab.operator.hosts() == []
    check_traces(lab, before)


def kill_an_install(lab: Lab) -> None:
    """Begins an install of all, and kills the program once it sends."""
    first = lab.operator.start("killed", "agent", "install", "--ssh", "h[01-05]")
    lab.operator.wait_for("the first bytes", lambda: "sending" in first.err)
    first.process.send_signal(signal.SIGKILL)
    first.wait()


def mend_and_boot(lab: Lab) -> None:
    """Breaks three agents in three ways. The next install mends these alone, with their keys, and
    then a boot starts them."""
    keys = {host["name"]: host["fingerprint"] for host in lab.operator.hosts()}
    lab["h01"].run("sh", "-c", f"kill -9 $(cat /{ROOT}/run.pid); pkill -9 -f [s]tart_agent || :")
    lab["h02"].run("sh", "-c", f"rm -r /{ROOT}/current/lib; kill $(cat /{ROOT}/run.pid)")
    lab["h03"].run("sh", "-c", "systemctl stop tui-manager-agent; rm /etc/tui-manager-agent.env")
    mended = agent(lab, "install", "--ssh", "h[01-05]")
    expected = dict.fromkeys(NAMES[:3], "installed") | dict.fromkeys(NAMES[3:], "unchanged")
    assert statuses(mended) == expected
    assert {host["name"]: host["fingerprint"] for host in lab.operator.hosts()} == keys
    for name in ("h02", "h03"):
        restart(lab, name)
    assert set(stdout_of(lab, "@all", "hostname")) == set(NAMES)


def test_an_agent_of_a_user_without_root_leaves_nothing_either(make_lab: MakeLab) -> None:
    lab = make_lab(plans(3, systemd=(2, 3)))
    lab.operator.serve()
    give_bundle(lab)
    lab["h02"].run("loginctl", "enable-linger", "plain")  # its owner may; h03 refuses it to admin
    users = ("plain@h01", "plain@h02", "admin@h03")
    for user in users:
        assert lab.ssh(user, "true").code == 0
    before = traces(lab, "h01", "h02", "h03")
    installed = agent(lab, "install", "--ssh", *users)
    assert statuses(installed) == dict.fromkeys(users, "installed")
    lab.operator.wait_for(
        "systemd to take note that admin has logged out",
        lambda: lab["h03"].run("loginctl", "show-user", "admin", "--property=State"),
        lambda state: state == "State=closing\n",
    )
    assert stdout_of(lab, "@all", "id -un") == {
        "h01": "plain\n",
        "h02": "plain\n",
        "h03": "admin\n",
    }
    for name in ("h01", "h02"):
        restart(lab, name)
    agent(lab, "uninstall", "--ssh", *users)
    check_traces(lab, before)
