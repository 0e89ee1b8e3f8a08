"""A task from the shell to real hosts and back."""

import json
from pathlib import Path

from tests.support.programs.processes import Machine

FIVE = ("web01", "web02", "web03", "db01", "db02")


def test_five_hosts_report_both_outputs_and_how_they_failed(machine: Machine) -> None:
    machine.serve()
    machine.agents(*FIVE)
    done = machine.run("run", "@all", "--json", "--", "echo out; echo err >&2; exit 3")
    assert done.code == 1, done
    found = json.loads(done.out)
    assert found["status"] == "failed"
    assert found["counts"]["total"] == found["counts"]["failed"] == 5
    assert [row["host"] for row in found["hosts"]] == sorted(FIVE)
    for row in found["hosts"]:
        assert row["status"] == "failed"
        assert row["reason"] == "exit_code"
        assert row["exit_code"] == 3
        assert (row["stdout"], row["stderr"]) == ("out\n", "err\n")
        assert (row["stdout_bytes"], row["stderr_bytes"]) == (4, 4)


def test_five_million_random_bytes_come_back_as_they_were(busy: Machine) -> None:
    original = busy.folder / "random"
    done = busy.run(
        *("run", "h1", "--json", "--env", f"COPY={original}", "--"),
        'head -c 5000000 /dev/urandom | tee "$COPY"',
    )
    assert done.code == 0, done
    found = json.loads(done.out)
    assert found["hosts"][0]["stdout_bytes"] == 5_000_000
    assert found["hosts"][0]["cut"] is True
    stored = busy.run("output", str(found["task_id"]), "--host", "h1")
    assert stored.code == 0, stored
    assert stored.out == original.read_bytes()


def test_both_streams_and_all_hosts_come_back(busy: Machine) -> None:
    done = busy.run("run", "h1,h2", "--json", "--", "echo $$; echo err >&2")
    found = json.loads(done.out)
    task_id = str(found["task_id"])
    said = [row["stdout"].encode() for row in found["hosts"]]
    assert busy.run("output", task_id, "--stream", "stdout").out == b"".join(said)
    assert busy.run("output", task_id, "--stream", "stderr").out == b"err\nerr\n"
    assert busy.run("output", task_id, "--host", "h2", "--stream", "stdout").out == said[1]


def test_lines_appear_while_the_command_runs(busy: Machine) -> None:
    gate = busy.folder / "gate"
    running = busy.start(
        "live",
        *("run", "h1", "--env", f"GATE={gate}", "--"),
        'echo one; echo two >&2; until [ -e "$GATE" ]; do sleep 0.25; done; printf three',
    )
    busy.wait_for("the first line", lambda: running.out, lambda seen: seen == "h1: one\n")
    busy.wait_for("the second line", lambda: running.err, lambda seen: seen == "h1: two\n")
    assert running.process.poll() is None
    gate.touch()
    assert running.wait() == 0, running.story()
    assert running.out == "h1: one\nh1: three\n"
    assert running.err == "h1: two\ntui-manager: 1 completed\n"


def test_gather_folds_what_is_the_same(busy: Machine) -> None:
    done = busy.run("run", "@all", "--gather", "--", "echo same")
    rule = "-" * 15
    assert done.code == 0, done
    assert done.out.decode() == f"{rule}\nh[1-2] (2)\n{rule}\nsame\n"


def test_values_reach_the_command_as_they_are(busy: Machine, tmp_path: Path) -> None:
    odd = "'; touch /nowhere; $(id) `id` \"\\n\t€"
    done = busy.run(
        *("run", "h1", "--json", "--param", f"P={odd}", "--env", f"E={odd}"),
        *("--cwd", str(tmp_path), "--", 'printf "%s|%s|%s" "$P" "$E" "$PWD"'),
    )
    assert done.code == 0, done
    assert json.loads(done.out)["hosts"][0]["stdout"] == f"{odd}|{odd}|{tmp_path}"


def test_a_timeout_kills_and_says_so(busy: Machine) -> None:
    done = busy.run("run", "h1", "--json", "--timeout", "1s", "--", "echo begun; sleep 600")
    assert done.code == 1, done
    (row,) = json.loads(done.out)["hosts"]
    assert (row["status"], row["reason"], row["stdout"]) == ("timeout", "timeout", "begun\n")


def test_a_signal_is_told(busy: Machine) -> None:
    done = busy.run("run", "h1", "--json", "--", "kill -9 $$")
    assert done.code == 1, done
    (row,) = json.loads(done.out)["hosts"]
    assert (row["status"], row["reason"], row["signal"]) == ("failed", "signal", 9)


def test_a_folder_that_is_not_there(busy: Machine) -> None:
    done = busy.run("run", "h1", "--json", "--cwd", "/no/such/folder", "--", "true")
    assert done.code == 1, done
    (row,) = json.loads(done.out)["hosts"]
    assert (row["status"], row["reason"]) == ("failed", "spawn_failed")
    assert row["detail"]


