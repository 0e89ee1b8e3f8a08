"""Agents and managers one minor version apart work with each other, and a host keeps its work when
its agent becomes one of another version."""

import json
import signal
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.file_trees import OF_HOST
from tests.support.programs.earlier_version import V0_1_0
from tests.support.programs.processes import Done, Machine, marked
from tests.support.programs.programs import Program

Variables = Mapping[str, str]
TODAY: Variables = {}
HELD = 'echo begun; until [ -e "$GATE" ]; do sleep 0.25; done; seq 1000; echo end >&2; exit 3'
NUMBERS = "".join(f"{number}\n" for number in range(1, 1001))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Variables:
    """The variables with which programs are those of the earlier version."""
    try:
        return {"PYTHONPATH": V0_1_0.unpack(tmp_path_factory.mktemp("earlier"))}
    except (LookupError, FileNotFoundError) as error:  # a shallow clone; no git
        pytest.skip(f"version {V0_1_0.number} is not there: {error}")


@dataclass(slots=True)
class Pair:
    """A manager and the agent of h1, of versions of their own. Commands have the version of the
    manager."""

    machine: Machine
    of_manager: Variables
    of_agent: Variables
    serve: Program = field(init=False)
    agent: Program = field(init=False)

    def start(self) -> None:
        """With TLS, and a host that has been approved."""
        self.machine.secure = True
        self.serve = self.machine.serve(**self.of_manager)
        self.start_agent(token=self.run("token", "create").out.decode().strip())
        self.machine.wait_for("the host", self.hosts)
        assert self.run("hosts", "approve", "h1").code == 0
        self.wait_until_online()

    def start_manager_again(self) -> None:
        """At the same address."""
        options = ("--listen", self.machine.address, "--enroll-listen", "127.0.0.1:0")
        self.serve = self.machine.serve(*options, **self.of_manager)

    def start_agent(self, token: str = "") -> None:
        self.agent = self.machine.agent("h1", token=token, **self.of_agent)

    def run(self, *arguments: str) -> Done:
        return self.machine.run(*arguments, variables=self.of_manager)

    def json(self, *arguments: str) -> Any:
        """What a command with `--json` prints."""
        done = self.run(*arguments)
        assert done.out, f"{arguments}: {done}\n{self.machine.story()}"
        return json.loads(done.out)

    def hosts(self) -> list[dict[str, Any]]:
        return list(self.json("hosts", "--json"))

    def end_of(self, *arguments: str) -> dict[str, Any]:
        """How a command has ended on h1."""
        (row,) = self.json("run", "h1", "--json", *arguments)["hosts"]
        assert row["host"] == "h1"
        return dict(row)

    def begin(self, *arguments: str) -> str:
        """Starts a task; its id."""
        done = self.run("run", "h1", "--detach", *arguments)
        assert done.code == 0, done
        return done.out.decode().strip()

    def wait_for_output(self, task_id: str, text: str) -> None:
        self.machine.wait_for("output", partial(self.output, task_id, "stdout"), text.__eq__)

    def wait_for_row(self, task_id: str, status: str) -> dict[str, Any]:
        """Waits until h1 has this status in a task."""

        def row() -> dict[str, Any]:
            (found,) = self.json("task", "show", task_id, "--json")["hosts"]
            return dict(found)

        return self.machine.wait_for(status, row, lambda found: found["status"] == status)

    def output(self, task_id: str, stream: str) -> str:
        return self.run("output", task_id, "--stream", stream).out.decode()

    def wait_until_online(self) -> None:
        self.machine.wait_for(
            "h1 to be online",
            self.hosts,
            lambda hosts: [(h["admission"], h["online"]) for h in hosts] == [("admitted", True)],
        )


@pytest.fixture(params=["agent", "manager"], scope="module")
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, earlier: Variables
) -> Iterator[Pair]:
    """One of the two is of the earlier version. All tests of it share it."""
    versions = (TODAY, earlier) if request.param == "agent" else (earlier, TODAY)
    made = Pair(Machine(tmp_path_factory.mktemp("pair")), *versions)
    try:
        made.start()
        (host,) = made.hosts()
        assert (host["agent_version"] == V0_1_0.number) == (request.param == "agent")
        yield made
    finally:
        made.machine.stop()


