"""A database that is put back knows no host that has enrolled since; a new token brings it back."""

import shutil

from tests.support.programs.processes import Machine

REFUSED = 3  # exit status of the agent


def restore(machine: Machine, copy: str) -> None:
    """What the manual says to do, with the manager where it was."""
    assert machine.programs[0].stop() == 0
    shutil.copy(machine.folder / copy, machine.state_dir / "manager.db")
    for end in ("-wal", "-shm"):
        (machine.state_dir / f"manager.db{end}").unlink(missing_ok=True)
    machine.serve("--listen", machine.address, "--enroll-listen", "127.0.0.1:0")


def test_a_host_that_a_restored_database_does_not_know_comes_back_with_a_new_token(
    secure: Machine,
) -> None:
    assert secure.run("backup", str(secure.folder / "copy.db")).code == 0
    agent = secure.agent("h1", token=(first := secure.token()))
    before = secure.wait_for_host("h1", "pending")
    assert secure.run("hosts", "approve", "h1").code == 0
    assert secure.run("run", "h1", "--", "true").code == 0
    restore(secure, "copy.db")
    assert agent.wait() == REFUSED, agent.story()
    assert "Enrol the host again with a new join token" in agent.err
    assert secure.hosts() == []
    for token in ("", first):  # the old one does not help, and is not asked about again
        assert secure.agent("h1", token=token).wait() == REFUSED, secure.story()
    agent = secure.agent("h1", token=secure.token())
    after = secure.wait_for_host("h1", "pending")
    assert after["host_id"] != before["host_id"]
    assert "enrolling with the same key" in agent.err
    assert secure.run("hosts", "approve", "h1").out == b"h1\n"
    done = secure.run("run", "h1", "--", "echo back")
    assert (done.code, done.out) == (0, b"h1: back\n")
