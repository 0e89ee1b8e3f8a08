"""What one manager does, the others on its database show and do."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.following_managers import Manager, Managers, following_managers
from tests.support.managers.manager_parts import result, spec, totals
from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.hosts.agent_messages import (
    Held,
    HeldState,
    Output,
    ResumeAction,
    Run,
    Started,
)
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission, CommandHostStatus, Stream
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.service.core.change_feed import Subscription
from tui_manager.service.tasks.stored_output import OutputOf
from tui_manager.storage.engine.transaction import Transaction, Work
from tui_manager.storage.maintenance.check import contradictions
from tui_manager.storage.tables.tasks import output as stored_output

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with following_managers(tmp_path) as made:
        yield made


async def _start(manager: Manager, target: str, text: str = "true", **given: object) -> int:
    task_id = await manager.tasks.create_task(spec(target, text, **given))
    await manager.tasks.start_task(task_id)
    return int(task_id)


def _shown(manager: Manager) -> list[Host]:
    return list(manager.list_hosts(Window(sort="name")).rows)


def _texts(sent: list[tuple[str, Run]]) -> list[str]:
    return [run.command.text for _, run in sent]


def _watch(manager: Manager) -> Subscription:
    """What a dashboard of this manager is told from now on."""
    subscription = manager.feed.subscribe()
    subscription.take()
    return subscription  # type: ignore[no-any-return]


async def test_a_task_started_at_one_manager_is_sent_by_that_of_its_host(
    managers: Managers,
) -> None:
    a, b, c = managers
    opened = await b.connect("web1")
    await managers.settle()
    assert [host.online for host in _shown(c)] == [True]

    await _start(a, "web1")
    assert await a.send() == []
    await managers.settle()
    assert [(host, run.command.text) for host, run in await b.send()] == [(opened.host_id, "true")]
    assert await c.send() == []


async def test_a_host_that_another_manager_does_not_know_yet_gets_its_command(
    managers: Managers,
) -> None:
    a, b, _ = managers
    host = await a.connect("web1")
    await a.hosts.close_session(host.host_id, host.generation, "test")
    await managers.settle()
    await b.connect("web1", host_id=host.host_id)
    assert await b.send() == []  # it has looked, and there was nothing
    await _start(a, "web1", offline=Offline.WAIT)  # and does not know that the host is back
    await managers.settle()
    assert _texts(await b.send()) == ["true"]


async def test_any_manager_cancels(managers: Managers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    a, b, c = managers
    opened = await b.connect("web1")
    other = await a.connect("web2")
    await managers.settle()
    task_id = await _start(a, "web1,web2")
    await managers.settle()
    ((_, run),) = await b.send()
    ((_, run_of_a),) = await a.send()
    await managers.settle()
    await c.tasks.cancel_task(task_id, "ana@tty1")
    await managers.settle()
    assert b.dispatcher.cancels == [(opened.host_id, run.execution_id)]
    assert a.dispatcher.cancels == [(other.host_id, run_of_a.execution_id)]
    told = [record.message for record in caplog.records if "cancel " in f"{record.message} "]
    assert told.count("another manager tells the agent of the cancel") == 2
    assert "cancel waits for the agent" not in told


async def test_any_manager_resumes(managers: Managers) -> None:
    a, b, c = managers
    await b.connect("web1")
    await managers.settle()
    task_id = await a.tasks.create_task(spec("web1"))
    await a.tasks.start_task(task_id)
    await c.tasks.pause_task(task_id)
    await managers.settle()
    assert await b.send() == []
    await c.tasks.resume_task(task_id)
    await managers.settle()
    assert _texts(await b.send()) == ["true"]


async def test_any_manager_approves_and_revokes(managers: Managers) -> None:
    a, b, c = managers
    enrolled = await b.enroll("web1")
    await b.dial(enrolled.host_id, "web1")
    await managers.settle()
    assert [host.admission for host in _shown(a)] == [Admission.PENDING]

    await a.admission.approve(["web1"], False, "ana@tty1")
    await managers.settle()
    assert b.sessions.told == [(enrolled.host_id, Admission.ADMITTED)]
    await _start(a, "web1")
    await managers.settle()
    assert _texts(await b.send()) == ["true"]

    await c.admission.revoke(["web1"], "ana@tty1")
    await managers.settle()
    why = "An operator has revoked this host (web1)."
    assert b.sessions.turned_away == [(enrolled.host_id, Refusal.REVOKED, why)]
    assert c.sessions.turned_away == [(enrolled.host_id, Refusal.REVOKED, why)]


async def test_what_operators_say_of_hosts_is_seen_everywhere(managers: Managers) -> None:
    a, b, c = managers
    await b.connect("web1")
    await b.connect("web2")
    await managers.settle()
    await a.host_management.rename("web1", "db1", "ana@tty1")
    await a.host_management.label(["web2"], {"env": "prod"}, [], "ana@tty1")
    await c.host_management.set_maintenance(["web2"], "disk", None, "ana@tty1")
    await managers.settle()
    for manager in managers:
        db1, web2 = _shown(manager)
        assert (db1.name, web2.labels) == ("db1", {"env": "prod"})
        assert web2.maintenance
        assert web2.maintenance.reason == "disk"
    gone = b.directory.get(web2.host_id)
    await b.hosts.close_session(web2.host_id, gone.row.generation, "test")
    await managers.settle()
    await c.host_management.remove(["web2"], "ana@tty1")
    await managers.settle()
    assert [[host.name for host in _shown(manager)] for manager in managers] == [["db1"]] * 3


async def test_output_is_followed_at_another_manager(managers: Managers) -> None:
    a, b, c = managers
    opened = await b.connect("web1")
    await managers.settle()
    task_id = await _start(a, "web1")
    await managers.settle()
    ((_, run),) = await b.send()
    await managers.settle()
    watching = _watch(c)
    line = Output(run.execution_id, Stream.STDOUT, 0, b"hello\n")
    await b.report(opened.host_id, Started(run.execution_id, timedelta(0)), line)
    await managers.settle()
    changes = watching.take()
    assert changes.tasks == {task_id}
    assert changes.output == {task_id}
    (chunk,) = await c.tasks.output.read(run.execution_id, Stream.STDOUT, 0, 100)
    assert chunk.data == b"hello\n"


async def test_changes_go_to_the_others_once(managers: Managers) -> None:
    a, b, c = managers
    watching = [_watch(manager) for manager in managers]
    before = len(managers.wire.carried)
    b.feed.publish(Changes(tasks=frozenset({7}), schedules=True))
    await managers.settle()
    told = Changes(tasks=frozenset({7}), schedules=True)
    assert [each.take() for each in watching] == [told] * 3
    assert [manager.number for manager in (a, b, c)] == [1, 2, 3]
    ours = [text for text in managers.wire.carried[before:] if b'"tasks"' in text]
    assert len(ours) == 1


async def _under_way(managers: Managers) -> tuple[int, str, str]:
    """A command that was sent at the first manager and runs; its host then connects to the second
    one, and the first has not heard of it. (task_id, host_id, execution_id)"""
    a, b, _ = managers
    opened = await a.connect("web1")
    await managers.settle()
    task_id = await _start(a, "web1")
    ((_, run),) = await a.send()
    await a.report(opened.host_id, Started(run.execution_id, timedelta(0)))
    held = Held(run.execution_id, HeldState.RUNNING, has_result=False)
    moved = await b.connect("web1", host_id=opened.host_id, held=[held])
    assert [resume.action for resume in moved.resumes] == [ResumeAction.GO_ON]
    return task_id, opened.host_id, run.execution_id


async def test_a_host_takes_what_runs_to_another_manager(managers: Managers) -> None:
    a, b, c = managers
    task_id, host_id, execution_id = await _under_way(managers)
    await managers.settle()
    assert a.sessions.replaced == [(host_id, 1)]
    for manager in managers:
        assert [host.online for host in _shown(manager)] == [True]
    assert [len(manager.directory.rows_here()) for manager in managers] == [0, 1, 0]
    # The stream at the first manager ends only now. That touches nothing.
    await a.hosts.close_session(host_id, 1, "replaced")
    await managers.settle()
    assert [host.online for host in _shown(c)] == [True]
    for manager in managers:
        assert await manager.send() == []
    done = result(execution_id, totals=totals())
    outcome = await b.report(host_id, done)
    assert [item.execution_id for item in outcome.acknowledged] == [execution_id]
    (row,) = await c.rows(task_id)
    assert row.status is CommandHostStatus.COMPLETED
    assert len(a.dispatcher.sent) + len(b.dispatcher.sent) == 1
    await a.task_status_loop.run_once()
    assert await c.database.read(contradictions) == []


async def test_an_old_session_reports_nothing_any_more(managers: Managers) -> None:
    a, b, _ = managers
    task_id, host_id, execution_id = await _under_way(managers)
    line = Output(execution_id, Stream.STDOUT, 0, b"late\n")
    with pytest.raises(RefusedError) as refused:
        await a.report(host_id, line, result(execution_id, totals=totals(5)))
    assert refused.value.refusal is Refusal.REPLACED
    (row,) = await b.rows(task_id)
    assert (row.status, row.stdout_bytes) == (CommandHostStatus.RUNNING, 0)


async def test_a_command_that_was_claimed_for_an_old_session_is_sent_by_the_new_one(
    managers: Managers,
) -> None:
    a, b, _ = managers
    opened = await a.connect("web1")
    await managers.settle()
    await b.connect("web1", host_id=opened.host_id)
    assert await b.send() == []
    await _start(a, "web1")  # it believes that the host is connected here
    assert await a.send() == []
    await managers.settle()
    assert _texts(await b.send()) == ["true"]


async def test_a_cancel_finds_a_host_that_has_just_moved(managers: Managers) -> None:
    a, b, _ = managers
    task_id, host_id, execution_id = await _under_way(managers)
    await a.tasks.cancel_task(task_id, "ana@tty1")
    await managers.settle()
    assert (host_id, execution_id) in b.dispatcher.cancels


async def test_a_message_that_comes_twice_changes_nothing_more(managers: Managers) -> None:
    a, b, c = managers
    managers.wire.copies = 2
    opened = await b.connect("web1")
    await managers.settle()
    task_id = await _start(a, "web1")
    await managers.settle()
    assert _texts(await b.send()) == ["true"]
    await c.tasks.cancel_task(task_id, "ana@tty1")
    await managers.settle()
    assert {host for host, _ in b.dispatcher.cancels} == {opened.host_id}
    assert await b.send() == []


async def _compare(manager: Manager) -> None:
    """A moment later the manager looks whether messages were lost, the second time in vain."""
    await manager.bridge.compare()
    await manager.bridge.compare()


async def test_lost_messages_are_found_by_what_was_committed(managers: Managers) -> None:
    a, b, c = managers
    await managers.settle()
    for manager in managers:
        await manager.bridge.compare()
    managers.wire.copies = 0
    await b.connect("web1")
    await managers.settle()
    assert _shown(a) == []
    watching = _watch(a)
    await _compare(a)
    await a.bridge.follow()
    assert [host.online for host in _shown(a)] == [True]
    assert watching.take().all_tasks
    task_id = await _start(a, "web1")
    await managers.settle()
    assert await b.send() == []
    await _compare(b)
    await b.bridge.follow()
    ((host_id, run),) = await b.send()
    await _compare(c)
    await c.bridge.follow()
    await c.tasks.cancel_task(task_id, "ana@tty1")
    await managers.settle()
    assert b.dispatcher.cancels == []
    await _compare(b)
    await b.bridge.follow()
    assert b.dispatcher.cancels == [(host_id, run.execution_id)]


async def test_the_next_message_shows_that_one_was_lost(managers: Managers) -> None:
    a, b, _ = managers
    managers.wire.copies = 0
    await b.connect("web1")
    assert b.bridge.send_changes()
    managers.wire.copies = 1
    b.feed.publish(Changes(templates=True))
    await managers.settle()
    assert [host.name for host in _shown(a)] == ["web1"]


async def test_nothing_is_lost_if_nothing_was_committed(managers: Managers) -> None:
    a, b, _ = managers
    await b.connect("web1")
    await managers.settle()
    watching = _watch(a)
    for _ in range(3):
        await a.bridge.compare()
    await a.bridge.follow()
    assert watching.take() == Changes()


async def test_a_malformed_message_means_that_everything_has_changed(
    managers: Managers, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, _ = managers
    await b.connect("web1")
    for text in (b"\x00", b'{"kind": "changed", "gateway": "two"}'):
        a.bridge.receive(text)
    await a.bridge.follow()
    assert [host.name for host in _shown(a)] == ["web1"]
    assert len([record for record in caplog.records if "malformed" in record.message]) == 1


async def test_a_manager_alone_tells_nobody(tmp_path: Path) -> None:
    async with following_managers(tmp_path, count=1) as managers:
        (alone,) = managers
        await alone.connect("web1")
        await _start(alone, "web1")
        await managers.settle()
        assert managers.wire.carried == []
        assert not alone.core.requests.take()


async def test_a_host_that_goes_is_offline_everywhere_although_its_end_is_stored_later(
    managers: Managers, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _ = managers
    opened = await b.connect("web1")
    await managers.settle()
    may_write, write = asyncio.Event(), b.database.write

    async def write_later(work: Work, *, early: bool = False) -> object:
        await may_write.wait()
        return await write(work, early=early)

    monkeypatch.setattr(b.database, "write", write_later)
    closing = asyncio.create_task(b.hosts.close_session(opened.host_id, opened.generation, "test"))
    await asyncio.sleep(0)
    await managers.settle()
    assert [host.online for host in _shown(a)] == [True]
    may_write.set()
    await closing
    await managers.settle()
    assert [host.online for host in _shown(a)] == [False]


async def test_output_of_two_managers_is_followed_in_the_order_of_its_positions(
    managers: Managers,
) -> None:
    a, b, c = managers
    first, second = await a.connect("web1"), await b.connect("web2")
    await managers.settle()
    task_id = await _start(c, "web1,web2")
    await managers.settle()
    ((_, run),), ((_, other),) = await a.send(), await b.send()
    for manager, host, execution in ((a, first, run), (b, second, other)):
        await manager.report(host.host_id, Started(execution.execution_id, timedelta(0)))
    inserted, may_commit = threading.Event(), threading.Event()

    def store_slowly(tx: Transaction) -> None:
        row = tx.execute(
            "SELECT id FROM command_hosts WHERE execution_id = ?", (run.execution_id,)
        ).fetchone()
        piece = Output(run.execution_id, Stream.STDOUT, 0, b"first\n")
        stored_output.insert(tx, [stored_output.OutputPiece(task_id, row["id"], piece, 0)])
        inserted.set()
        may_commit.wait(60)

    storing = asyncio.create_task(a.database.write(store_slowly))
    await asyncio.to_thread(inserted.wait, 60)
    line = Output(other.execution_id, Stream.STDOUT, 0, b"second\n")
    await b.report(second.host_id, line)
    assert await c.tasks.output.follow(OutputOf(task_id), 0, 1000) == []  # it has waited
    following = asyncio.create_task(c.tasks.output.follow(OutputOf(task_id), 0, 1000))
    may_commit.set()
    await storing
    chunks = [chunk.data for chunk in await following]
    if not chunks:  # it has given up just before the commit
        chunks = [chunk.data for chunk in await c.tasks.output.follow(OutputOf(task_id), 0, 1000)]
    assert chunks == [b"first\n", b"second\n"]
