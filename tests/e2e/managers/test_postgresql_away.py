"""A PostgreSQL server that lets nobody in, is away for a while, or has lost what it confirmed, seen
by operators; and its password, which nobody sees."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases.own_postgresql import (
    PASSWORD,
    as_superuser,
    follow_nobody,
    own_server,
    server_with_passwords,
    standby_of,
    tui_url,
)
from tests.support.databases.postgresql_server import PostgresqlServer
from tests.support.programs.processes import Machine
from tests.support.programs.programs import Program
from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.manager_status import ManagerStatus

SAID = "tui-manager: results cannot be stored now: "
AGAIN = "tui-manager: results can be stored again\n"


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    """One that asks for passwords."""
    with server_with_passwords() as made:
        yield made


def _url(server: PostgresqlServer, password: str = PASSWORD) -> str:
    return f"postgresql://tui_manager:{password}@127.0.0.1:{server.settings['port']}/tui"


def _gated(machine: Machine, then: str) -> tuple[Program, Path]:
    """A `run` whose command waits for a file; and the file."""
    gate = machine.folder / "gate"
    command = f'until [ -e "{gate}" ]; do sleep 0.25; done; {then}'
    running = machine.start("live", "run", "h1", "--", command)
    machine.wait_for("it to run", machine.tasks, lambda seen: seen and seen[0]["counts"]["running"])
    return running, gate


def test_a_server_that_is_away_is_said_and_waited_out(
    machine: Machine, server: PostgresqlServer
) -> None:
    machine.configure(f'database = "{_url(server)}"\n')
    serve = machine.serve()
    machine.agents("h1")
    running, gate = _gated(machine, "seq 20000")
    server.stop()
    gate.touch()
    machine.wait_for("run to say so", lambda: running.err, lambda seen: SAID in seen)
    assert "The PostgreSQL database tui at 127.0.0.1 cannot be" in running.err
    assert running.process.poll() is None
    status = machine.wait_for("the status to say so", lambda: _status(machine))
    assert status
    assert "The PostgreSQL database tui at 127.0.0.1 cannot be" in status.health.storage_error
    assert any("The PostgreSQL database" in alert.text for alert in status.attention)
    hosts = machine.run("hosts")
    assert "The PostgreSQL database tui at 127.0.0.1 cannot be reached" in hosts.err
    started = machine.wait_for(
        "a start to be refused",
        lambda: machine.run("run", "--detach", "h1", "--", "true"),
        lambda done: "The PostgreSQL database tui at 127.0.0.1 cannot be reached" in done.err,
    )
    assert started.code != 0
    server.start()
    assert running.wait() == 0
    assert running.err.count(SAID) == 1
    assert AGAIN in running.err
    assert running.out == "".join(f"h1: {number}\n" for number in range(1, 20_001))
    assert len(machine.tasks()) == 1
    assert machine.run("run", "h1", "--", "echo after").out == b"h1: after\n"
    assert machine.run("check").code == 0
    assert serve.stop() == 0
    assert "the database is out of reach" in serve.err
    for text in (serve.out, serve.err, running.err, started.err, hosts.err):
        assert PASSWORD not in text


def _status(machine: Machine) -> ManagerStatus | None:
    """The status once it says what is wrong; in the first moment a read may be what fails."""
    try:
        status = machine.ask(lambda operator: operator.manager_status())
    except StorageError:
        return None
    return status if status.health.storage_error else None


def test_a_manager_stops_while_its_server_is_away(
    machine: Machine, server: PostgresqlServer
) -> None:
    machine.configure(f'database = "{_url(server)}"\n')
    serve = machine.serve()
    (agent,) = machine.agents("h1")
    running, gate = _gated(machine, "echo kept")
    server.stop()
    gate.touch()
    machine.wait_for("run to say so", lambda: running.err, lambda seen: SAID in seen)
    assert serve.stop() == 0
    running.wait()
    server.start()
    machine.serve("--listen", machine.address)
    machine.wait_for_task(1, "completed")
    assert machine.output(1) == b"kept\n"
    assert agent.process.poll() is None


@pytest.mark.parametrize(
    ("password", "words"),
    [("wr0ng", "It does not accept the password"), ("", "It asks for a password")],
)
def test_a_manager_that_is_not_let_in_says_why(
    machine: Machine, server: PostgresqlServer, password: str, words: str
) -> None:
    machine.configure(f'database = "{_url(server, password)}"\n')
    done = machine.run("serve", "--insecure", "--listen", "127.0.0.1:0")
    assert done.code == 2
    assert f"The PostgreSQL database tui at 127.0.0.1 cannot be used now. {words}" in done.err
    assert "wr0ng" not in done.err


def test_a_standby_that_lacks_the_last_transactions(machine: Machine) -> None:
    """Agents have deleted what is lost. After a restart they say what they hold, and the rest is
    left alone; the database contradicts itself nowhere."""
    with own_server() as server, standby_of(server) as standby:
        both = f"{server.folder},{standby.folder}"
        machine.configure(f'database = "{tui_url(server).replace(str(server.folder), both)}"\n')
        serve = machine.serve()
        agents = machine.agents("h1", "h2")
        assert machine.run("run", "@all", "--", "echo on both").code == 0
        running, gate = _gated(machine, "echo held")
        newest = "SELECT number FROM last_write"
        machine.wait_for(
            "the standby to have all",
            lambda: {as_superuser(one, newest, "tui") for one in (server, standby)},
            lambda numbers: len(numbers) == 1,
        )
        follow_nobody(standby)
        assert machine.run("run", "h2", "--", "echo lost").code == 0
        server.stop(signal.SIGQUIT)
        as_superuser(standby, "SELECT pg_promote()")
        machine.wait_for("run to say so", lambda: running.err, lambda seen: SAID in seen)
        refused = machine.wait_for(
            "starts to be refused",
            lambda: machine.run("run", "--detach", "h1", "--", "true"),
            lambda done: "it had confirmed, as after a failover" in done.err,
        )
        assert refused.code != 0
        assert re.search(r"lacks the last \d+ transactions", refused.err)
        assert "Stop this manager and start it again" in refused.err
        gate.touch()
        assert serve.stop() == 0
        running.wait()
        machine.serve("--listen", machine.address)
        machine.wait_until_online("h1", "h2")
        machine.wait_for_task(2, "completed")
        assert machine.output(2) == b"held\n"
        assert len(machine.tasks()) == 2
        after = machine.run("run", "@all", "--", "echo after")
        assert sorted(after.out.splitlines()) == [b"h1: after", b"h2: after"]
        assert machine.run("check").code == 0
        assert all(agent.process.poll() is None for agent in agents)
