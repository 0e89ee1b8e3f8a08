"""A database whose server is lost, and whose standby takes its place."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.faults.checks.checker import Allowed, check
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet, fleet_of
from tests.faults.fleet.fleet_database import PostgresqlOfFleet
from tests.faults.scenarios.running import all_ended, status
from tests.faults.scenarios.several import HOSTS, more_tasks_end, says, several, under_load
from tests.support.databases.cutting_proxy import CuttingProxy
from tests.support.databases.own_postgresql import (
    as_superuser,
    follow_nobody,
    own_server,
    standby_of,
)
from tests.support.databases.postgresql_server import PostgresqlServer
from tests.support.memory_folder import memory_folder


class WithStandby(PostgresqlOfFleet):
    """A database in a server of its own, with a standby; managers know both."""

    def __init__(self, folder: Path, server: PostgresqlServer, standby: PostgresqlServer) -> None:
        super().__init__(folder, server)
        self.standby = standby
        self._primary = server

    @property
    def url(self) -> str:
        """See PostgresqlOfFleet."""
        both = f"{self._primary.folder},{self.standby.folder}"
        ports = f"{self._primary.settings['port']},{self.standby.settings['port']}"
        return (
            f"postgresql://postgres@/{self.name}?host={both}&port={ports}"
            "&target_session_attrs=read-write"
        )

    def door(self) -> tuple[CuttingProxy | None, str]:
        """See FleetDatabase."""
        return None, self.url

    def fail_over(self) -> None:
        """The server is lost, and the standby takes its place."""
        self._primary.stop(signal.SIGQUIT)
        as_superuser(self.standby, "SELECT pg_promote()")
        self.server = self.standby

    def close(self) -> None:
        """See FleetDatabase. It goes with its servers."""
        self._forget_connection()


@contextlib.contextmanager
def _with_standby(folder: Path, *, synchronous: bool) -> Iterator[WithStandby]:
    with own_server() as server, standby_of(server) as standby:
        if synchronous:
            server.stop()
            server.settings["synchronous_standby_names"] = "*"
            server.start()
        yield WithStandby(folder, server, standby)


@several("the database failed over to a synchronous standby")
async def synchronous(seed: str) -> None:
    """All that was acknowledged is there, and nobody has to do anything."""
    with (
        memory_folder("faults-") as folder,
        _with_standby(folder, synchronous=True) as database,
    ):
        made = fleet_of(folder, seed, *HOSTS, spread=True, database=database)
        async with made as fleet, under_load(fleet):
            await more_tasks_end(fleet)
            fleet.note("the standby takes the place of the server")
            database.fail_over()
            await more_tasks_end(fleet, 4)


@several("the database failed over to a standby that lacks the last transactions")
async def asynchronous(seed: str) -> None:
    """No manager writes to it before an operator has started it again; nothing runs twice."""
    with (
        memory_folder("faults-") as folder,
        _with_standby(folder, synchronous=False) as database,
    ):
        made = fleet_of(folder, seed, *HOSTS, spread=True, database=database)
        async with made as fleet:
            short = await fleet.run("h1", command(40, held=True))
            long = await fleet.run("h2", command(100, held=True))
            for row in fleet.rows("SELECT execution_id FROM command_hosts"):
                await status(fleet, row["execution_id"], "running")
            fleet.note("the standby does not get what is written from now on")
            await fleet.wait("the standby to have it", lambda: _has_all(database))
            follow_nobody(database.standby)
            fleet.let_go("h1")
            await fleet.ended_tasks([short])  # and acknowledged: its output is gone from the host
            unknown = await fleet.run("h3", command(20))
            await fleet.ended_tasks([unknown])
            await _all_beat(fleet)
            fleet.note("the standby takes the place of the server")
            database.fail_over()
            for manager in fleet.managers:
                await says(fleet, manager, "lacks the last", "Stop this manager and start it again")
            for manager in fleet.managers:
                await fleet.terminate(manager.node)
            await fleet.start_managers()
            fleet.let_go("h2")
            await all_ended(fleet, short, long)
            rows = fleet.rows("SELECT status FROM command_hosts")
            assert [row["status"] for row in rows] == ["completed"] * 2, fleet.explain()
            check(fleet, Allowed(gaps=True, unknown=True))


@several("the database failed over to a standby that lacks only what other managers wrote")
async def lost_by_others(seed: str) -> None:
    """One manager has lost nothing. It goes on, and what it knows of the others' hosts is no more
    than what is stored."""
    with (
        memory_folder("faults-") as folder,
        _with_standby(folder, synchronous=False) as database,
    ):
        async with fleet_of(folder, seed, *HOSTS, spread=True, database=database) as fleet:
            one, two, stays = fleet.managers
            await fleet.gather_agents(one)
            await fleet.wait("the standby to have it", lambda: _has_all(database))
            fleet.note(f"SIGSTOP {stays.node.name}; the standby gets nothing more")
            stays.node.send(signal.SIGSTOP)
            fleet.asked = [one, two]
            follow_nobody(database.standby)
            for gateway in (two, one, two):  # so the generations of sessions go on there
                await fleet.gather_agents(gateway)
            lost = await fleet.run("@all", command(5))
            await fleet.ended_tasks([lost])
            fleet.note(f"the standby takes the place of the server; SIGCONT {stays.node.name}")
            database.fail_over()
            stays.node.send(signal.SIGCONT)
            for manager in (one, two):
                await says(fleet, manager, "lacks the last", "Stop this manager and start it again")
            fleet.asked = [stays]
            await fleet.gather_agents(stays)
            await fleet.wait("all to be read", stays.node.text, lambda text: _READ_AGAIN in text)
            await _completes(fleet)
            for manager in (one, two):
                await fleet.terminate(manager.node)
            await fleet.start_managers()
            fleet.asked = list(fleet.managers)
            await fleet.gather_agents(one)
            await _completes(fleet)
            check(fleet, Allowed(gaps=True, unknown=True))


_READ_AGAIN = "all hosts were read again"


async def _completes(fleet: Fleet) -> None:
    """A task on all hosts completes."""
    task_id = await fleet.run("@all", command(10))
    await all_ended(fleet, task_id)
    rows = fleet.rows("SELECT status FROM command_hosts WHERE task_id = ?", task_id)
    assert [row["status"] for row in rows] == ["completed"] * len(HOSTS), fleet.explain()


async def _all_beat(fleet: Fleet) -> None:
    """Waits until each manager has written something more."""
    query = "SELECT id, beats FROM gateways ORDER BY id"
    before = [row["beats"] for row in fleet.rows(query)]
    await fleet.wait(
        "all managers to beat",
        lambda: [row["beats"] for row in fleet.rows(query)],
        lambda beats: all(now > then for now, then in zip(beats, before, strict=True)),
    )


def _has_all(database: WithStandby) -> bool:
    """Whether the standby has applied all that the server has written."""
    written = as_superuser(database.server, "SELECT pg_current_wal_lsn()")
    behind = f"SELECT pg_wal_lsn_diff('{written}', pg_last_wal_replay_lsn()) > 0"
    return not as_superuser(database.standby, behind)
