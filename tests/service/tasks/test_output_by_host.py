"""Reading the output of a task while another manager stores output for a long time."""

import pytest

from tests.support.managers.manager_parts import Parts, result, spec
from tui_manager.domain.hosts.agent_messages import Output
from tui_manager.domain.output.output_by_host import OutputPlace, WantedOutput
from tui_manager.domain.status import Stream

HOSTS = ("web01", "web02", "web03")


async def test_all_output_of_a_task_that_has_ended_is_read(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a task that runs, what has a later position waits until that transaction has ended."""
    for name in HOSTS:
        await parts.connect(name)
    task_id = await parts.tasks.create_task(spec("@all", "true"))
    await parts.tasks.start_task(task_id)
    ran = [(host, run.execution_id) for host, run in await parts.send()]
    for host, execution_id in ran:
        await parts.report(host, Output(execution_id, Stream.STDOUT, 0, b"hi\n"))

    async def only_first(_task_id: int) -> int:
        return 1

    monkeypatch.setattr(parts.core.directory, "alive", frozenset({2}))
    monkeypatch.setattr(parts.tasks.output, "_wait_for_running", only_first)

    async def texts() -> list[bytes]:
        wanted = WantedOutput(task_id)
        part = await parts.tasks.output.read_by_host(wanted, OutputPlace(), 1000)
        return [chunk.data for chunk in part.chunks]

    assert await texts() == [b"hi\n"]
    for host, execution_id in ran:
        await parts.report(host, result(execution_id))
    assert await texts() == [b"hi\n"] * len(HOSTS)
