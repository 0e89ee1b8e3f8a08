"""Answers to agents that report executions which were pruned."""

from pathlib import Path

from tests.support.managers.manager_parts import Parts, failed, manager_parts, result
from tests.support.managers.old_history import DAY, TABLES, ended, left_over
from tui_manager.domain.hosts.agent_messages import Held, HeldState, Output, ResumeAction
from tui_manager.domain.status import Stream
from tui_manager.service.reports.broken_wire_rules import broken_wire_rules


async def test_the_result_of_a_pruned_execution_is_acknowledged(parts: Parts) -> None:
    host = await parts.connect("web01")
    _, (gone,) = await ended(parts, host.host_id)
    parts.clock.turn(31 * DAY)
    await parts.pruning.mark()
    for _ in range(2):  # while something of it is left, and then
        held = (Held(gone, HeldState.ENDED, has_result=True),)
        back = await parts.connect("web01", host_id=host.host_id, held=held)
        assert [resume.action for resume in back.resumes] == [ResumeAction.STORED]
        entry = parts.directory.get(host.host_id)
        assert entry
        assert entry.session
        assert entry.session.unknown == set()
        await parts.pruning.run_once()


async def test_reports_of_pruned_executions_are_acknowledged(parts: Parts) -> None:
    host = await parts.connect("web01")
    _, (gone,) = await ended(parts, host.host_id)
    parts.clock.turn(31 * DAY)
    await parts.pruning.mark()
    for _ in range(2):
        outcome = await parts.report(
            host.host_id,
            Output(gone, Stream.STDOUT, 3, b"def"),
            Output(gone, Stream.STDERR, 0, b"x"),
        )
        (told,) = outcome.acknowledged
        assert (told.execution_id, dict(told.offsets), told.result) == (
            gone,
            {Stream.STDOUT: 6, Stream.STDERR: 1},
            False,
        )
        outcome = await parts.report(host.host_id, failed(gone))
        assert [told.result for told in outcome.acknowledged] == [True]
        assert (outcome.unknown, broken_wire_rules(outcome), outcome.results) == (set(), [], [])
        await parts.pruning.run_once()
    assert await left_over(parts) == dict.fromkeys(TABLES, 0)


async def test_a_running_command_is_left_to_finish(parts: Parts) -> None:
    host = await parts.connect("web01")
    _, (gone,) = await ended(parts, host.host_id)
    parts.clock.turn(31 * DAY)
    await parts.pruning.run_once()
    held = (Held(gone, HeldState.RUNNING),)
    back = await parts.connect("web01", host_id=host.host_id, held=held)
    assert [resume.action for resume in back.resumes] == [ResumeAction.UNKNOWN]


async def test_an_unknown_execution_counts_as_pruned_only_if_it_is_old(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with manager_parts(tmp_path / "other") as parts:
        host = await parts.connect("web01")
        _, (foreign,) = await ended(parts, host.host_id)
    for name, days, action in (
        ("young", 29, ResumeAction.UNKNOWN),
        ("old", 31, ResumeAction.STORED),
    ):
        folder = tmp_path / name
        folder.mkdir()
        async with manager_parts(folder) as parts:
            parts.clock.turn(days * DAY)
            held = (Held(foreign, HeldState.ENDED, has_result=True),)
            back = await parts.connect("web01", held=held)
            assert [resume.action for resume in back.resumes] == [action]
            outcome = await parts.report(back.host_id, result(foreign))
            assert (outcome.unknown == {foreign}) is (action is ResumeAction.UNKNOWN)


async def test_a_lost_agent_does_not_reopen_a_pruned_task(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.started("@all")
    ((_, run),) = parts.dispatcher.sent
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    parts.clock.turn(301)
    await parts.silence.run_once()
    parts.clock.turn(31 * DAY)
    await parts.pruning.mark()
    held = (Held(run.execution_id, HeldState.RUNNING),)
    back = await parts.connect("web01", host_id=host.host_id, held=held)
    assert [resume.action for resume in back.resumes] == [ResumeAction.UNKNOWN]
    await parts.pruning.run_once()
    assert await left_over(parts) == dict.fromkeys(TABLES, 0)
