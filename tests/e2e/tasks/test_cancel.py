"""Cancel ends what runs, to the last process, and what waits."""

import uuid

import pytest

from tests.support.programs.processes import Machine, marked

CAPACITY = 5  # commands at once of an agent, unless told otherwise

STUBBORN = "trap '' TERM; while :; do sleep 1; done"


@pytest.mark.parametrize(
    "command",
    ["sleep 600", "sh -c 'sleep 600 & sleep 600 & wait'", STUBBORN],
    ids=["plain", "children", "ignores SIGTERM"],
)
def test_all_hosts_are_canceled_and_no_process_is_left(machine: Machine, command: str) -> None:
    machine.configure('kill_grace = "500ms"')
    machine.serve()
    machine.agents("h1", "h2", "h3")
    mark = {"MARK_OF_COMMAND": uuid.uuid4().hex}
    options = [f"--env={name}={value}" for name, value in mark.items()]
    task_id = int(machine.run("run", "@all", "--detach", *options, "--", command).out)
    machine.wait_for(
        "the command on all hosts",
        lambda: (machine.task(task_id)["counts"]["running"], len(marked(mark))),
        lambda seen: seen[0] == 3 and seen[1] >= 3,
    )
    done = machine.run("task", "cancel", str(task_id))
    assert done.code == 0, done
    task = machine.wait_for_task(task_id, "canceled")
    assert [(row["status"], row["reason"]) for row in task["hosts"]] == [
        ("canceled", "canceled")
    ] * 3
    assert task["counts"]["canceled"] == 3
    assert marked(mark) == []


def test_work_that_waits_on_an_agent_never_starts(machine: Machine) -> None:
    machine.serve()
    machine.agents("h1")
    begun = machine.folder / "begun"
    begun.touch()
    command = 'echo x >> "$BEGUN"; exec sleep 600'
    task_ids = [
        int(machine.run("run", "h1", "--detach", f"--env=BEGUN={begun}", "--", command).out)
        for _ in range(CAPACITY + 3)
    ]
    machine.wait_for(
        "the agent to be full",
        lambda: (begun.read_text(), [host["running"] for host in machine.hosts()]),
        lambda seen: seen == ("x\n" * CAPACITY, [CAPACITY]),
    )
    for task_id in reversed(task_ids):  # first those that wait: no room is made for them
        assert machine.run("task", "cancel", str(task_id)).code == 0
    for task_id in task_ids:
        machine.wait_for_task(task_id, "canceled")
    assert begun.read_text() == "x\n" * CAPACITY
    assert marked({"BEGUN": str(begun)}) == []
    assert machine.run("run", "h1", "--", "true").code == 0  # the agent has room again


def test_ctrl_c_tells_and_then_cancels(machine: Machine) -> None:
    machine.serve()
    machine.agents("h1")
    mark = {"MARK_OF_COMMAND": uuid.uuid4().hex}
    options = [f"--env={name}={value}" for name, value in mark.items()]
    running = machine.start("run", "run", "h1", *options, "--", "echo begun; sleep 600")
    machine.wait_for("the command", lambda: running.out, lambda seen: seen == "h1: begun\n")
    running.interrupt()
    machine.wait_for(
        "the progress", lambda: running.err, lambda seen: "ctrl-c again cancels" in seen
    )
    assert machine.task(1)["status"] == "running"
    running.interrupt()
    assert running.wait() == 130, running.story()
    assert "1 canceled" in running.err
    assert machine.task(1)["status"] == "canceled"
    assert marked(mark) == []


def test_cancel_of_a_pending_task(busy: Machine) -> None:
    task_id = busy.run("run", "h1", "--no-start", "--", "true").out.decode().strip()
    assert busy.run("task", "cancel", task_id).code == 0
    assert busy.task(int(task_id))["status"] == "canceled"
    assert busy.run("task", "start", task_id).code == 2
