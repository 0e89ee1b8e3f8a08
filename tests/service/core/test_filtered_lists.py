"""Filtered lists, read by several questions while tasks start, change and end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.support.managers.manager_parts import Parts, failed, result, spec
from tui_manager.domain.errors import InvalidInputError, NotFoundError
from tui_manager.domain.lists.filter_by_target import COMMAND_HOST_KEYS, HOST_KEYS
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import TASK_KEYS
from tui_manager.domain.manager.audit import AUDIT_KEYS
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Task
from tui_manager.service.core.hosts import host_search
from tui_manager.service.core.hosts.host_search import list_hosts
from tui_manager.service.tasks import list_windows
from tui_manager.storage.views import audit_list, command_host_list, filtered_scan, task_list


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


TASKS = (  # command, target, actor
    ("apt-get upgrade", "role=web", "ana@pts/3"),
    ("uptime", "@all", "bob"),
    ("systemctl restart nginx", "web01", "ana@pts/4"),
    ("uptime -p", "@all", "schedule:nightly"),
)


FILTERS: Sequence[tuple[str, list[int]]] = (
    ("uptime", [4, 2]),
    ("!uptime", [3, 1]),
    ("#2", [2]),
    ("2", [2]),
    ("by=ana", [3, 1]),
    ("by=ana@pts/4", [3]),
    ("by=schedule:*", [4]),
    ("by=nightly", [4]),
    ("by=ana !nginx", [1]),
    ("by!=ana", [4, 2]),
    ("target=@all", [4, 2]),
    ("/^apt|nginx$/", [3, 1]),
    ("status=failed", [3]),
    ("status=failed,pending by=ana", [3, 1]),
    ("status!=pending", [3]),
    ("host=web01", [3]),
    ("host=web01 status=pending", []),
    ("id=1,4", [4, 1]),
    ("command=*up*", [4, 2, 1]),
    ("command=uptime", [2]),
    ("template=", [4, 3, 2, 1]),
    ("since=1h", [4, 3, 2, 1]),
    ("since=2030-01-01", []),
    ('"apt-get upgrade"', [1]),
    ('apt-get "role="', [1]),
)


async def test_a_filter_of_tasks(parts: Parts) -> None:
    await _add_tasks(parts)
    for text, found in FILTERS:
        page = await parts.tasks.list_tasks(Window(text=text))
        assert [task.task_id for task in page.rows] == found, text


async def _add_tasks(parts: Parts) -> None:
    host = await parts.connect("web01")
    for command, target, actor in TASKS:
        await parts.tasks.create_task(replace(spec(target, command), created_by=actor))
    await parts.tasks.start_task(3)
    await parts.send()
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, failed(run.execution_id))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stat=failed", "A list of tasks has no key 'stat'; it has status, by, since"),
        ("host=web*", "host=NAME takes one whole name"),
        ("host=db9", "No host has the name or host_id 'db9'"),
        ("since=soon", "since=: expected"),
        ("/(/", "is not a regular expression"),
    ],
)
async def test_a_wrong_filter_of_tasks_is_an_error_of_its_text(
    parts: Parts, text: str, said: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await parts.tasks.list_tasks(Window(text=text))
    assert caught.value.field == "text"
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("status=failed", ["web02"]),
        ("exit=3", ["web02"]),
        ("exit=*", ["web02", "web01"]),
        ("reason=exit_code", ["web02"]),
        ("!exit=3", ["db01", "web01"]),
        ("host=web*", ["web02", "web01"]),
        ("step=2", []),
        ("web[01-05]", ["web02", "web01"]),
        ("role=db", ["db01"]),
        ("role!=db status!=failed", ["web01"]),
        ("@offline", ["db01"]),
        ("@all !db", ["web02", "web01"]),
        ("fail", ["web02"]),
    ],
)
async def test_a_filter_of_command_hosts_may_be_a_target(
    parts: Parts, text: str, found: list[str]
) -> None:
    hosts = [await parts.connect(name) for name in ("web01", "web02")]
    other = await parts.connect("db01", labels={"role": "db"})
    task_id = await parts.started("@all")
    await parts.hosts.close_session(other.host_id, other.generation, "it is gone")
    runs = {host_id: run.execution_id for host_id, run in parts.dispatcher.sent}
    await parts.report(hosts[0].host_id, result(runs[hosts[0].host_id]))
    await parts.report(hosts[1].host_id, failed(runs[hosts[1].host_id], 3))
    page = await parts.tasks.list_command_hosts(task_id, Window(text=text))
    assert [row.host for row in page.rows] == found


async def test_command_hosts_are_filtered_anew_when_a_label_changes(parts: Parts) -> None:
    await parts.connect("web01")
    task_id = await parts.started("@all")
    window = Window(text="env=prod")
    assert not (await parts.tasks.list_command_hosts(task_id, window)).rows
    await parts.host_management.label(["web01"], {"env": "prod"}, (), "ana")
    assert (await parts.tasks.list_command_hosts(task_id, window)).matching == 1


async def test_a_filter_of_hosts_may_name_the_hosts_of_a_task(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.connect("web02")
    await parts.started("web01")
    window = Window(text="task:1:failed")
    with pytest.raises(InvalidInputError, match="Task 1 is running") as caught:
        await list_hosts(parts.core, window)
    assert caught.value.field == "text"
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, failed(run.execution_id))
    assert [row.name for row in (await list_hosts(parts.core, window)).rows] == ["web01"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("actor=ana", 2),
        ("actor!=ana action=create_task", 2),
        ("action=*_task", 5),
        ("host=web01", 1),
        ("task=3", 2),
        ("#3 !start_task", 1),
        ("nginx", 2),
    ],
)
async def test_a_filter_of_the_audit(parts: Parts, text: str, found: int) -> None:
    await _add_tasks(parts)
    assert (await parts.tasks.lists.audit(Window(text=text))).matching == found


def test_the_keys_that_are_shown_are_those_that_are_known() -> None:
    assert (*task_list._FIELDS.values,) == TASK_KEYS
    assert (*command_host_list._FIELDS.values,) == COMMAND_HOST_KEYS
    assert (*audit_list._FIELDS.values,) == AUDIT_KEYS
    assert (*host_search._fields(datetime.now(UTC)).values,) == HOST_KEYS
