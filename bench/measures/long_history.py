"""A manager on a database with a long history: its start, and every query of a screen."""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from bench.figures import Figure, percentile
from bench.history import Shape, fill
from bench.served import Manager
from tui_manager.domain.status import Stream
from tui_manager.domain.window import Window
from tui_manager.operator.api import Operator
from tui_manager.operator.client import connect
from tui_manager.storage.database import FILE

_SHOWN = 50  # rows of a table on a tall screen
_NEWEST = -400  # chunks of output that a pane reads
Ask = Callable[[], Awaitable[object]]


async def long_history(shape: Shape, times: int) -> list[Figure]:
    """Each query so many times."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        manager = Manager(Path(folder))
        fill(manager.state_dir, shape)
        starts = [await _start(manager), await _start(manager)]
        await manager.start()
        try:
            async with connect(manager.state_dir) as operator:
                taken = {
                    what: await _times(ask, times)
                    for what, ask in (await _questions(operator, shape)).items()
                }
        finally:
            await manager.kill()
        window = 1000 * _bare_window(manager.state_dir / FILE, times)
    start = max(starts)
    figures = [_figure("history_start", "start on a long history", start, "s", None)]
    for what, seconds in taken.items():
        figures.append(_query(what, seconds, window))
    worst = max(figures[1:], key=lambda figure: figure.value)
    return [
        *figures,
        _figure("history_worst", f"the slowest of them: {worst.what}", worst.value, "ms", window),
    ]


async def _start(manager: Manager) -> float:
    """Seconds until it listens; it is ended again in order."""
    await manager.start()
    await manager.stop()
    return manager.start_seconds


async def _questions(operator: Operator, shape: Shape) -> dict[str, Ask]:
    """What the screens ask, by what for."""
    big, hosts = 1, shape.hosts
    page = await operator.list_command_hosts(big, Window(limit=1))
    execution = page.rows[0].execution_id
    window = Window(limit=_SHOWN)

    def tasks(**more: object) -> Ask:
        return lambda: operator.list_tasks(_narrowed(window, more))

    def hosts_of_task(**more: object) -> Ask:
        return lambda: operator.list_command_hosts(big, _narrowed(window, more))

    def all_hosts(**more: object) -> Ask:
        return lambda: operator.list_hosts(_narrowed(window, more))

    return {
        "header: status": operator.manager_status,
        "tasks: newest": tasks(),
        "tasks: the last page": tasks(offset=shape.tasks - _SHOWN),
        "tasks: filtered by text": tasks(text="job 7"),
        "tasks: faults only": tasks(faults_only=True),
        "hosts: first page": all_hosts(),
        "hosts: the last page": all_hosts(offset=hosts - _SHOWN),
        "hosts: by label": all_hosts(text="env=prod"),
        "hosts: sorted by cpu": all_hosts(sort="cpu"),
        "task: itself": lambda: operator.get_task(big),
        "task: progress": lambda: operator.get_task_progress(big),
        "task: its hosts by attention": hosts_of_task(),
        "task: the last page of its hosts": hosts_of_task(offset=hosts - _SHOWN),
        "task: its hosts by name": hosts_of_task(sort="host"),
        "task: faults only": hosts_of_task(faults_only=True),
        "task: its hosts by text": hosts_of_task(text="h000"),
        "output: the newest of a task": lambda: operator.follow_output(big, _NEWEST),
        "output: of one host in it": lambda: operator.follow_output(
            big, _NEWEST, page.rows[0].host_id
        ),
        "output: of one command host": lambda: operator.read_output(execution, Stream.STDOUT),
        "preview of @all": lambda: operator.preview_target("@all"),
        "preview by label": lambda: operator.preview_target("env=prod"),
    }


def _narrowed(window: Window, more: dict[str, object]) -> Window:
    fields = {"text": window.text, "limit": window.limit, **more}
    return Window(**fields)  # type: ignore[arg-type]


async def _times(ask: Ask, times: int) -> Sequence[float]:
    taken = []
    for _ in range(times):
        began = time.monotonic()
        await ask()
        taken.append(time.monotonic() - began)
    return taken


def _bare_window(path: Path, times: int) -> float:
    """Seconds in which a bare SQLite reads one screen of rows by their number."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    taken = []
    for _ in range(times):
        began = time.monotonic()
        rows = connection.execute("SELECT * FROM command_hosts ORDER BY id LIMIT ?", (_SHOWN,))
        rows.fetchall()
        taken.append(time.monotonic() - began)
    connection.close()
    return statistics.median(taken)


def _query(what: str, seconds: Sequence[float], floor: float) -> Figure:
    key = "history_" + "".join(each if each.isalnum() else "_" for each in what)
    return _figure(key, what, 1000 * percentile(seconds, 0.95), "ms", floor)


def _figure(key: str, what: str, value: float, unit: str, floor: float | None) -> Figure:
    floor_of = "" if floor is None else "bare SQLite, rows by number"
    return Figure(key=key, what=what, value=value, unit=unit, floor=floor, floor_of=floor_of)
