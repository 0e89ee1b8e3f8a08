"""The facts of real hosts: they come, change, choose hosts, and stay while a host is away."""

import os
from typing import Any

from tests.support.programs.processes import Machine


def facts_of(machine: Machine, name: str) -> dict[str, Any]:
    """What `hosts show --json` tells of a host."""
    shown: dict[str, Any] = machine.json("hosts", "show", name)
    return shown


def test_facts_come_change_and_choose_hosts(machine: Machine) -> None:
    machine.serve()
    own = machine.folder / "facts.toml"
    own.write_text('site = "berlin"\nrack.row = 3\nkernel = "mine"\n')
    own.chmod(0o600)
    machine.agent("web01", "--facts", str(own))
    web02 = machine.agent("web02")
    machine.wait_until_online("web01", "web02")

    first = facts_of(machine, "web01")
    facts = first["facts"]
    assert facts["kernel"] == os.uname().release
    assert facts["cores"] == str(os.cpu_count())
    assert (facts["site"], facts["rack.row"]) == ("berlin", "3")
    assert "kernel is a fact that the agent itself finds out" in facts["facts_error"]

    assert _ran_on(machine, "fact.site=berlin") == ["web01"]
    assert _ran_on(machine, f"fact.kernel={os.uname().release}") == ["web01", "web02"]
    assert machine.run("run", "fact.site=paris", "--", "true").code == 2

    own.write_text('site = "paris"\n')
    second = machine.wait_for(
        "the change of the file",
        lambda: facts_of(machine, "web01"),
        lambda shown: shown["facts"]["site"] == "paris",
    )
    assert not second["facts"].keys() & {"rack.row", "facts_error"}
    assert second["facts_at"] > first["facts_at"]
    assert _ran_on(machine, "fact.site=paris") == ["web01"]
    assert [task["target"] for task in second["tasks"]] == [
        f"fact.kernel={os.uname().release}",
        "fact.site=berlin",
    ]

    told_at = facts_of(machine, "web02")["facts_at"]
    web02.process.terminate()
    away = machine.wait_for(
        "web02 to be away",
        lambda: facts_of(machine, "web02"),
        lambda shown: not shown["online"],
    )
    assert (away["facts"]["cores"], away["facts_at"]) == (str(os.cpu_count()), told_at)
    assert away["vitals"] == {}


def _ran_on(machine: Machine, target: str) -> list[str]:
    task_id = int(machine.run("run", target, "--detach", "--", "true").out)
    return [row["host"] for row in machine.wait_for_task(task_id, "completed")["hosts"]]
