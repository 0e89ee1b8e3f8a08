"""A host from its first hour to its last: enrolled, approved, at work, restarted, renamed, in
maintenance, revoked, removed."""

import json
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.programs.processes import Machine
from tests.support.programs.programs import Program

REFUSED = 3  # exit status of the agent
WORDS = re.compile(r"known by ([a-z]{5}-[a-z]{5}-[a-z]{5})")
KEYS = {
    "host_id", "name", "labels", "admission", "online", "since", "address", "os", "arch",
    "agent_version", "build", "installed_by", "running", "fingerprint", "maintenance", "cpu",
    "memory",
}  # fmt: skip


def joined(machine: Machine, name: str, *options: str) -> Program:
    """An agent that enrolled, and whose host was approved."""
    agent = machine.agent(name, *options, token=machine.token())
    machine.wait_for_host(name, "pending")
    assert machine.run("hosts", "approve", name).out.decode() == f"{name}\n"
    machine.wait_for_host(name, "admitted")
    return agent


def files(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")


def test_serve_says_where_hosts_enrol(secure: Machine) -> None:
    (line,) = secure.programs[0].out.splitlines()
    assert re.fullmatch(
        rf"listening on 127\.0\.0\.1:\d+ mTLS, enrolment on :\d+, state in {secure.state_dir}", line
    )


def test_a_host_waits_until_it_is_approved(secure: Machine) -> None:
    agent = secure.agent("h1", token=secure.token())
    secure.wait_for_host("h1", "pending")
    (waiting,) = secure.json("hosts")
    assert set(waiting) == KEYS
    early = secure.run("run", "h1", "--", "true")
    assert early.code == 2
    assert "h1" in early.err
    (words,) = set(WORDS.findall(agent.err + agent.out))
    assert words in secure.run("hosts").out.decode()
    done = secure.run("hosts", "approve", "h1")
    assert (done.code, done.out) == (0, b"h1\n")
    assert secure.wait_for_host("h1", "admitted")["host_id"] == waiting["host_id"]
    done = secure.run("run", "h1", "--", "echo let in")
    assert (done.code, done.out) == (0, b"h1: let in\n")


def test_neither_side_needs_a_token_again(secure: Machine) -> None:
    agent = joined(secure, "h1")
    before = secure.host("h1")
    assert agent.stop() == 0, agent.story()
    assert secure.programs[0].stop() == 0
    secure.serve()
    secure.agent("h1")
    after = secure.wait_for_host("h1", "admitted")
    assert after["host_id"] == before["host_id"]
    assert secure.run("run", "h1", "--", "true").code == 0


def test_a_revoked_host_is_cut_off_and_stays_out(secure: Machine) -> None:
    agent = joined(secure, "h1")
    begun = secure.folder / "begun"
    task_id = int(
        secure.run(
            *("run", "h1", "--detach", "--env", f"BEGUN={begun}"),
            *("--", 'touch "$BEGUN"; exec sleep 600'),
        ).out
    )
    secure.wait_for("the command to run", begun.exists)
    done = secure.run("hosts", "revoke", "h1")
    assert (done.code, done.out) == (0, b"h1\n")
    assert agent.wait() == REFUSED, agent.story()
    assert "revoked" in agent.err
    (row,) = secure.wait_for_task(task_id, "failed")["hosts"]
    assert (row["status"], row["reason"]) == ("failed", "agent_lost")
    for token in ("", secure.token("--auto-approve")):
        assert secure.agent("h1", token=token).wait() == REFUSED, secure.story()
    host = secure.host("h1")
    assert (host["admission"], host["online"]) == ("revoked", False)
    assert secure.run("run", "h1", "--", "true").code == 2


def test_what_operators_say_of_a_host_outlives_its_agent(secure: Machine) -> None:
    agent = joined(secure, "h1", "--label", "env=prod", "--label", "rack=r1")
    task_id = int(secure.run("run", "h1", "--detach", "--", "true").out)
    secure.wait_for_task(task_id, "completed")
    assert secure.run("hosts", "rename", "h1", "shop").out == b"shop\n"
    assert secure.run("hosts", "label", "shop", "--set", "env=lab").out == b"shop\n"
    maintained = secure.run("hosts", "maintenance", "shop", "--reason", "disks", "--until", "1d")
    assert maintained.out == b"shop\n"
    assert agent.stop() == 0, agent.story()
    assert secure.programs[0].stop() == 0
    secure.serve()
    agent = secure.agent("h1", "--label", "env=prod", "--label", "rack=r2")

    def told() -> bool:
        (host,) = secure.hosts()
        return bool(host["online"]) and host["labels"] == {"env": "lab", "rack": "r2"}

    secure.wait_for("the host with its labels", told)
    (host,) = secure.json("hosts")
    assert (host["name"], host["admission"]) == ("shop", "admitted")
    assert host["maintenance"]["reason"] == "disks"
    assert secure.run("hosts", "maintenance", "shop", "--end").code == 0
    assert secure.run("run", "shop", "--", "echo here").out == b"shop: here\n"
    (row,) = secure.json("task", "show", str(task_id))["hosts"]
    assert row["host"] == "shop"

    early = secure.run("hosts", "remove", "shop")
    assert early.code == 2
    assert "it is online" in early.err
    assert agent.stop() == 0, agent.story()
    secure.wait_for("the host to be offline", lambda: not secure.hosts()[0]["online"])
    assert secure.run("hosts", "remove", "shop").out == b"shop\n"
    assert secure.json("hosts") == []
    for token in ("", secure.token("--auto-approve")):
        gone = secure.agent("h1", token=token)
        assert gone.wait() == REFUSED, gone.story()
        assert "shop was removed" in gone.err
    (row,) = secure.json("task", "show", str(task_id))["hosts"]
    assert row["host"] == "shop"


def test_a_rejected_host_is_told_so(secure: Machine) -> None:
    agent = secure.agent("h1", token=secure.token())
    secure.wait_for_host("h1", "pending")
    assert secure.run("hosts", "reject", "--all-pending").out == b"h1\n"
    assert agent.wait() == REFUSED, agent.story()
    assert "rejected" in agent.err
    assert secure.run("hosts", "approve", "h1").code == 2


def test_an_expired_token_lets_nobody_in(secure: Machine) -> None:
    token = secure.token()
    with closing(sqlite3.connect(secure.state_dir / "manager.db", timeout=30)) as database:
        database.execute("UPDATE tokens SET expires_at = created_at - 1")
        database.commit()
    agent = secure.agent("h1", token=token)
    assert agent.wait() == REFUSED, agent.story()
    assert "token" in agent.err
    assert secure.hosts() == []


def test_a_revoked_token_lets_nobody_in(secure: Machine) -> None:
    token = secure.token("--uses", "5", "--auto-approve")
    secure.agent("h1", token=token)
    secure.wait_for_host("h1", "admitted")
    (listed,) = secure.json("token", "list")
    assert (listed["state"], listed["uses_left"]) == ("valid", 4)
    done = secure.run("token", "revoke", str(listed["token_id"]))
    assert done.out.decode() == f"{listed['token_id']}\n"
    agent = secure.agent("h2", token=token)
    assert agent.wait() == REFUSED, agent.story()
    assert "The join token was revoked" in agent.err
    assert secure.run("run", "h1", "--", "true").code == 0
    assert secure.json("token", "list") == []
    (revoked,) = secure.json("token", "list", "--all")
    assert revoked["state"] == "revoked"
    assert secure.json("audit", "--text", "revoke_token")[0]["detail"] == {
        "token": "1",
        "used": "1",
    }


def test_a_used_token_lets_nobody_else_in(secure: Machine) -> None:
    token = secure.token("--auto-approve", "--label", "role=db")
    secure.agent("h1", "--label", "role=web", "--label", "env=test", token=token)
    host = secure.wait_for_host("h1", "admitted")
    assert host["labels"] == {"role": "db", "env": "test"}
    other = secure.agent("h2", token=token)
    assert other.wait() == REFUSED, other.story()
    assert [host["name"] for host in secure.hosts()] == ["h1"]


def test_who_takes_a_known_name_waits_with_a_note(secure: Machine) -> None:
    joined(secure, "h1")
    secure.agent("h1", state="other", token=secure.token("--auto-approve"))

    def both() -> list[str]:
        return [host["admission"] for host in secure.hosts() if host["online"]]

    secure.wait_for("both to be online", both, lambda seen: len(seen) == 2)
    assert sorted(both()) == ["admitted", "pending"]
    remark = secure.run("hosts").out.decode().splitlines()[-1]
    assert remark.startswith("h1 ")
    (twin,) = (host for host in secure.hosts() if host["admission"] == "pending")
    assert twin["host_id"] in remark
    refused = secure.run("hosts", "approve", twin["host_id"])
    assert refused.code == 2
    assert "h1" in refused.err
    assert secure.run("hosts", "revoke", "h1").code == 0
    assert secure.run("hosts", "approve", twin["host_id"]).out == b"h1\n"


def test_the_audit_tells_it_all(secure: Machine) -> None:
    joined(secure, "h1")
    assert secure.run("run", "h1", "--name", "first", "--", "true").code == 0
    assert secure.run("hosts", "revoke", "h1").code == 0
    told = secure.json("audit")
    assert [entry["action"] for entry in told][:5] == [
        "create_token", "enroll_host", "admit_host", "create_task", "start_task",
    ]  # fmt: skip
    (revoked,) = (entry for entry in told if entry["action"] == "revoke_host")
    assert (revoked["host"], revoked["task_id"]) == ("h1", None)
    assert revoked["at"].endswith("Z")
    assert secure.json("audit", "--limit", "1") == told[-1:]
    assert {entry["action"] for entry in secure.json("audit", "--text", "h1")} >= {
        "enroll_host", "admit_host", "revoke_host",
    }  # fmt: skip
    shown = secure.run("audit").out.decode().splitlines()
    assert shown[0].split()[:3] == ["WHEN", "WHO", "DID"]
    assert len(shown) == len(told) + 1


def test_a_token_as_json(secure: Machine) -> None:
    made = json.loads(secure.run("token", "create", "--ttl", "1h", "--uses", "3", "--json").out)
    assert set(made) == {"token", "expires_at", "token_id"}
    assert re.fullmatch(r"tm1\.[\w-]{43}\.[\w-]{32}\.\d+", made["token"])
    secure.agent("h1", token=made["token"])
    secure.wait_for_host("h1", "pending")


def test_a_token_that_is_none_changes_nothing(secure: Machine) -> None:
    for options, words in (
        (["--ttl", "1s"], "lasts from 10s"),
        (["--uses", "0"], "not a number"),
        (["--label", "a b=c"], "label"),
    ):
        done = secure.run("token", "create", *options)
        assert (done.code, done.out) == (2, b"")
        assert words in done.err
    assert secure.json("audit") == []


def test_without_tls_there_is_nothing_to_join(machine: Machine) -> None:
    machine.serve()
    done = machine.run("token", "create")
    assert done.code == 2
    assert "--insecure" in done.err


@pytest.mark.parametrize("whose", ["manager", "agents/h1"])
def test_nobody_else_can_read_the_state(secure: Machine, whose: str) -> None:
    joined(secure, "h1")
    assert secure.run("run", "h1", "--", "echo written").code == 0
    open_to_others = [
        path
        for path in files(secure.folder / whose)
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert open_to_others == []


def test_a_tokens_secret_is_nowhere_afterwards(secure: Machine) -> None:
    token = secure.token("--auto-approve")
    secure.agent("h1", token=token)
    secure.wait_for_host("h1", "admitted")
    secret = token.split(".")[2].encode()
    holding = [
        path for path in files(secure.folder) if path.is_file() and secret in path.read_bytes()
    ]
    assert holding == []
