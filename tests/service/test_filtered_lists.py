"""Filtered lists, read by several questions while tasks start, change and end."""

import pytest

from tests.support.manager_parts import Parts, failed, result, spec
from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.list_window import Page, Window
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task import Task
from tui_manager.service.tasks import list_windows
from tui_manager.storage.views import command_host_list, filtered_scan


@pytest.fixture
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtered_scan, "ROWS_A_STEP", 2)
    monkeypatch.setattr(command_host_list, "ROWS_A_STEP", 2)


def _found(page: Page[Task]) -> tuple[list[int], int, int, bool]:
    return [task.task_id for task in page.rows], page.matching, page.total, page.partial


@pytest.mark.usefixtures("few_looks")
async def test_repeated_questions_find_more_rows(parts: Parts) -> None:
    for word in ("apple", "pear", "plum", "apple", "apple"):
        await parts.tasks.create_task(spec("@all", word))
    window = Window(text="appl")
    assert _found(await parts.tasks.list_tasks(window)) == ([5, 4], 2, 5, True)
    assert _found(await parts.tasks.list_tasks(window)) == ([5, 4], 2, 5, True)
    assert _found(await parts.tasks.list_tasks(window)) == ([5, 4, 1], 3, 5, False)
    shown = await parts.tasks.list_tasks(Window(text="appl", offset=1, limit=1))
    assert _found(shown) == ([4], 3, 5, False)
    await parts.tasks.create_task(spec("@all", "apple"))
    assert _found(await parts.tasks.list_tasks(window)) == ([6, 5, 4, 1], 4, 6, False)


@pytest.mark.usefixtures("few_looks")
async def test_a_task_that_fails_comes_into_the_list_of_faults(parts: Parts) -> None:
    host = await parts.connect("web01")
    for _ in range(5):
        await parts.started("@all")
    runs = [run.execution_id for _, run in parts.dispatcher.sent]
    faults, by_status = Window(faults_only=True), Window(text="failed")
    assert _found(await parts.tasks.list_tasks(faults)) == ([], 0, 5, False)
    for _ in range(3):
        page = await parts.tasks.list_tasks(by_status)
    assert _found(page) == ([], 0, 5, False)
    for number in (1, 3):
        await parts.report(host.host_id, failed(runs[number - 1]))
    await parts.report(host.host_id, result(runs[1]))
    assert await parts.tasks.get_task_status(3) is TaskStatus.FAILED
    assert _found(await parts.tasks.list_tasks(faults)) == ([3, 1], 2, 5, False)
    assert _found(await parts.tasks.list_tasks(by_status)) == ([3, 1], 2, 5, False)


@pytest.mark.usefixtures("few_looks")
async def test_changed_command_hosts_are_listed_again(parts: Parts) -> None:
    hosts = [await parts.connect(f"web{n:02}") for n in range(1, 4)]
    task_id = await parts.started("@all")
    runs = {host_id: run.execution_id for host_id, run in parts.dispatcher.sent}
    window = Window(text="web")

    async def names() -> tuple[list[str], bool]:
        page = await parts.tasks.list_command_hosts(task_id, window)
        return [row.host for row in page.rows], page.partial

    assert await names() == (["web01", "web02"], True)
    assert await names() == (["web01", "web02", "web03"], False)
    await parts.report(hosts[2].host_id, failed(runs[hosts[2].host_id]))
    assert await names() == (["web03", "web01"], True)
    assert await names() == (["web03", "web01", "web02"], False)


async def test_the_command_hosts_of_no_task_are_not_found(parts: Parts) -> None:
    for text in ("", "web"):
        with pytest.raises(NotFoundError):
            await parts.tasks.list_command_hosts(7, Window(text=text))


async def test_unused_scans_are_dropped(parts: Parts) -> None:
    kept = parts.tasks.lists._scans

    def texts() -> list[str]:
        return [key[1].text for key in kept]  # type: ignore[index]

    for number in range(20):
        await parts.tasks.list_tasks(Window(text=f"job {number}"))
    assert len(kept) == list_windows._SCANS_MAX
    assert "job 19" in texts()
    parts.clock.turn(list_windows._UNUSED_MAX + 1)
    await parts.tasks.list_tasks(Window(text="another"))
    assert texts() == ["another"]


@pytest.mark.usefixtures("few_looks")
async def test_the_audit_is_scanned_in_the_same_way(parts: Parts) -> None:
    for _ in range(3):
        await parts.tasks.create_task(spec("@all"))
    window = Window(text="create")
    for ids, partial in (([3, 2], True), ([3, 2, 1], False)):
        page = await parts.tasks.lists.audit(window)
        assert ([entry.audit_id for entry in page.rows], page.partial) == (ids, partial)
    page = await parts.tasks.lists.audit(Window(text="#2"))
    assert ([entry.audit_id for entry in page.rows], page.matching) == ([2], 1)
