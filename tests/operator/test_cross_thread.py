"""Calls from one loop to another in a thread of its own."""

import asyncio
import gc
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from tests.operator.recording import CALLS, EVERYTHING, SPEC, RecordingOperator, call
from tui_manager.domain.errors import NotFoundError, StorageError, UnreachableError
from tui_manager.domain.manager.changes import Changes
from tui_manager.operator import cross_thread
from tui_manager.operator.api import Operator
from tui_manager.operator.cross_thread import CrossThreadOperator
from tui_manager.operator.watching import watching


class ManagerThread:
    """A loop that runs in a thread of its own until it is stopped."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self._sync(asyncio.sleep(0))

    def _run(self) -> None:
        self.loop.run_forever()

    def _sync(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def there(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Runs something on the manager's loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    def stop(self) -> None:
        """Stops the loop as it stands, with what is under way left hanging."""
        if self.loop.is_running():
            self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def close(self) -> None:
        """Ends the loop as asyncio.run does: everything under way is cancelled first."""
        if not self.loop.is_closed():
            self.stop()
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self.loop.run_until_complete(asyncio.wait(tasks))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()


@pytest.fixture
def manager() -> Iterator[ManagerThread]:
    thread = ManagerThread()
    yield thread
    thread.close()


@pytest.fixture
def operator(recording: RecordingOperator, manager: ManagerThread) -> Operator:
    return CrossThreadOperator(recording, manager.loop)


class Hanging:
    """An answer that does not come; tells this thread when it began and how it ended."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.cancelled = threading.Event()

    async def __call__(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def seen(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


@pytest.mark.parametrize(("name", "arguments", "answer"), CALLS)
async def test_each_call_runs_on_the_managers_loop(
    operator: Operator,
    recording: RecordingOperator,
    manager: ManagerThread,
    name: str,
    arguments: tuple[Any, ...],
    answer: Any,
) -> None:
    threads = []

    async def here() -> Any:
        threads.append(threading.current_thread())
        return answer

    recording.answers[name] = here
    assert await call(operator, name, arguments) == answer
    assert recording.calls == [(name, *arguments)]
    assert threads == [manager.thread]


def test_every_call_of_the_protocol_is_forwarded() -> None:
    """What the tests here call is all that there is to call, with `watch`, the calls on files
    (test_file_calls.py), and `follow_task` (test_follow_task.py)."""
    members = inspect.getmembers(Operator)
    calls = {name for name, member in members if inspect.iscoroutinefunction(member)}
    calls.remove("store_files")
    assert {name for name, _, _ in CALLS} == calls
    others = {name for name, _ in members if not name.startswith("_")} - calls
    assert others == {"watch", "store_files", "read_files", "follow_task"}


@pytest.mark.parametrize("name", sorted({name for name, _, _ in CALLS}))
async def test_each_call_is_cancelled_on_the_managers_loop(
    operator: Operator, recording: RecordingOperator, name: str
) -> None:
    recording.answers[name] = hanging = Hanging()
    arguments = next(arguments for found, arguments, _ in CALLS if found == name)
    pending = asyncio.create_task(call(operator, name, arguments))
    await seen(hanging.began)
    pending.cancel()
    await seen(hanging.cancelled)
    with pytest.raises(asyncio.CancelledError):
        await pending


async def test_errors_pass(operator: Operator, recording: RecordingOperator) -> None:
    recording.answers["get_task"] = NotFoundError("There is no task 7.")
    with pytest.raises(NotFoundError, match="no task 7"):
        await operator.get_task(7)


async def test_a_call_that_fails_while_its_caller_gives_it_up_is_not_logged(
    operator: Operator, recording: RecordingOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: logged.append(str(context["message"]))
    )
    recording.answers["get_task"] = NotFoundError("There is no task 7.")
    wrap = asyncio.wrap_future

    def given_up_when_done(sent: Any) -> Any:
        reply = wrap(sent)
        reply.add_done_callback(lambda _: calls[0].cancel())
        return reply

    monkeypatch.setattr(asyncio, "wrap_future", given_up_when_done)
    calls = [asyncio.create_task(operator.get_task(7))]
    await asyncio.wait(calls)
    assert calls.pop().cancelled()  # its frame would keep what the call has raised
    gc.collect()
    assert logged == []


@pytest.mark.parametrize("end", [ManagerThread.close, ManagerThread.stop])
async def test_after_the_manager_every_call_is_refused(
    operator: Operator,
    recording: RecordingOperator,
    manager: ManagerThread,
    end: Callable[[ManagerThread], None],
) -> None:
    await asyncio.to_thread(end, manager)
    for name, arguments, _ in CALLS:
        with pytest.raises(UnreachableError):
            await call(operator, name, arguments)
    with pytest.raises(UnreachableError):
        await anext(operator.watch())
    assert recording.calls == []


@pytest.mark.parametrize("end", [ManagerThread.close, ManagerThread.stop])
async def test_a_call_under_way_fails_when_the_manager_ends(
    operator: Operator,
    recording: RecordingOperator,
    manager: ManagerThread,
    end: Callable[[ManagerThread], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cross_thread, "_CHECK_INTERVAL", 0.01)
    recording.answers["start_task"] = hanging = Hanging()
    pending = asyncio.create_task(operator.start_task(7))
    await seen(hanging.began)
    await asyncio.to_thread(end, manager)
    with pytest.raises(UnreachableError, match="has ended"):
        await pending


# ---------------------------------------------------------------------------------- watching


class Feed:
    """Changes that a test hands to the watcher on the manager's loop."""

    def __init__(self, manager: ManagerThread, recording: RecordingOperator) -> None:
        self._manager = manager
        self._queue: asyncio.Queue[Changes | BaseException | None] = asyncio.Queue()
        recording.changes = self._changes

    async def _changes(self) -> AsyncIterator[Changes]:
        while item := await self._queue.get():
            if isinstance(item, BaseException):
                raise item
            yield item
            self._queue.task_done()

    async def give(self, item: Changes | BaseException | None) -> None:
        await self._manager.there(self._queue.put(item))

    async def taken(self) -> None:
        """Until the watcher has asked for the next."""
        await self._manager.there(self._queue.join())


async def test_changes_come_across(
    operator: Operator, recording: RecordingOperator, manager: ManagerThread
) -> None:
    feed = Feed(manager, recording)
    async with watching(operator) as changes:
        assert await anext(changes) == EVERYTHING
        for task_id in range(3):
            made = Changes(tasks=frozenset({task_id}))
            await feed.give(made)
            assert await anext(changes) == made
        assert recording.watching == 1
    await manager.there(recording.until_watching(0))


async def test_changes_fold_while_nobody_asks(
    operator: Operator, recording: RecordingOperator, manager: ManagerThread
) -> None:
    feed = Feed(manager, recording)
    async with watching(operator) as changes:
        assert await anext(changes) == EVERYTHING
        for task_id in range(50):
            await feed.give(Changes(tasks=frozenset({task_id})))
        await feed.taken()
        assert await anext(changes) == Changes(tasks=frozenset(range(50)))


async def test_a_cancelled_watcher_closes_the_iterator_there(
    operator: Operator, recording: RecordingOperator, manager: ManagerThread
) -> None:
    async def look() -> None:
        async for _ in operator.watch():
            pass

    watcher = asyncio.create_task(look())
    await manager.there(recording.until_watching(1))
    watcher.cancel()
    await manager.there(recording.until_watching(0))
    with pytest.raises(asyncio.CancelledError):
        await watcher


async def test_an_error_ends_the_watch_behind_what_came_before(
    operator: Operator, recording: RecordingOperator, manager: ManagerThread
) -> None:
    feed = Feed(manager, recording)
    last = Changes(manager=True)
    async with watching(operator) as changes:
        assert await anext(changes) == EVERYTHING
        await feed.give(last)
        await feed.give(StorageError("The disk is full."))
        await manager.there(recording.until_watching(0))
        assert await anext(changes) == last
        with pytest.raises(StorageError, match="disk is full"):
            await anext(changes)


async def test_an_operator_that_ends_its_changes_ends_the_watch(
    operator: Operator, recording: RecordingOperator, manager: ManagerThread
) -> None:
    feed = Feed(manager, recording)
    changes = operator.watch()
    assert await anext(changes) == EVERYTHING
    await feed.give(None)
    with pytest.raises(UnreachableError):
        await anext(changes)


@pytest.mark.parametrize("end", [ManagerThread.close, ManagerThread.stop])
async def test_watching_ends_with_the_manager(
    operator: Operator,
    manager: ManagerThread,
    end: Callable[[ManagerThread], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cross_thread, "_CHECK_INTERVAL", 0.01)
    changes = operator.watch()
    assert await anext(changes) == EVERYTHING
    await asyncio.to_thread(end, manager)
    with pytest.raises(UnreachableError, match="has ended"):
        await anext(changes)


def test_a_watch_left_open_ends_with_its_own_loop(
    operator: Operator, recording: RecordingOperator, manager: ManagerThread
) -> None:
    left = []

    async def look_once() -> None:
        left.append(operator.watch())
        assert await anext(left[0]) == EVERYTHING

    asyncio.run(look_once())
    asyncio.run(asyncio.wait_for(manager.there(recording.until_watching(0)), 10))


async def test_the_same_loop_will_do(recording: RecordingOperator) -> None:
    operator = CrossThreadOperator(recording, asyncio.get_running_loop())
    assert await operator.create_task(SPEC) == 8
    async with watching(operator) as changes:
        assert await anext(changes) == EVERYTHING
    await recording.until_watching(0)
