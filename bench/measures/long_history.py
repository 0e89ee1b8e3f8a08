"""A manager on a database with a long history: its start, every query of a screen, and a result."""

import asyncio
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from bench.figures import INSECURE, Figure, percentile
from bench.floors import spawn
from bench.measures.short_commands import SHORT
from bench.process_memory import CpuMeter
from bench.swarm.swarm import swarm
from bench.under_test.fleet import CONNECT_WITHIN, fleet, run
from bench.under_test.history import LONG, WIDE, Shape, fill
from bench.under_test.manager_process import Manager, program
from bench.under_test.postgresql import postgresql
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.lists.task_filter_and_sort import TaskFilter
from tui_manager.domain.output.output_by_host import WantedOutput
from tui_manager.domain.status import Stream, TaskStatus
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client.client import connect
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.transaction import Row, Transaction

_SHOWN = 50  # rows of a table on a tall screen
_MOST_COMMANDS = 50  # of the task
_AGENTS = "h*"  # the hosts of the history are called otherwise
_HOST = "old00001"  # of the history
_NEWEST = -400  # chunks of output that a pane reads
_STARTS = 2  # of the manager, and of its floor; the slower one counts
_ROWS = 200  # that are read for the floor of the questions
_ROW = "SELECT * FROM command_hosts WHERE id = ?"
Ask = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Results:
    """That so many agents are to have, together."""

    agents: int
    count: int

    @property
    def each(self) -> int:
        """Commands, one after another."""
        return max(1, min(_MOST_COMMANDS, self.count // self.agents))


async def long_history(shape: Shape, times: int, results: Results) -> list[Figure]:
    """Each query so many times, and results beside the history; then the same on PostgreSQL."""
    agents = results.agents
    async with fleet(agents, INSECURE) as empty:
        await empty.swarm.dial(CONNECT_WITHIN)
        alone = await _result(empty.operator, empty.manager, results)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        manager = Manager(Path(folder))
        file = manager.state_dir / DATABASE
        fill(manager.state_dir, shape)
        before = Path(folder) / "before.db"  # without the hosts that join to be measured
        shutil.copyfile(file, before)
        found = await _measure(manager, shape, times, results)
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as bare:
            bare_row = _bare_row(lambda number: bare.execute(_ROW, (number,)).fetchone(), shape)
        row = await _row(file, shape)
        async with postgresql() as (_, url):
            (Path(folder) / "moved").mkdir()
            moved = Manager(Path(folder) / "moved", database=url)
            seconds = await _carry_over(before, moved)
            other = await _measure(moved, shape, times, results)
            query = _ROW.replace("?", "%s").encode()
            with psycopg.connect(url, autocommit=True) as server:
                other_bare_row = _bare_row(
                    lambda number: server.execute(query, (number,)).fetchone(), shape
                )
            other_row = await _row(url, shape)
        bare_start = max(spawn.seconds(spawn.OF_MANAGER) for _ in range(_STARTS))
    return [
        *_figures(found, bare_start, _Floor(row, bare_row, "SQLite"), ""),
        Figure(
            key="history_result",
            what=f"a result beside {shape.rows:,} others: manager's CPU",
            value=found.result,
            unit="ms",
            agents=agents,
            security=INSECURE,
            floor=alone,
            floor_of="the same in an empty database",
        ),
        _figure("history_moved", "carried over to PostgreSQL", shape.rows / seconds, "rows/s"),
        *_figures(
            other, bare_start, _Floor(other_row, other_bare_row, "PostgreSQL"), "PostgreSQL, "
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a manager on a long history takes.

    Attributes:
        start: seconds until it listens.
        taken: seconds of each question, by what for.
        result: milliseconds of its CPU for a result.
    """

    start: float
    taken: Mapping[str, Sequence[float]]
    result: float


async def _measure(manager: Manager, shape: Shape, times: int, results: Results) -> _Measured:
    start = await _start(manager)
    await manager.start()
    start = max(start, manager.start_seconds)
    try:
        async with connect(manager.state_dir) as operator:
            taken = {
                what: await _times(ask, times)
                for what, ask in (await _questions(operator, shape)).items()
            }
            return _Measured(start, taken, await _result_beside(operator, manager, results))
    finally:
        await manager.kill()


async def _carry_over(file: Path, manager: Manager) -> float:
    """Copies the history into the database of another manager; the seconds that this took."""
    began = time.monotonic()
    done = await asyncio.create_subprocess_exec(
        *(str(program()), "database", "migrate", "--from", str(file)),
        *("--state-dir", str(manager.state_dir)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=manager.environment,
    )
    if await done.wait():
        raise RuntimeError(f"{file} could not be carried over to PostgreSQL.")
    return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class _Floor:
    """Seconds in which one row is read by its number.

    Attributes:
        row: through the reader of the program, by which each question is answered.
        bare: by the engine's client alone.
    """

    row: float
    bare: float
    engine: str


def _figures(found: _Measured, bare_start: float, floor: _Floor, prefix: str) -> list[Figure]:
    """Of the start, of each question, of the slowest of them, and of their floor.

    Args:
        bare_start: seconds; the floor of the start.
    """
    key = "postgresql_history" if prefix else "history"
    start = _figure(
        f"{key}_start",
        f"{prefix}start on a long history",
        found.start,
        "s",
        bare_start,
        "an interpreter that imports the program",
    )
    row = 1000 * floor.row
    one_row = "a row by its number, through the program's reader"
    queries = [
        _figure(
            f"{key}_{''.join(each if each.isalnum() else '_' for each in what)}",
            f"{prefix}{what}",
            1000 * percentile(seconds, 0.95),
            "ms",
            row,
            one_row,
        )
        for what, seconds in found.taken.items()
    ]
    worst = max(queries, key=lambda figure: figure.value)
    what = f"the slowest of them: {worst.what}"
    return [
        start,
        *queries,
        _figure(f"{key}_worst", what, worst.value, "ms", row, one_row),
        _figure(
            f"{key}_row", f"{prefix}{one_row}", row, "ms", 1000 * floor.bare, f"bare {floor.engine}"
        ),
    ]


async def _result_beside(operator: Operator, manager: Manager, results: Results) -> float:
    async with swarm(manager.address, results.agents, None) as started:
        await started.dial(CONNECT_WITHIN)
        return await _result(operator, manager, results)


async def _result(operator: Operator, manager: Manager, results: Results) -> float:
    """Milliseconds of the manager's CPU for a short command of a task on the agents, committed."""
    await run(operator, _AGENTS, SHORT)
    meter = CpuMeter(manager.running)
    ran = await run(operator, _AGENTS, *[SHORT] * results.each)
    return 1000 * meter.seconds / ran.task.counts.completed


async def _start(manager: Manager) -> float:
    """Seconds until it listens; it is ended again in order."""
    await manager.start()
    await manager.stop()
    return manager.start_seconds


async def _questions(operator: Operator, shape: Shape) -> dict[str, Ask]:
    """What the screens ask, by what for."""
    newest = (await operator.list_tasks(Window(limit=1))).rows[0].task_id
    return {
        "header: status": operator.manager_status,
        **_lists(operator, shape),
        **_task(operator, "long task", LONG, shape.hosts * shape.commands),
        **_task(operator, "wide task", WIDE, shape.hosts),
        **await _output(operator, newest),
        "preview of @all": lambda: operator.preview_target("@all"),
        "preview by label": lambda: operator.preview_target("env=prod"),
    }


def _lists(operator: Operator, shape: Shape) -> dict[str, Ask]:
    """The windows onto tasks, hosts and the audit."""
    tasks, hosts, audit = operator.list_tasks, operator.list_hosts, operator.list_audit
    return {
        "tasks: newest": _window(tasks),
        "tasks: summaries of the last page": lambda: operator.summarize_tasks(range(1, _SHOWN + 1)),
        "tasks: the middle": _window(tasks, offset=shape.tasks // 2),
        "tasks: the last page": _window(tasks, offset=_last_page(shape.tasks)),
        **_filtered("tasks", tasks, ("job 7", "failed", "nowhere")),
        "tasks: faults only": _window(tasks, faults_only=True),
        "tasks: sorted by duration": _window(tasks, sort="duration", descending=True),
        "tasks: of a host": lambda: tasks(Window(limit=_SHOWN), TaskFilter(host=_HOST)),
        "tasks: running": lambda: tasks(Window(limit=_SHOWN), TaskFilter((TaskStatus.RUNNING,))),
        "hosts: first page": _window(hosts),
        "hosts: the last page": _window(hosts, offset=_last_page(shape.hosts)),
        "hosts: by label": _window(hosts, text="env=prod"),
        "hosts: sorted by cpu": _window(hosts, sort="cpu"),
        "host: itself": lambda: operator.get_host(_HOST),
        "audit: newest": _window(audit),
        "audit: the last page": _window(audit, offset=_last_page(2 * shape.tasks)),
        **_filtered("audit", audit, ("create", _HOST, "nowhere")),
        "audit: faults only": _window(audit, faults_only=True),
    }


def _task(operator: Operator, name: str, task_id: int, rows: int) -> dict[str, Ask]:
    """What the screen of a task asks, whose command hosts are so many."""

    async def command_hosts(window: Window) -> object:
        return await operator.list_command_hosts(task_id, window)

    return {
        f"{name}: itself": lambda: operator.get_task(task_id),
        f"{name}: progress": lambda: operator.get_task_progress(task_id),
        f"{name}: map": lambda: operator.get_task_map(task_id),
        f"{name}: failures": lambda: operator.summarize_failures(task_id),
        f"{name}: a host of the map": lambda: operator.find_task_host(task_id, 0),
        f"{name}: by attention": _window(command_hosts),
        f"{name}: by attention, the last page": _window(command_hosts, offset=_last_page(rows)),
        f"{name}: by host, the middle": _window(command_hosts, sort="host", offset=rows // 2),
        f"{name}: faults only": _window(command_hosts, faults_only=True),
        **_filtered(name, command_hosts, ("old000", "old", "exit_code", "nowhere")),
        f"{name}: its newest output": lambda: operator.follow_output(task_id, _NEWEST),
    }


async def _output(operator: Operator, newest: int) -> dict[str, Ask]:
    """Output of one host: in the long task, and in the newest, which has many lines."""
    (first,) = (await operator.list_command_hosts(LONG, Window(limit=1))).rows
    (last,) = (await operator.list_command_hosts(newest, Window(limit=1))).rows
    end = last.stdout_bytes - 1
    return {
        "output: of one host of many": lambda: operator.follow_output(LONG, _NEWEST, first.host_id),
        "output: of one command on one host of many": lambda: operator.read_output_by_host(
            WantedOutput(LONG, first.host, first.command)
        ),
        "output: of many lines": lambda: operator.follow_output(newest, _NEWEST, last.host_id),
        "output: their beginning": lambda: operator.read_output(last.execution_id, Stream.STDOUT),
        "output: their end": lambda: operator.read_output(last.execution_id, Stream.STDOUT, end),
    }


def _last_page(rows: int) -> int:
    """The offset of the last rows; a small history has no more than one page."""
    return max(0, rows - _SHOWN)


def _window(ask: Callable[[Window], Awaitable[object]], **more: object) -> Ask:
    window = Window(**{"limit": _SHOWN, **more})  # type: ignore[arg-type]
    return lambda: ask(window)


def _filtered(
    name: str, ask: Callable[[Window], Awaitable[object]], texts: Sequence[str]
) -> dict[str, Ask]:
    """Each question looks a little further, until all is found."""
    return {f"{name}: filtered by {text!r}": _window(ask, text=text) for text in texts}


async def _times(ask: Ask, times: int) -> Sequence[float]:
    taken = []
    for _ in range(times):
        began = time.monotonic()
        await ask()
        taken.append(time.monotonic() - began)
    return taken


def _bare_row(read: Callable[[int], object], shape: Shape) -> float:
    """Seconds in which a row is read by its number, without a manager: each time another row."""
    taken = []
    for number in range(_ROWS):
        asked = 1 + number * (shape.rows - 1) // _ROWS
        began = time.monotonic()
        found = read(asked)
        taken.append(time.monotonic() - began)
        assert found, asked
    return statistics.median(taken)


async def _row(place: Path | str, shape: Shape) -> float:
    """The same through the reader of the program: its thread, its transaction, its connection."""
    taken = []
    async with open_database(place) as database:
        for number in range(_ROWS):
            asked = 1 + number * (shape.rows - 1) // _ROWS
            began = time.monotonic()
            found = await database.read(partial(_read_row, number=asked))
            taken.append(time.monotonic() - began)
            assert found, asked
    return statistics.median(taken)


def _read_row(tx: Transaction, number: int) -> Row | None:
    row: Row | None = tx.execute(_ROW, (number,)).fetchone()
    return row


def _figure(
    key: str, what: str, value: float, unit: str, floor: float | None = None, floor_of: str = ""
) -> Figure:
    return Figure(key=key, what=what, value=value, unit=unit, floor=floor, floor_of=floor_of)
