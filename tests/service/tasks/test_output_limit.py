"""Output over the limit of a command is counted and not stored, and is a violation."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, manager_parts, result, totals
from tui_manager.domain.hosts.agent_messages import Output, Started
from tui_manager.domain.status import CommandHostStatus, Stream
from tui_manager.storage.maintenance.check import contradictions

LIMIT = 10


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with manager_parts(tmp_path, output_limit=LIMIT) as made:
        yield made


async def _running(parts: Parts) -> tuple[str, str, int]:
    host = await parts.connect("web01")
    task_id = await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    return host.host_id, run.execution_id, task_id


async def _sizes(parts: Parts, execution_id: str, task_id: int) -> tuple[int, int, int]:
    assert await parts.database.read(contradictions) == []
    row = await parts.row(execution_id, task_id)
    return row.stdout_bytes, row.stderr_bytes, row.truncated_bytes


async def test_the_limit_is_for_both_streams_together(parts: Parts) -> None:
    host_id, execution_id, task_id = await _running(parts)
    within = await parts.report(
        host_id,
        Output(execution_id, Stream.STDOUT, 0, b"123456"),
        Output(execution_id, Stream.STDERR, 0, b"1234"),
    )
    assert within.over_limit == set()
    beyond = await parts.report(host_id, Output(execution_id, Stream.STDOUT, 6, b"78"))
    assert (beyond.over_limit, beyond.holes) == ({execution_id}, set())
    assert await _sizes(parts, execution_id, task_id) == (6, 4, 2)
    assert parts.statistics.counters.violations == 1


async def test_the_part_of_a_piece_within_the_limit_is_stored(parts: Parts) -> None:
    host_id, execution_id, task_id = await _running(parts)
    outcome = await parts.report(
        host_id,
        Output(execution_id, Stream.STDOUT, 0, b"123456789abc"),
        Output(execution_id, Stream.STDOUT, 12, b"def"),
    )
    assert outcome.over_limit == {execution_id}
    assert outcome.acknowledged[0].offsets[Stream.STDOUT] == LIMIT
    assert await _sizes(parts, execution_id, task_id) == (10, 0, 5)
    (chunk,) = await parts.tasks.output.read(execution_id, Stream.STDOUT, 0, 100)
    assert chunk.data == b"123456789a"


async def test_repeated_output_over_the_limit_is_counted_once(parts: Parts) -> None:
    host_id, execution_id, task_id = await _running(parts)
    for _ in range(3):
        await parts.report(host_id, Output(execution_id, Stream.STDOUT, 0, b"123456789abc"))
    await parts.report(host_id, Output(execution_id, Stream.STDOUT, 10, b"bc"))
    assert await _sizes(parts, execution_id, task_id) == (10, 0, 2)


async def test_a_gap_is_limited_too(parts: Parts) -> None:
    host_id, execution_id, task_id = await _running(parts)
    await parts.report(host_id, Output(execution_id, Stream.STDOUT, 0, b"", gap=1 << 60))
    assert await _sizes(parts, execution_id, task_id) == (10, 0, (1 << 60) - 10)


async def test_totals_over_the_limit_do_not_keep_the_result_open(parts: Parts) -> None:
    host_id, execution_id, task_id = await _running(parts)
    await parts.report(host_id, Output(execution_id, Stream.STDOUT, 0, b"123456789abc"))
    outcome = await parts.report(host_id, result(execution_id, totals=totals(12)))
    assert outcome.over_limit == {execution_id}
    assert outcome.acknowledged[0].result
    assert await _sizes(parts, execution_id, task_id) == (10, 0, 2)
    assert (await parts.row(execution_id, task_id)).status is CommandHostStatus.COMPLETED


async def test_the_limit_is_the_one_that_the_command_was_sent_with(tmp_path: Path) -> None:
    async with manager_parts(tmp_path, output_limit=LIMIT) as parts:
        host_id, execution_id, task_id = await _running(parts)
    async with manager_parts(tmp_path, output_limit=4) as parts:
        honest = await parts.report(host_id, Output(execution_id, Stream.STDOUT, 0, b"123456789a"))
        assert honest.over_limit == set()
        assert await _sizes(parts, execution_id, task_id) == (10, 0, 0)