def test_a_pending_task_is_started_later_and_once(busy: Machine) -> None:
    made = busy.run("run", "h1", "--no-start", "--name", "later", "--", "echo now")
    task_id = int(made.out)
    assert busy.task(task_id)["status"] == "pending"
    assert busy.run("task", "start", str(task_id)).code == 0
    assert busy.wait_for_task(task_id, "completed")["name"] == "later"
    again = busy.run("task", "start", str(task_id))
    assert again.code == 2
    assert again.err.startswith("tui-manager: ")


def test_detach_returns_at_once_and_the_task_goes_on(busy: Machine) -> None:
    task_id = int(busy.run("run", "h1", "--detach", "--", "echo done").out)
    busy.wait_for_task(task_id, "completed")
    assert busy.run("output", str(task_id)).out == b"done\n"


def test_a_host_that_is_offline_fails_at_once_and_the_others_go_on(machine: Machine) -> None:
    machine.serve()
    _, away = machine.agents("h1", "h2")
    away.stop()
    machine.wait_for(
        "h2 to be offline",
        lambda: {host["name"]: host["online"] for host in machine.hosts()},
        lambda seen: seen == {"h1": True, "h2": False},
    )
    done = machine.run("run", "@all", "--json", "--", "true")
    assert done.code == 1, done
    rows = json.loads(done.out)["hosts"]
    assert [(row["host"], row["status"], row["reason"]) for row in rows] == [
        ("h1", "completed", ""),
        ("h2", "failed", "undeliverable"),
    ]


def test_a_task_runs_again_on_exactly_the_hosts_that_did_not_complete(machine: Machine) -> None:
    """The supervisor of h3 dies, so nobody knows how its command ended; h4 is offline."""
    machine.serve()
    *_, away = machine.agents("h1", "h2", "h3", "h4")
    away.stop()
    machine.wait_for(
        "h4 to be offline",
        lambda: {host["name"]: host["online"] for host in machine.hosts()},
        lambda seen: not seen["h4"],
    )
    ends = 'case $TUI_MANAGER_HOST in h2) exit 3;; h3) kill -9 "$PPID"; sleep 60;; esac'
    assert machine.run("run", "@all", "--json", "--", ends).code == 1
    for options, hosts in (
        ((), ["h2", "h4"]),
        (("--failed",), ["h2"]),
        (("--unreached",), ["h4"]),
        (("--unknown",), ["h3"]),
        (("--all",), ["h1", "h2", "h3", "h4"]),
    ):
        done = machine.run("task", "rerun", "1", *options, "--json")
        assert done.code == 1, done
        assert [row["host"] for row in json.loads(done.out)["hosts"]] == hosts
    assert machine.json("task", "show", "1")["reruns"] == [6, 5, 4, 3, 2]


def test_everything_is_there_after_a_restart(machine: Machine) -> None:
    serve = machine.serve()
    (agent,) = machine.agents("h1")
    assert machine.run("run", "h1", "--", "echo kept").code == 0
    before = machine.json("task", "show", "1")
    agent.stop()
    assert serve.stop() == 0, serve.story()
    assert machine.run("hosts").code == 3
    machine.serve()
    assert machine.json("task", "show", "1") == before
    assert machine.run("output", "1").out == b"kept\n"
    assert [host["name"] for host in machine.hosts()] == ["h1"]
    machine.agent("h1")
    machine.wait_until_online("h1")


def test_a_task_waits_for_a_host_that_comes_back(machine: Machine) -> None:
    machine.serve()
    (agent,) = machine.agents("web01")
    agent.stop()
    machine.wait_for("web01 to be offline", lambda: not machine.hosts()[0]["online"])
    done = machine.run("run", "web01", "--offline", "wait", "--detach", "--", "echo back")
    task_id = int(done.out)
    assert machine.task(task_id)["status"] == "running"
    shown = machine.run("task", "show", str(task_id)).out.decode()
    assert "waits up to 1h for a host that is away" in shown
    machine.agent("web01")
    machine.wait_for_task(task_id, "completed")
    assert machine.run("output", str(task_id)).out == b"back\n"


def test_a_command_knows_its_task_and_its_host(machine: Machine) -> None:
    machine.serve()
    machine.agent("web01", "--label", "example.com/role=web")
    machine.wait_until_online("web01")
    done = machine.run("run", "web01", "--json", "--", "env | grep ^TUI_MANAGER | sort")
    found = json.loads(done.out)
    told = dict(line.split("=", 1) for line in found["hosts"][0]["stdout"].splitlines())
    assert told.pop("TUI_MANAGER_EXECUTION_ID")
    assert told == {
        "TUI_MANAGER_BATCH": "1",
        "TUI_MANAGER_HOST": "web01",
        "TUI_MANAGER_LABEL_EXAMPLE_COM_ROLE": "web",
        "TUI_MANAGER_TASK_ID": str(found["task_id"]),
    }
