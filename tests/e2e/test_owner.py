"""What the owner of a host allows, and whom it runs commands as, seen by an operator."""

import json
import os
from contextlib import suppress

import psutil
import pytest

from tests.support.programs.processes import Machine

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_the_owners_word_reaches_the_operator(machine: Machine) -> None:
    policy = machine.folder / "policy.toml"
    policy.write_text('reason = "Ask ana."\n[allow.hello]\ncommands = "echo *"\n')
    machine.serve()
    machine.agent("h1", "--policy", str(policy))
    machine.wait_until_online("h1")
    allowed = machine.run("run", "h1", "--", "echo hello")
    assert (allowed.code, allowed.out) == (0, b"h1: hello\n")
    refused = machine.run("run", "h1", "--json", "--", "echo hello; id")
    assert refused.code == 1
    (row,) = json.loads(refused.out)["hosts"]
    assert (row["status"], row["reason"]) == ("failed", "rejected")
    assert row["detail"] == (
        "refused by this host's policy (allow): no rule allows this command: Ask ana."
    )


@as_root
def test_as_another_user(busy: Machine) -> None:
    done = busy.run(
        "run", "h1", "--user", "nobody", "--", 'echo "$(id -un) $USER"; sleep 0.1 & wait'
    )
    assert (done.code, done.out) == (0, b"h1: nobody nobody\n"), done


@as_root
def test_what_runs_as_another_user_is_killed_by_ctrl_c(busy: Machine) -> None:
    started = busy.run(
        *("run", "h1", "--user", "nobody", "--detach", "--"),
        "setsid sleep 599 & setsid sleep 599 & echo ready; wait",
    )
    task_id = int(started.out)
    busy.wait_for(
        "its output",
        lambda: busy.output(task_id),
        lambda seen: seen == b"ready\n",
    )
    busy.run("task", "cancel", str(task_id))
    (row,) = busy.wait_for_task(task_id, "canceled")["hosts"]
    assert row["reason"] == "canceled"
    left = []
    for process in busy.left_behind():
        with suppress(psutil.NoSuchProcess):  # it ended just now
            left.append(process.cmdline())
    assert not any("599" in words for words in left)
