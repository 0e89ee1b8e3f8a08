"""A manager that does not answer: one that is frozen, and one whose database is slow."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.operator.recording import (
    CALLS,
    EVERYTHING,
    PROGRESS,
    SPEC,
    RecordingOperator,
    call,
)
from tests.support.managers.manager_parts import Parts, manager_parts, spec
from tests.support.waiting import GIVE_UP
from tui_manager.domain.errors import NoAnswerError
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import TaskStatus
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client import answer_timeout
from tui_manager.operator.socket.client.client import connect
from tui_manager.operator.socket.server.server import serve_operator
from tui_manager.operator.socket.unix_socket import socket_path

FOLLOWING = (
    "get_task_status",
    "get_task_progress",
    "read_output",
    "read_output_by_host",
    "follow_output",
    "search_output",
    "test_receiver",  # a receiver may take five minutes
)
UNCLEAR = {
    "create_task": "The task may have been made.",
    "rerun_task": "The task may have been made.",
    "start_task": "Task 7 may have started.",
    "start_new_task": "The task may have been made and started.",
    "cancel_task": "Task 7 may have been canceled.",
    "pause_task": "Task 7 may have been paused.",
    "resume_task": "Task 7 may have been resumed.",
    "approve_hosts": "The hosts may have been approved.",
    "reject_hosts": "The hosts may have been rejected.",
    "revoke_hosts": "The hosts may have been revoked.",
    "remove_hosts": "The hosts may have been removed.",
    "rename_host": "The host may have been renamed.",
    "label_hosts": "The labels may have been changed.",
    "set_maintenance": "The maintenance may have been changed.",
    "create_token": "A join token may have been made.",
    "revoke_tokens": "The join tokens may have been revoked.",
    "accept_clock": "The clock may have been accepted.",
    "save_template": "The template uptime may have been saved.",
    "delete_template": "The template uptime may have been deleted.",
    "add_schedule": "The schedule nightly may have been added.",
    "edit_schedule": "The schedule nightly may have been edited.",
    "pause_schedule": "The schedule nightly may have been paused.",
    "resume_schedule": "The schedule nightly may have been resumed.",
    "run_schedule": "A task of the schedule nightly may have started.",
    "delete_schedule": "The schedule nightly may have been deleted.",
    "test_receiver": "A test may have been sent to chat.",
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_timeout, "ANSWER_TIMEOUT", 0.6)
    monkeypatch.setattr(answer_timeout, "PROBE_TIMEOUT", 0.5)


@pytest.fixture
def has_time_to_say_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager that answers does so in this time on a busy machine too."""
    monkeypatch.setattr(answer_timeout, "ANSWER_TIMEOUT", 3.1)
    monkeypatch.setattr(answer_timeout, "PROBE_TIMEOUT", 3.0)


@pytest.fixture
def frozen(state_dir: Path) -> Iterator[Path]:
    """A socket whose owner takes no connection, as that of a stopped process."""
    state_dir.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path(state_dir)))
        listener.listen(64)
        yield state_dir


@pytest.fixture
async def operator(recording: RecordingOperator, state_dir: Path) -> AsyncIterator[Operator]:
    async with serve_operator(recording, state_dir), connect(state_dir) as client:
        yield client


async def never() -> None:
    """What a call waits for that is never answered."""
    await asyncio.Event().wait()


@pytest.mark.usefixtures("impatient")
async def test_no_call_waits_for_a_frozen_manager(frozen: Path) -> None:
    async with connect(frozen) as client:
        answers = await asyncio.gather(
            *(call(client, name, arguments) for name, arguments, _ in CALLS),
            return_exceptions=True,
        )
    for (name, _, _), answer in zip(CALLS, answers, strict=True):
        assert isinstance(answer, NoAnswerError), name
        assert (
            str(answer)
            == (
                f"The manager on {frozen} has not answered for 0.6 s; it may be stopped or "
                f"overloaded. {UNCLEAR.get(name, '')}"
            ).rstrip()
        )


@pytest.mark.usefixtures("impatient")
async def test_a_watch_of_a_frozen_manager_ends(frozen: Path) -> None:
    async with connect(frozen) as client:
        with pytest.raises(NoAnswerError, match="has not answered"):
            await anext(client.watch())


@pytest.mark.usefixtures("impatient")
async def test_following_a_task_of_a_frozen_manager_ends(frozen: Path) -> None:
    async with connect(frozen) as client:
        with pytest.raises(NoAnswerError, match="has not answered"):
            await anext(client.follow_task(7))


@pytest.mark.usefixtures("has_time_to_say_that_it_lives")
async def test_a_slow_database_is_told_apart(
    operator: Operator, recording: RecordingOperator
) -> None:
    calls = [(name, given) for name, given, _ in CALLS if name not in FOLLOWING]
    recording.answers |= {name: never for name, _ in calls}
    async with asyncio.timeout(GIVE_UP):
        answers = await asyncio.gather(
            *(call(operator, name, arguments) for name, arguments in calls), return_exceptions=True
        )
    for (name, _), answer in zip(calls, answers, strict=True):
        assert isinstance(answer, NoAnswerError), name
        assert "runs, but its database has not answered" in str(answer), name
        assert str(answer).endswith(UNCLEAR.get(name, "for 3.1 s.")), name


