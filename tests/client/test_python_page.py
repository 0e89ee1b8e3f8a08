"""`docs/python.md`: its examples are those of `page_examples.py`, which run here on a real manager
with real agents, and its reference has every name of the package."""

import asyncio
import re
from collections.abc import Iterator
from inspect import getmembers
from pathlib import Path

import pytest

import tui_manager.client
from tests.client import page_examples as examples
from tests.support.programs.processes import Machine
from tui_manager.client import (
    CommandHostStatus,
    Manager,
    Reason,
    TaskHandle,
    TaskOptions,
    TaskResult,
    TaskStatus,
    connect,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
REFERENCE = PAGE.partition("## Reference")[2]
SOURCE = Path(examples.__file__).read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
TEMPLATE = """
target = "role=web"
[params.release]
[params.token]
type = "secret"
[[steps]]
run = 'echo "$release"; test -n "$token"'
"""


def test_the_page_shows_the_examples_that_are_tested() -> None:
    for block in BLOCKS:
        body = block.partition("\n\n\n")[2] if block.startswith("import ") else block
        assert body.strip() in SOURCE
    tested = set(re.findall(r"^(?:async )?def (\w+)", SOURCE, re.MULTILINE))
    assert tested == set(re.findall(r"^(?:async )?def (\w+)", "\n".join(BLOCKS), re.MULTILINE))


def test_the_reference_has_every_name() -> None:
    for kind in (Manager, TaskHandle, TaskResult):
        section = REFERENCE.partition(f"### {kind.__name__}\n")[2].partition("\n### ")[0]
        names = {name for name, _ in getmembers(kind) if not name.startswith("_")}
        assert [name for name in names if not re.search(rf"`(await )?{name}[(`]", section)] == []
    assert [name for name in TaskOptions.__annotations__ if f"`{name}`" not in REFERENCE] == []
    elsewhere = {"Admission", "CommandHostStatus", "HostClass", "Reason", "TaskOptions"}
    told = {name for name in tui_manager.client.__all__ if re.search(rf"\b{name}\b", PAGE)}
    assert set(tui_manager.client.__all__) - told <= elsewhere


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A manager that a script finds by the environment, and three hosts."""
    made = Machine(tmp_path)
    monkeypatch.setenv("TUI_MANAGER_STATE_DIR", str(made.state_dir))
    try:
        made.serve()
        for name in ("web01", "web02", "db01"):
            made.agent(name, "--label", f"role={name[:-2]}", "--label", "env=prod")
        made.wait_until_online("web01", "web02", "db01")
        yield made
    finally:
        made.stop()


def test_the_examples_run(fleet: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(examples.main())
    out = capsys.readouterr().out
    assert out.count("load average") == 2
    assert out.endswith("completed 2 of 2\n")
    assert examples.check_target("role=web") == ["web01", "web02"]
    assert examples.check_target("role=mail") == []
    assert "target: " in capsys.readouterr().out
    asyncio.run(_run_those_of_a_manager(fleet, capsys))


async def _run_those_of_a_manager(fleet: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    async with connect() as manager:
        await examples.show_hosts(manager)
        assert capsys.readouterr().out == "web01 online prod\nweb02 online prod\n"
        assert await examples.restart(manager) is False  # there is no such program
        assert capsys.readouterr().out.splitlines() == [
            "web01: failed exit_code 127",
            "web02: skipped budget_spent None",
        ]
        task = await manager.run("@all", "echo out; printf '\\033[2Jerr' >&2")
        await examples.print_errors(task)
        assert sorted(capsys.readouterr().out.splitlines()) == [
            "db01: err",
            "web01: err",
            "web02: err",
        ]
        await examples.save_output(manager, task.task_id, fleet.folder / "output")
        assert b"out\n" in (fleet.folder / "output").read_bytes()
        await _repeat(manager, capsys)
        await manager.operator.save_template("deploy", TEMPLATE)
        assert (await examples.deploy(manager)).completed
        canceled = await examples.within(manager, 0.2)
        assert canceled.status is TaskStatus.CANCELED
        assert {row.status for row in canceled.rows} == {CommandHostStatus.CANCELED}
        await examples.both(manager)
        backup = await examples.run_once(manager)
        assert (await examples.wait_for_good(backup.task_id)).rows[0].exit_code == 127
        await examples.approve_waiting(manager)
        assert capsys.readouterr().out == "approved:\n"
        _ = [schedule async for schedule in manager.schedules()]


async def _repeat(manager: Manager, capsys: pytest.CaptureFixture[str]) -> None:
    task = await manager.run("web01,web02", "false")
    await task.wait()
    result = await examples.repeat_on_failed(manager, task.task_id)
    assert [row.reason for row in result.rows] == [Reason.EXIT_CODE, Reason.EXIT_CODE]
    running = await manager.run("web01", "sleep 600")
    result = await examples.repeat_on_failed(manager, running.task_id)
    assert result.status is TaskStatus.RUNNING
    assert "it can be run again when it has ended" in capsys.readouterr().out
    await running.cancel()
    await running.wait()


def test_a_script_sees_the_end_of_a_task_after_a_restart(
    fleet: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    async def start() -> int:
        async with connect() as manager:
            marker = fleet.folder / "go"
            command = f"until test -e '{marker}'; do sleep 0.1; done"
            return (await manager.run("web01", command)).task_id

    async def restart(task_id: int) -> TaskResult:
        waiting = asyncio.create_task(examples.wait_for_good(task_id))
        serve = next(one for one in fleet.programs if one.name == "serve0")
        assert await asyncio.to_thread(serve.stop) == 0
        await asyncio.to_thread(fleet.serve, "--listen", fleet.address)
        (fleet.folder / "go").touch()
        return await waiting

    result = asyncio.run(restart(asyncio.run(start())))
    assert result.completed
    assert "anager" in capsys.readouterr().out  # that it was lost
