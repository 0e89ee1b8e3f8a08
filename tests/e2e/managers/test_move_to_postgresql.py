"""A manager moves from SQLite to PostgreSQL while commands run, and its agents notice nothing."""

from tests.support.databases.postgresql import new_database
from tests.support.programs.processes import Machine
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

RUNS = 'echo begun; until [ -e "{gate}" ]; do sleep 0.25; done; echo ended'


def test_agents_go_on_after_their_manager_has_moved(secure: Machine) -> None:
    agents = [secure.agent(name, token=secure.token()) for name in ("h1", "h2")]
    for name in ("h1", "h2"):
        secure.wait_for_host(name, "pending")
        assert secure.run("hosts", "approve", name).code == 0
    before = {host["name"]: host["host_id"] for host in secure.hosts()}
    assert secure.run("run", "@all", "--", "echo first").code == 0
    gate = secure.folder / "gate"
    secure.start("running", "run", "@all", "--", RUNS.format(gate=gate))
    secure.wait_for(
        "both to have begun", lambda: secure.output(2), lambda seen: seen.count(b"begun") == 2
    )
    with_secret = TaskSpec("h1", (CommandSpec('echo "got $KEY"', secrets={"KEY": "s3cret"}),))
    waiting = secure.ask(lambda operator: operator.create_task(with_secret))
    serve = secure.programs[0]
    assert serve.stop() == 0
    gate.touch()  # both end while there is no manager
    with new_database() as url:
        secure.configure(f'database = "{url}"\n')
        file = str(secure.state_dir / "manager.db")
        moved = secure.json("database", "migrate", "--from", file)
        assert moved["rows"]["command_hosts"] == 4
        again = secure.serve("--listen", secure.address, "--enroll-listen", "127.0.0.1:0")
        secure.wait_until_online("h1", "h2")
        task = secure.wait_for_task(2, "completed")
        assert [host["status"] for host in task["hosts"]] == ["completed", "completed"]
        output = secure.output(2)
        assert (output.count(b"begun\n"), output.count(b"ended\n")) == (2, 2)
        assert secure.output(1) == b"first\nfirst\n"
        assert {host["name"]: host["host_id"] for host in secure.hosts()} == before
        assert all(agent.process.poll() is None for agent in agents)
        assert secure.run("task", "start", str(waiting)).code == 0
        secure.wait_for_task(waiting, "completed")
        assert secure.output(waiting) == b"got s3cret\n"
        done = secure.run("run", "@all", "--", "echo after")
        assert (done.code, sorted(done.out.splitlines())) == (0, [b"h1: after", b"h2: after"])
        checked = secure.run("check")
        assert checked.code == 0, checked
        assert again.stop() == 0
