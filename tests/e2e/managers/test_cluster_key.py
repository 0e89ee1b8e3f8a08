"""Hosts go from one manager on a PostgreSQL database to another one that has its `cluster.key`."""

import shutil

from tests.support.databases.postgresql import new_database
from tests.support.programs.processes import Machine
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec


def test_hosts_tokens_and_secrets_are_the_same_with_another_manager(machine: Machine) -> None:
    machine.secure = True
    with new_database() as url:
        machine.configure(f'database = "{url}"\n')
        serve = machine.serve()
        enrolling = serve.out.split("enrolment on ")[1].split(",")[0]
        first = machine.agent("h1", token=machine.token("--auto-approve"))
        machine.wait_until_online("h1")
        token = machine.token("--auto-approve")
        with_secret = TaskSpec("h1", (CommandSpec('echo "got $KEY"', secrets={"KEY": "s3cret"}),))
        waiting = machine.ask(lambda operator: operator.create_task(with_secret))
        assert serve.stop() == 0

        old = machine.folder / "first"
        machine.state_dir.rename(old)
        refused = machine.run("serve", "--listen", machine.address)
        assert refused.code != 0
        path = machine.state_dir / "cluster.key"
        assert f"{path} is missing" in refused.err
        assert f"scp OTHER:{path} {path}" in refused.err
        shutil.copy(old / "cluster.key", path)

        ports = ("--listen", machine.address, "--enroll-listen", f"127.0.0.1{enrolling}")
        again = machine.serve(*ports)
        machine.wait_until_online("h1")
        assert first.process.poll() is None
        machine.agent("h2", token=token)
        machine.wait_for_host("h2", "pending")  # on the machine of h1, so it is not auto-approved
        assert machine.run("hosts", "approve", "h2").code == 0
        assert machine.run("task", "start", str(waiting)).code == 0
        machine.wait_for_task(waiting, "completed")
        assert machine.output(waiting) == b"got s3cret\n"
        done = machine.run("run", "@all", "--", "echo after")
        assert (done.code, sorted(done.out.splitlines())) == (0, [b"h1: after", b"h2: after"])
        assert again.stop() == 0