def _ends(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["status"], row["reason"], row["exit_code"], row["signal"]


def test_commands_end_as_they_do_with_one_version(pair: Pair) -> None:
    row = pair.end_of("--env=WORD=out", "--", 'echo "$WORD"; echo err >&2')
    assert _ends(row) == ("completed", "", 0, None)
    assert (row["stdout"], row["stderr"]) == ("out\n", "err\n")
    row = pair.end_of("--", "seq 1000; exit 3")
    assert _ends(row) == ("failed", "exit_code", 3, None)
    assert row["stdout"] == NUMBERS
    assert _ends(pair.end_of("--", "kill -9 $$")) == ("failed", "signal", None, signal.SIGKILL)
    row = pair.end_of("--", "head -c 3000000 /dev/zero")
    assert (row["status"], row["stdout_bytes"], row["truncated_bytes"]) == ("completed", 3000000, 0)


@pytest.mark.parametrize("how", ["canceled", "timeout"])
def test_a_command_that_is_killed_is_killed_whole(pair: Pair, how: str) -> None:
    mark = {"MARK_OF_COMMAND": uuid.uuid4().hex}
    options = [f"--env={name}={value}" for name, value in mark.items()]
    options += ["--timeout=2"] if how == "timeout" else []
    task_id = pair.begin(*options, "--", "sleep 600 & echo begun; sleep 600 && echo never")
    if how == "canceled":
        pair.wait_for_output(task_id, "begun\n")
        assert pair.run("task", "cancel", task_id).code == 0
    row = pair.wait_for_row(task_id, how)
    assert row["reason"] == how
    assert "never" not in pair.output(task_id, "stdout")
    assert marked(mark) == []


@pytest.mark.parametrize("killed", ["agent", "manager", "both"])
def test_nothing_is_lost_when_one_is_killed_and_started_again(pair: Pair, killed: str) -> None:
    gate = pair.machine.folder / f"gate-{killed}"
    task_id = pair.begin(f"--env=GATE={gate}", "--", HELD)
    pair.wait_for_output(task_id, "begun\n")
    if killed != "manager":
        pair.agent.process.kill()
        pair.agent.wait()
    if killed != "agent":
        pair.serve.process.kill()
        pair.serve.wait()
    if killed == "both":
        gate.touch()  # it ends while nobody is there
    if killed != "agent":
        pair.start_manager_again()
    if killed != "manager":
        pair.start_agent()
    pair.wait_until_online()
    gate.touch()
    row = pair.wait_for_row(task_id, "failed")
    assert _ends(row) == ("failed", "exit_code", 3, None)
    assert pair.output(task_id, "stdout") == f"begun\n{NUMBERS}"
    assert pair.output(task_id, "stderr") == "end\n"


def test_an_agent_without_a_feature_rejects_what_needs_it(
    machine: Machine, earlier: Variables
) -> None:
    """And says which it is. Agents that have it do the work."""
    machine.serve()
    machine.agent("old", **earlier)
    machine.agents("new")
    machine.wait_until_online("old", "new")
    source, script = machine.folder / "app.conf", machine.folder / "script.sh"
    source.write_text("content\n")
    script.write_text("#!/bin/sh\necho from a script\n")
    into = machine.folder / "fetched"
    for feature, arguments in (
        ("files", ("copy", "@all", str(source), f"{OF_HOST}/copied/")),
        ("files", ("fetch", "@all", f"{OF_HOST}/copied/app.conf", str(into))),
        ("script", ("run", "@all", "--script", str(script))),
        ("stdin", ("run", "@all", "--stdin", str(source), "--", "cat")),
    ):
        done = machine.run(*arguments[:2], "--json", *arguments[2:])
        assert done.code == 1, done
        rows = {row["host"]: row for row in json.loads(done.out)["hosts"]}
        assert rows["new"]["status"] == "completed", rows
        assert (rows["old"]["status"], rows["old"]["reason"]) == ("failed", "rejected")
        assert f"it does not offer {feature}." in rows["old"]["detail"]
    done = machine.run("run", "@all", "--batches=1,rest", "--", "echo both")
    assert sorted(done.out.decode().splitlines()) == ["new: both", "old: both"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_host_keeps_its_work_when_its_agent_is_updated_and_when_it_goes_back(
    machine: Machine, earlier: Variables, tmp_path: Path, how: signal.Signals
) -> None:
    """Commands go on meanwhile, and results that the manager has not got yet are not lost."""
    machine.serve()
    versions = [earlier, TODAY, earlier, TODAY]
    gates = [tmp_path / f"gate{number}" for number in range(len(versions))]
    agent = machine.agent("h1", **versions[0])
    machine.wait_until_online("h1")
    for number, gate in enumerate(gates[1:], 1):
        running = [
            int(machine.run("run", "h1", "--detach", f"--env=GATE={path}", "--", HELD).out)
            for path in (gate, gates[0])
        ]
        for task_id in running:
            machine.wait_for("its output", partial(machine.output, task_id), b"begun\n".__eq__)
        agent.process.send_signal(how)
        agent.wait()
        gate.touch()  # it ends while there is no agent
        agent = machine.agent("h1", **versions[number])
        task = machine.wait_for_task(running[0], "failed")
        assert _ends(task["hosts"][0]) == ("failed", "exit_code", 3, None)
    gates[0].touch()
    for task_id in range(1, 1 + 2 * (len(versions) - 1)):
        task = machine.wait_for_task(task_id, "failed")
        assert _ends(task["hosts"][0]) == ("failed", "exit_code", 3, None)
        for stream, text in (("stdout", f"begun\n{NUMBERS}"), ("stderr", "end\n")):
            assert machine.run("output", str(task_id), "--stream", stream).out == text.encode()
    assert machine.host("h1")["agent_version"] != V0_1_0.number
