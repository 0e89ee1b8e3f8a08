"""Windows onto all tasks that are far from both ends, compared with a list in memory, while tasks
come, run and are pruned."""

import itertools
import random

import pytest

from tests.support.databases.engines import open_transaction
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS, OTHER_TASKS, TaskFilter
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.views import task_list
from tui_manager.storage.views.task_list import TaskPlaces

STEP = 4
RUNNING, PRUNED = "running", "pruned"


def _add(tx: Transaction, ids: range, chance: random.Random) -> dict[int, str]:
    states = {each: chance.choice(("completed", "completed", "failed", RUNNING)) for each in ids}
    tx.executemany(
        "INSERT INTO tasks (id, name, description, target, status, created_by, created_at,"
        " started_at, finished_at)"
        " VALUES (:id, '', '', '', :status, '', 0, 0, :finished_at)",
        [
            {"id": each, "status": status, "finished_at": None if status == RUNNING else 1}
            for each, status in states.items()
        ],
    )
    return states


def _set(tx: Transaction, states: dict[int, str], ids: list[int], state: str) -> None:
    if state == PRUNED:
        ids = [each for each in ids if states[each] != RUNNING]
    for each in ids:
        values = (7, each) if state == PRUNED else (state, each)
        column = "pruned_at" if state == PRUNED else "status"
        tx.execute(f"UPDATE tasks SET {column} = ? WHERE id = ?", values)
        states[each] = state


def _check(tx: Transaction, states: dict[int, str], places: TaskPlaces, wanted: TaskFilter) -> None:
    listed = sorted((each for each, state in states.items() if state != PRUNED), reverse=True)
    total = len(listed)
    if wanted == OTHER_TASKS:
        listed = [each for each in listed if states[each] != RUNNING]
    for offset, limit in itertools.product(range(0, total + 2, 3), (1, 5, 100)):
        page = task_list.window(tx, Window(offset=offset, limit=limit), wanted, places)
        assert [task.task_id for task in page.rows] == listed[offset : offset + limit], offset
        assert (page.matching, page.total) == (len(listed), total)


def test_any_window_shows_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_list, "_STEP", STEP)
    chance, places = random.Random(3), TaskPlaces()
    with open_transaction() as tx:
        states = _add(tx, range(3, 40, 2), chance)
        for wanted in (ALL_TASKS, OTHER_TASKS):
            _check(tx, states, places, wanted)
        found = places._known
        states |= _add(tx, range(41, 44), chance)  # too few for a place of their own
        _check(tx, states, places, OTHER_TASKS)
        states |= _add(tx, range(44, 60), chance)
        _check(tx, states, places, OTHER_TASKS)
        assert places._known.ids[: len(found.ids)] == found.ids  # those before stay
        assert len(places._known.ids) > len(found.ids)
        _set(tx, states, chance.sample(sorted(states), 8), "completed")
        _check(tx, states, places, OTHER_TASKS)
        _set(tx, states, [3, 5, 9, 21, 45], PRUNED)
        _check(tx, states, places, ALL_TASKS)
        states |= _add(tx, range(4, 30, 8), chance)  # of a slow transaction on PostgreSQL
        _check(tx, states, places, ALL_TASKS)
