"""The text that the pager gets."""

import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, shown
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.output import output_actions
from tui_manager.ui.output.output_reader import Source
from tui_manager.ui.output.pager import pager, text_file
from tui_manager.ui.terminal.run_program import ProgramError


async def two_hosts() -> FakeOperator:
    fleet = FakeOperator()
    for name in ("web01", "web02"):
        fleet.add_host(name)
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    fleet.emit("1/0/web01", b"one\n10%\r20%\rdo")
    fleet.emit("1/0/web02", b"\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b[2Jend\n", Stream.STDERR)
    fleet.emit("1/0/web01", b"ne\nopen")
    return fleet


async def test_the_text_has_all_lines_with_colours_only() -> None:
    fleet = await two_hosts()
    async with text_file(fleet, Source(1)) as path:
        assert path.read_text() == (
            "web01 │ one\nweb02 ┃ \x1b[31mred\x1b[0m end\nweb01 │ done\nweb01 │ open\n"
        )
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    async with text_file(fleet, Source(1, execution_id="1/0/web01")) as path:
        assert path.read_text() == "│ one\n│ done\n│ open\n"


def test_the_pager_is_that_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "my 'own pager'")
    assert pager() == ["my", "own pager"]
    monkeypatch.setenv("PAGER", "less -S")
    assert pager() == ["less", "-S", "-R"]
    monkeypatch.setenv("PAGER", "")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProgramError, match="set PAGER"):
        pager()


async def test_the_key_gives_the_terminal_to_the_pager(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def run(_: object, words: Sequence[str]) -> int:
        seen.append(Path(words[-1]).read_text())
        raise ProgramError("It cannot be started.")

    monkeypatch.setenv("PAGER", "less")
    monkeypatch.setattr(output_actions, "run_program", run)
    async with running(await two_hosts()) as pilot:
        await press(pilot, "v")
        assert seen[0].count("\n") == 4
        assert "It cannot be started." in shown(pilot)
