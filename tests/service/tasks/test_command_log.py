"""What the log says of the commands of a large task, and how much of it."""

import logging

import pytest

from tests.support.managers.manager_parts import Parts, failed, result
from tui_manager.service.core import command_log
from tui_manager.service.core.command_log import FAILURES_MAX, LINES_MAX

HOSTS = FAILURES_MAX + 30
FAILS = FAILURES_MAX + 5
A_DAY = 86_400.0  # seconds


def said(caplog: pytest.LogCaptureFixture, text: str) -> list[dict[str, object]]:
    """The fields of the lines with this text."""
    return [vars(record) for record in caplog.records if record.getMessage() == text]


async def run(parts: Parts, hosts: int, fails: int) -> int:
    """One command on so many hosts, which fails on some; returns the task."""
    for number in range(hosts):
        await parts.connect(f"web{number:03}")
    task_id = await parts.started("web*", "true")
    while await parts.send():
        pass
    for number, (host_id, run) in enumerate(parts.dispatcher.sent):
        end = failed if number < fails else result
        await parts.report(host_id, end(run.execution_id))
    return task_id


async def test_of_a_small_task_each_command_has_its_lines(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    task_id = await run(parts, hosts=3, fails=1)
    parts.core.command_log.flush()
    sent, results = said(caplog, "command sent"), said(caplog, "result")
    assert {(line["task"], line["host"]) for line in sent} == {
        (task_id, f"web{number:03}") for number in range(3)
    }
    assert sorted(str(line["status"]) for line in results) == ["completed", "completed", "failed"]
    assert not [record for record in caplog.records if record.getMessage().startswith("more")]


async def test_of_a_large_task_the_others_are_counted(
    parts: Parts, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_log, "INTERVAL", A_DAY)
    caplog.set_level(logging.INFO)
    task_id = await run(parts, HOSTS, FAILS)
    assert len(said(caplog, "command sent")) == LINES_MAX
    assert len(said(caplog, "result")) == FAILURES_MAX + LINES_MAX
    parts.core.command_log.flush()
    (more,) = said(caplog, "more commands sent")
    assert (more["task"], more["count"]) == (task_id, HOSTS - LINES_MAX)
    (more,) = said(caplog, "more results")
    assert (more["task"], more["failed"], more["completed"]) == (
        task_id,
        FAILS - FAILURES_MAX,
        HOSTS - FAILS - LINES_MAX,
    )
    caplog.clear()
    parts.core.command_log.flush()
    assert not caplog.records
