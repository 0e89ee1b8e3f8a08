"""A manager that is killed with an event on its way delivers it when it runs again, and one that
stops leaves no process of a hook behind."""

import json

import psutil

from tests.support.http_receiver import serving
from tests.support.programs.processes import Machine

SETTINGS = """
[hooks.page]
program = "{hook}"
events = ["task_failed"]
time_limit = "5m"
[webhooks.chat]
url = "{url}"
events = ["task_failed"]
"""
# Never ends, and has a child in a session of its own.
HOOK = """#!/bin/sh
cat >> {folder}/events
setsid sleep 600 &
echo $$ $! >> {folder}/pids
wait
"""


def test_an_event_outlives_a_kill_and_a_hook_does_not_outlive_a_stop(machine: Machine) -> None:
    hook, pids = machine.folder / "hook", machine.folder / "pids"
    hook.write_text(HOOK.format(folder=machine.folder))
    hook.chmod(0o755)
    with serving(500, 503, 503, 204) as server:
        machine.configure(SETTINGS.format(hook=hook, url=server.url))
        first = machine.serve()
        machine.agents("h1")
        server.gate.clear()
        assert machine.run("run", "h1", "--", "exit", "3").code == 1
        machine.wait_for("the first try", lambda: server.requests)
        machine.wait_for("the hook", lambda: pids.exists() and pids.read_text().split())
        first.process.kill()
        server.gate.set()
        first.process.wait()
        second = machine.serve("--listen", machine.address)

        def chat() -> dict[str, object]:
            receivers = machine.json("notifications")
            return {one["name"]: one for one in receivers}["chat"]  # type: ignore[no-any-return]

        machine.wait_for("the delivery", chat, lambda one: one["delivered"])
        assert len(server.requests) == 4
        assert len({headers["webhook-id"] for _, headers, _ in server.requests}) == 1
        event = json.loads(server.requests[-1][2])
        assert (event["task"]["task_id"], event["failures_in_a_row"]) == (1, 1)
        assert (chat()["pending"], chat()["last_error"]) == (0, None)
        tested = machine.run("notifications", "test", "chat")
        assert (tested.code, tested.out) == (0, b"chat: delivered: HTTP status 204\n")
    shown = machine.run("config").out.decode() + machine.story()
    assert "s3cret" not in shown

    def hooks() -> list[int]:
        return [int(pid) for pid in pids.read_text().split()]

    of_second = machine.wait_for("the hook again", hooks, lambda seen: len(seen) == 4)[2:]
    assert second.stop() == 0
    assert not any(map(_runs, of_second))
    ids = {json.loads(line)["id"] for line in _lines((machine.folder / "events").read_text())}
    assert len(ids) == 1


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _lines(text: str) -> list[str]:
    """The events, which follow each other without an end of line."""
    return text.replace("}{", "}\n{").splitlines()
