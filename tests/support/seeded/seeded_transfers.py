"""A copy and a fetch that are under way, for snapshots and screenshots."""

from datetime import timedelta

from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet, Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

_SHA = "3f5a9c1e" * 8
NO_ROOM = "/srv/app/release/data: No space left on device: 68 MB are needed, 12 MB are free."
RELEASE = FileSet("5d1c" * 16, 21_000, 61_000_000, 240, 68_000_000)


async def add_copy(fleet: FakeOperator) -> int:
    """A copy to the web servers of production: some hosts are done, had all files, or failed."""
    now = fleet.clock
    fleet.clock = now - timedelta(seconds=19)
    fleet.sets[RELEASE.sha256] = b"", b""
    copy = CopySpec(RELEASE, "/srv/app/", 0o640, "app:www", True, ("app.conf", "release"))
    spec = TaskSpec("web[01-10]", (CommandSpec("", timedelta(minutes=10), copy=copy),))
    task = await fleet.create_task(spec)
    await fleet.start_task(task)
    for number in range(1, 11):
        name = f"web{number:02}"
        if name == "web04":
            continue
        execution = fleet.execution(task, name)
        fleet.clock = now - timedelta(seconds=18)
        fleet.report_transfer(execution, Transfer(0, 0))
        fleet.clock = now - timedelta(seconds=8 - number % 5)
        if number in (1, 2):
            fleet.finish_transfer(execution, Transfer(68_000_000, 240, 12, 61_400_000, _SHA))
        elif number == 5:
            fleet.finish_transfer(execution, Transfer(68_000_000, 240, 240, 0, _SHA))
        elif number == 8:
            fleet.fail_transfer(execution, NO_ROOM)
        else:
            fleet.report_transfer(execution, Transfer(5_400_000 * number, 20 * number))
    fleet.clock = now
    return task


async def add_fetch(fleet: FakeOperator) -> int:
    """A fetch from the databases: two hosts have brought their files."""
    now = fleet.clock
    fleet.clock = now - timedelta(seconds=11)
    fetch = FetchSpec(("/var/log/postgresql", "/etc/postgresql"), recursive=True, to="./logs")
    spec = TaskSpec("role=db", (CommandSpec("", timedelta(minutes=10), fetch=fetch),))
    task = await fleet.create_task(spec)
    await fleet.start_task(task)
    found = FileSet("77ab" * 16, 3_000, 8_900_000, 31, 9_100_000)
    for name in ("db1", "db2"):
        execution = fleet.execution(task, name)
        fleet.report_transfer(execution, Transfer(0, 0))
        fleet.clock = now - timedelta(seconds=3)
        done = Transfer(9_100_000, 31, 0, 8_900_000, _SHA, found)
        fleet.finish_transfer(execution, done, "Left out: 1 socket, 2 links to folders.")
    fleet.report_transfer(fleet.execution(task, "db3"), Transfer(2_000_000, 4, stored=found))
    fleet.clock = now
    return task
