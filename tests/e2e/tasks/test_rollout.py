"""A rollout from the shell: it is planned, held, resumed by command, and stopped by its budget."""

import json

from tests.support.programs.processes import Machine

HOSTS = ("db01", "web01", "web02", "web03")
BATCHES = ("--batches", "1,rest", "--hold", "first", "--max-failures", "0")


def test_a_held_rollout_goes_on_when_it_is_resumed(machine: Machine) -> None:
    machine.serve()
    machine.agents(*HOSTS)
    planned = machine.json("run", "@all", *BATCHES, "--plan", "--json", "--", "true")
    assert (planned["batches"], machine.tasks()) == ([1, 3], [])
    running = machine.start(
        "rollout",
        *("run", "@all", *BATCHES, "--json", "--"),
        'echo "$TUI_MANAGER_BATCH"; [ "$TUI_MANAGER_HOST" != web02 ]',
    )
    machine.wait_for("the hold", lambda: running.err, lambda seen: "on hold after batch 1" in seen)
    (task,) = machine.json("task", "list")
    assert (task["status"], task["paused"]) == ("running", False)
    assert (task["hold"]["batch"], task["hold"]["of"]) == (1, 2)
    assert task["counts"]["completed"] == 1
    assert task["counts"]["pending"] == 3
    machine.json("task", "pause", "1")
    assert machine.json("task", "resume", "1")["hold"] is None
    assert running.wait() == 1, running.story()
    found = json.loads(running.out)
    assert [(row["host"], row["batch"], row["stdout"]) for row in found["hosts"]] == [
        ("db01", 1, "1\n"),
        ("web01", 2, "2\n"),
        ("web02", 2, "2\n"),
        ("web03", 2, "2\n"),
    ]
    assert [row["status"] for row in found["hosts"]].count("failed") == 1
    assert machine.run("task", "resume", "1").code == 2