@pytest.mark.usefixtures("has_time_to_say_that_it_lives")
async def test_what_may_take_long_waits_for_a_slow_database(
    operator: Operator, recording: RecordingOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [one for one in CALLS if one[0] in FOLLOWING]
    gate, probes = asyncio.Event(), 0
    watch = recording.watch

    def counting() -> AsyncIterator[Changes]:
        nonlocal probes
        probes += 1
        if probes == 3 * len(calls):  # each call has asked whether the manager lives, and waits on
            gate.set()
        return watch()

    def slow(stored: list[object]) -> Callable[[], Awaitable[object]]:
        async def answer() -> object:
            await gate.wait()
            return stored.pop()

        return answer

    monkeypatch.setattr(recording, "watch", counting)
    for name in FOLLOWING:
        recording.answers[name] = slow([answer for called, _, answer in calls if called == name])
    answers = await asyncio.gather(*(call(operator, name, given) for name, given, _ in calls))
    assert sorted(map(repr, answers)) == sorted(repr(answer) for _, _, answer in calls)


@pytest.mark.usefixtures("has_time_to_say_that_it_lives")
async def test_a_quiet_watch_goes_on(operator: Operator, recording: RecordingOperator) -> None:
    gate = asyncio.Event()

    async def changes() -> AsyncIterator[Changes]:
        await gate.wait()
        yield Changes(hosts=True)

    recording.changes = changes
    watcher = operator.watch()
    assert await anext(watcher) == EVERYTHING
    waiting = asyncio.ensure_future(anext(watcher))
    await recording.until_watching(2)  # it was asked whether it lives
    gate.set()
    assert await waiting == Changes(hosts=True)


@pytest.mark.usefixtures("has_time_to_say_that_it_lives")
async def test_a_task_is_followed_while_its_database_is_slow_and_while_it_is_quiet(
    operator: Operator, recording: RecordingOperator
) -> None:
    database, change = asyncio.Event(), asyncio.Event()
    stored = [PROGRESS, replace(PROGRESS, status=TaskStatus.COMPLETED)]

    async def progress() -> object:
        await database.wait()
        return stored.pop(0)

    async def changes() -> AsyncIterator[Changes]:
        await change.wait()
        yield Changes(tasks=frozenset({7}))

    recording.changes = changes
    recording.answers |= {"get_task_progress": progress, "follow_output": ()}
    events = []
    async with aclosing(operator.follow_task(7)) as following:
        for gate in (database, change):
            coming = asyncio.ensure_future(anext(following))
            # One watches for the task, the other one asks whether the manager lives.
            await recording.until_watching(2)
            gate.set()
            events.append(await coming)
    assert events == [PROGRESS, replace(PROGRESS, status=TaskStatus.COMPLETED)]
    await recording.until_watching(0)


@pytest.mark.usefixtures("impatient")
async def test_what_commits_after_the_client_gave_up_is_done_once(
    tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with manager_parts(tmp_path) as parts:
        await parts.connect("web01")
        disk = asyncio.Event()
        write = parts.database.write

        async def slow_write(work: object) -> object:
            await disk.wait()
            return await write(work)  # type: ignore[arg-type]

        monkeypatch.setattr(parts.database, "write", slow_write)
        serving = _Tasks(parts)
        making, starting = new_request_id(), new_request_id()
        async with serve_operator(serving, state_dir), connect(state_dir) as client:
            wanted = spec("web01", "uptime")
            with pytest.raises(NoAnswerError, match="may have been made"):
                await client.create_task(wanted, making)
            disk.set()
            task_id = await client.create_task(wanted, making)
            disk.clear()
            with pytest.raises(NoAnswerError, match=f"Task {task_id} may have started"):
                await client.start_task(task_id, starting)
            disk.set()
            await client.start_task(task_id, starting)
            assert (await parts.tasks.list_tasks(Window())).total == 1
            assert await parts.tasks.get_task_status(task_id) is TaskStatus.RUNNING
        assert len(await parts.send()) == 1


class _Tasks(RecordingOperator):
    """The real service for the two calls under test."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self._parts = parts

    async def create_task(self, spec: object, request_id: str = "") -> int:
        return await self._parts.tasks.create_task(spec, request_id)  # type: ignore[arg-type]

    async def start_task(self, task_id: int, request_id: str = "") -> tuple[str, ...]:
        return await self._parts.tasks.start_task(task_id, "ana", request_id)


async def test_the_client_gives_each_create_an_id_of_its_own(
    operator: Operator, recording: RecordingOperator
) -> None:
    await operator.create_task(SPEC)
    await operator.create_task(SPEC)
    (_, _, first), (_, _, second) = recording.calls
    assert first
    assert second
    assert first != second


async def test_a_call_that_fails_while_its_caller_gives_it_up_is_not_logged(
    state_dir: Path,
) -> None:
    logged: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: logged.append(str(context["message"])))
    answer: asyncio.Future[None] = loop.create_future()

    async def call() -> None:
        await answer

    patient = answer_timeout.AnswerTimeout(None, str(state_dir))  # type: ignore[arg-type]
    asking = asyncio.create_task(patient.reply(call()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answer.set_exception(ConnectionError("gone"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait((asking,))
    assert asking.cancelled()
    del asking
    gc.collect()
    assert logged == []
