"""Tasks older than the history are removed in small steps; nothing else is."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.service.core.test_rollback import FailingTransaction
from tests.support.managers.manager_parts import Parts, manager_parts, result, spec, totals
from tests.support.managers.old_history import DAY, TABLES, ended, left_over, listed
from tests.support.waiting import wait_until
from tui_manager.domain.errors import NotFoundError, RefusedError, StorageError
from tui_manager.domain.hosts.agent_messages import Output, Started
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Admission, Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.service.tasks import pruning_loop
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.maintenance import pruning
from tui_manager.storage.maintenance.check import contradictions


async def test_old_tasks_are_pruned_and_others_stay(parts: Parts) -> None:
    host = await parts.connect("web01")
    old, _ = await ended(parts, host.host_id, "first", "second")
    waiting = await parts.tasks.create_task(spec("@all"))
    canceled = await parts.tasks.create_task(spec("@all"))
    await parts.tasks.cancel_task(canceled)
    running = await parts.started("@all", "first", "second")
    ((_, run),) = parts.dispatcher.sent[2:]
    await parts.report(host.host_id, result(run.execution_id))
    parts.clock.turn(15 * DAY)
    new, _ = await ended(parts, host.host_id)
    parts.clock.turn(15 * DAY)
    await parts.pruning.run_once()
    assert await listed(parts) == [new, running, canceled, waiting, old]  # 30 days to the second
    parts.clock.turn(1)
    await parts.pruning.run_once()
    assert await listed(parts) == [new, running, waiting]
    assert await left_over(parts) == {
        "tasks": 3,
        "commands": 4,
        "secrets": 0,
        "command_hosts": 3,
        "output_chunks": 1,
    }
    assert await parts.database.read(contradictions) == []
    (pruned,) = await parts.audited("prune_tasks")
    assert (pruned.actor, pruned.detail) == ("manager", {"tasks": "2", "before": "2026-01-02"})
    assert len(await parts.audited("create_task")) == 5


async def test_with_0_days_all_is_kept(tmp_path: Path) -> None:
    async with manager_parts(tmp_path, history_days=0) as parts:
        host = await parts.connect("web01")
        task_id, _ = await ended(parts, host.host_id)
        parts.clock.turn(9999 * DAY)
        await parts.pruning.run_once()
        assert await listed(parts) == [task_id]
        assert await parts.audited("prune_tasks") == []


async def test_the_number_of_a_pruned_task_is_never_used_again(parts: Parts) -> None:
    host = await parts.connect("web01")
    for _ in range(3):
        newest, _ = await ended(parts, host.host_id)
    parts.clock.turn(31 * DAY)
    await parts.pruning.run_once()
    assert await left_over(parts) == dict.fromkeys(TABLES, 0)
    assert await parts.tasks.create_task(spec("@all")) == newest + 1


async def test_secrets_are_pruned_with_their_command(parts: Parts) -> None:
    host = await parts.connect("web01")
    secret = CommandSpec("true", secrets={"KEY": "hidden"})
    task_id = await parts.tasks.create_task(TaskSpec("@all", (secret,)))
    await parts.tasks.start_task(task_id)
    ((_, run),) = await parts.send()
    await parts.report(host.host_id, result(run.execution_id))
    assert (await left_over(parts))["secrets"] == 1
    parts.clock.turn(31 * DAY)
    await parts.pruning.run_once()
    assert await left_over(parts) == dict.fromkeys(TABLES, 0)


async def test_each_pruning_step_is_small_and_invisible(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "ROWS", 3)
    host = await parts.connect("web01")
    gone = [
        (await ended(parts, host.host_id, *["true"] * commands, size=size))[0]
        for commands, size in ((1, 3), (5, 12), (1, 0), (2, 30))
    ]
    parts.clock.turn(31 * DAY)
    stays, _ = await ended(parts, host.host_id)
    assert await parts.pruning.mark() == len(gone)
    left = await left_over(parts)
    steps = 0
    while await parts.pruning.clear():
        steps += 1
        before, left = left, await left_over(parts)
        assert 0 < sum(before.values()) - sum(left.values()) <= 3
        assert await parts.database.read(contradictions) == []
        assert await listed(parts) == [stays]
        assert await listed(parts, text="true") == [stays]
        assert await listed(parts, faults_only=True) == []
        for task_id in gone:
            for asked in (
                parts.tasks.get_task(task_id),
                parts.tasks.get_task_progress(task_id),
                parts.tasks.list_command_hosts(task_id, Window()),
                parts.tasks.list_command_hosts(task_id, Window(text="web")),
                parts.tasks.start_task(task_id),
                parts.tasks.cancel_task(task_id),
            ):
                with pytest.raises(NotFoundError):
                    await asked
    assert steps > 10
    assert await left_over(parts, ("tasks", "command_hosts")) == {"tasks": 1, "command_hosts": 1}


async def test_a_step_ends_when_it_has_removed_enough_bytes(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BYTES", 7)
    host = await parts.connect("web01")
    await ended(parts, host.host_id, size=30)
    parts.clock.turn(31 * DAY)
    await parts.pruning.mark()
    for left in (7, 4, 1):
        assert await parts.pruning.clear()
        assert await left_over(parts, ("output_chunks",)) == {"output_chunks": left}
    assert not await parts.pruning.clear()


async def test_output_goes_with_the_part_of_its_day(parts: Parts) -> None:
    """On PostgreSQL, where the first look makes the parts. Of SQLite the same is true."""
    host = await parts.connect("web01")
    await parts.pruning.run_once()
    first, _ = await ended(parts, host.host_id)
    parts.clock.turn(DAY)
    await ended(parts, host.host_id)
    parts.clock.turn(30 * DAY)
    await parts.pruning.run_once()
    assert first not in await listed(parts)
    assert await left_over(parts) == dict.fromkeys(TABLES, 1) | {"secrets": 0}


async def test_a_task_that_runs_for_long_keeps_no_output_of_others(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.pruning.run_once()
    await ended(parts, host.host_id)
    running = await parts.started("@all")
    ((_, run),) = parts.dispatcher.sent[1:]
    output = Output(run.execution_id, Stream.STDOUT, 0, b"abc")
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)), output)
    parts.clock.turn(38 * DAY)
    await parts.pruning.run_once()
    assert await listed(parts) == [running]
    assert await left_over(parts, ("output_chunks",)) == {"output_chunks": 1}


async def test_the_next_manager_continues_an_interrupted_pruning(tmp_path: Path) -> None:
    async with manager_parts(tmp_path) as parts:
        host = await parts.connect("web01")
        await ended(parts, host.host_id)
        parts.clock.turn(31 * DAY)
        await parts.pruning.mark()
    async with manager_parts(tmp_path, history_days=0) as parts:
        assert await left_over(parts, ("tasks",)) == {"tasks": 1}
        await parts.pruning.run_once()
        assert await left_over(parts) == dict.fromkeys(TABLES, 0)


Work = Callable[[Transaction], Any]


async def test_a_failure_in_the_middle_leaves_everything_as_it_was(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "ROWS", 4)
    await parts.token(ttl=timedelta(minutes=1))
    await parts.token()
    host = await parts.connect("web01")
    await ended(parts, host.host_id, "first", "second")
    parts.clock.turn(31 * DAY)
    write, failures = parts.database.write, 0

    def everything(tx: Transaction) -> list[list[tuple[Any, ...]]]:
        tables = (*TABLES, "tokens", "audit")
        return [[tuple(row) for row in tx.execute(f"SELECT * FROM {table}")] for table in tables]

    async def failing(work: Work) -> Any:
        nonlocal failures
        for statements in range(100):
            before = await parts.database.read(everything)
            try:
                return await write(lambda tx, n=statements: work(FailingTransaction(tx, n)))  # type: ignore[misc]
            except StorageError:
                assert await parts.database.read(everything) == before
                failures += 1

    monkeypatch.setattr(parts.database, "write", failing)
    await parts.pruning.run_once()
    assert failures > 20
    assert await left_over(parts, (*TABLES, "tokens")) == {**dict.fromkeys(TABLES, 0), "tokens": 1}


async def test_expired_tokens_are_pruned_unless_a_host_has_used_them(parts: Parts) -> None:
    await parts.token()
    await parts.enroll("web01", auto_approve=True)
    await parts.token()
    parts.clock.turn(31 * DAY)
    await parts.token(ttl=timedelta(minutes=60))
    await parts.token(ttl=timedelta(minutes=1))
    parts.clock.turn(120)
    await parts.pruning.run_once()

    def ids(tx: Transaction) -> list[int]:
        return [row["id"] for row in tx.execute("SELECT id FROM tokens ORDER BY id")]

    assert await parts.database.read(ids) == [2, 4, 5]
    parts.clock.turn(31 * DAY)
    await parts.pruning.run_once()
    assert await parts.database.read(ids) == [2, 5]  # the newest keeps its number from being reused
    assert await parts.database.read(contradictions) == []


@pytest.mark.parametrize("how", ["revoke", "reject"])
async def test_a_rejected_key_is_refused_for_ever(parts: Parts, how: str) -> None:
    enrolled = await parts.enroll("web01", auto_approve=how == "revoke")
    if how == "revoke":
        await parts.admission.revoke(["web01"], "ana")
    else:
        await parts.admission.reject(["web01"], False, "ana")
    parts.clock.turn(999 * DAY)
    await parts.pruning.run_once()
    with pytest.raises(RefusedError):
        await parts.enroll("web01", auto_approve=True)
    entry = parts.directory.get(enrolled.host_id)
    assert entry
    assert entry.row.admission in (Admission.REVOKED, Admission.REJECTED)


@pytest.mark.sqlite("the pages of its file")
async def test_freed_pages_are_used_again(parts: Parts) -> None:
    host = await parts.connect("web01")

    async def fill() -> None:
        for _ in range(30):
            task_id = await parts.started("@all")
            (*_, (_, run)) = parts.dispatcher.sent
            output = Output(run.execution_id, Stream.STDOUT, 0, b"x" * 20_000)
            await parts.report(
                host.host_id, output, result(run.execution_id, totals=totals(20_000))
            )
            assert (await parts.tasks.get_task_status(task_id)).ended

    def pages(tx: Transaction) -> int:
        return int(tx.execute("PRAGMA page_count").fetchone()[0])

    await fill()
    full = await parts.database.read(pages)
    parts.clock.turn(31 * DAY)
    await parts.pruning.run_once()
    await fill()
    assert await parts.database.read(pages) <= full + 10


async def test_pruning_looks_again_after_the_database_fails(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_FIRST_LOOK", "_LOOK_EVERY", "_RETRY"):
        monkeypatch.setattr(pruning_loop, name, 0.0)
    host = await parts.connect("web01")
    await parts.started("@all")
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    await parts.report(host.host_id, result(run.execution_id))
    parts.clock.turn(31 * DAY)
    write, looks = parts.database.write, 0

    async def failing_first(work: Work) -> Any:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise StorageError("The disk is full.")
        return await write(work)

    monkeypatch.setattr(parts.database, "write", failing_first)
    running = asyncio.create_task(parts.pruning.run())
    try:
        await wait_until(lambda: listed(parts), lambda listed: not listed)
        await wait_until(lambda: left_over(parts), lambda rows: not any(rows.values()))
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert running.cancelled()
