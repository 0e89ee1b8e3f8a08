"""The text that the pager gets."""

import asyncio
import shutil
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.text.safe_text import SafeTextDecoder
from tui_manager.operator.api import OutputChunk
from tui_manager.ui.output.actions import output_actions
from tui_manager.ui.output.actions import pager as pager_module
from tui_manager.ui.output.actions.pager import pager, text_file
from tui_manager.ui.output.output_reader import Source
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
    fleet, read = await two_hosts(), list[int]()
    async with text_file(fleet, Source(1), read.append, "ctrl+s") as path:
        assert path.read_text() == (
            "web01 │ one\nweb02 ┃ \x1b[31mred\x1b[0m end\nweb01 │ done\nweb01 │ open\n"
        )
        assert read == [52]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    source = Source(1, execution_id="1/0/web01")
    async with text_file(fleet, source, read.append, "ctrl+s") as path:
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
        await pilot.app.workers.wait_for_complete()
        await settle(pilot)
        assert seen[0].count("\n") == 4
        assert "It cannot be started." in shown(pilot)


async def test_too_much_output_and_a_full_disk_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet, read = await two_hosts(), list[int]()
    monkeypatch.setattr(pager_module, "TEXT_MAX", 51)
    with pytest.raises(ProgramError, match=r"than 51 B.*save it to a file with ctrl\+s"):
        async with text_file(fleet, Source(1), read.append, "ctrl+s"):
            pass
    monkeypatch.setattr(pager_module, "TEXT_MAX", 52)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ProgramError, match=r"only 1\.0 kB left.*set TMPDIR"):
        async with text_file(fleet, Source(1), read.append, "ctrl+s"):
            pass
    assert read == []


async def test_the_text_is_made_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, feed = set[int](), SafeTextDecoder.feed

    def fed(decoder: SafeTextDecoder, data: bytes | str) -> list[str]:
        threads.add(threading.get_ident())
        return feed(decoder, data)

    monkeypatch.setattr(SafeTextDecoder, "feed", fed)
    async with text_file(await two_hosts(), Source(1), lambda _: None, "ctrl+s"):
        assert threads
        assert threading.get_ident() not in threads


class SlowOutput:
    """A fleet whose output is read for the pager when the test lets it."""

    def __init__(self, fleet: FakeOperator, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits, self.go_on = asyncio.Event(), asyncio.Event()
        self.opened: list[object] = []
        self._follow = fleet.follow_output
        monkeypatch.setenv("PAGER", "less")
        monkeypatch.setattr(fleet, "follow_output", self._read)
        monkeypatch.setattr(output_actions, "run_program", lambda *words: self.opened.append(words))

    async def _read(
        self, task_id: int, after: int, host_id: str, limit: int, *of: Any
    ) -> Sequence[OutputChunk]:
        if limit == pager_module.READ and after:
            self.waits.set()
            await self.go_on.wait()
        return await self._follow(task_id, after, host_id, limit, *of)


async def test_escape_ends_the_reading(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = await two_hosts()
    slow = SlowOutput(fleet, monkeypatch)
    async with running(fleet) as pilot:
        await press(pilot, "v")
        await slow.waits.wait()
        await settle(pilot)
        assert "pager reads… 52 B, esc ends it" in shown(pilot)
        await press(pilot, "escape")
        assert "pager reads" not in shown(pilot)
        slow.go_on.set()
        await pilot.app.workers.wait_for_complete()
        assert slow.opened == []


@pytest.mark.parametrize("key", ["n", "slash"])
async def test_the_pager_does_not_open_over_what_is_typed(
    key: str, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = await two_hosts()
    slow = SlowOutput(fleet, monkeypatch)
    async with running(fleet) as pilot:
        await press(pilot, "v")
        await slow.waits.wait()
        await press(pilot, key)
        slow.go_on.set()
        await pilot.app.workers.wait_for_complete()
        await settle(pilot)
        assert slow.opened == []
        assert "The pager was not opened" in shown(pilot)
