"""A hook gets the event on stdin, and is killed with all its processes."""

import asyncio
import contextlib
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.waiting import wait_until
from tui_manager.domain.manager.notification import Answer, Event, Hook, Outcome
from tui_manager.receivers.hook_program import HookProgram

BODY = json.dumps({"id": "1", "event": "task_failed", "more": "x" * 200_000}).encode()
LONG = timedelta(minutes=5)
SHORT = timedelta(milliseconds=300)


def hook(folder: Path, script: str, limit: timedelta = LONG, *arguments: str) -> HookProgram:
    path = folder / "hook"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    program = (str(path), *arguments)
    made = Hook("page", program, (Event.TASK_FAILED,), time_limit=limit)
    environment = {"PATH": os.environ["PATH"], "TUI_MANAGER_DATABASE": "s3cret", "LANG": "C"}
    return HookProgram(made, environment)


async def send(program: HookProgram, body: bytes = BODY) -> Answer:
    return await program.send("task_failed", "the-id", body)


async def test_a_hook_gets_arguments_event_and_environment(tmp_path: Path) -> None:
    script = f'cat > {tmp_path}/body; echo "$1 $TUI_MANAGER_EVENT $TUI_MANAGER_EVENT_ID" \
        "$TUI_MANAGER_DATABASE" "$LANG" > {tmp_path}/said'
    answer = await send(hook(tmp_path, script, LONG, "--team=ops $(id)"))
    assert answer == Answer(Outcome.DELIVERED, "exit status 0")
    assert (tmp_path / "body").read_bytes() == BODY
    assert (tmp_path / "said").read_text() == "--team=ops $(id) task_failed the-id  C\n"


def test_a_program_that_cannot_be_executed_is_told_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hook(tmp_path, "exit 0")
    assert not caplog.messages
    (tmp_path / "hook").chmod(0o644)
    for path in (tmp_path / "hook", tmp_path / "missing", tmp_path):
        HookProgram(Hook("page", (str(path),), (Event.TASK_FAILED,)))
    assert caplog.messages == ["the program of a hook is missing, or cannot be executed"] * 3


async def test_a_hook_need_not_read_what_it_is_given(tmp_path: Path) -> None:
    assert (await send(hook(tmp_path, "exec <&-; exit 0"))).outcome is Outcome.DELIVERED


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("echo no pager >&2; echo more >&2; exit 3", "exit status 3: no pager"),
        ("printf '\\033[31mred' >&2; exit 1", "exit status 1: red"),
        ("kill -9 $$", "killed by SIGKILL"),
        ("head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1", "exit status 1: xxx"),
    ],
)
async def test_a_failure_says_why(tmp_path: Path, script: str, answer: str) -> None:
    found = await send(hook(tmp_path, script))
    assert found.outcome is Outcome.FAILED
    assert found.text.startswith(answer)
    assert len(found.text) <= 300


async def test_a_hook_can_refuse_an_event_for_good(tmp_path: Path) -> None:
    assert (await send(hook(tmp_path, "exit 65"))).outcome is Outcome.REFUSED


async def test_a_program_that_is_missing_is_a_failure(tmp_path: Path) -> None:
    missing = HookProgram(Hook("page", (str(tmp_path / "no"),), ()))
    found = await send(missing)
    assert found == Answer(Outcome.FAILED, "it cannot be started: No such file or directory")


async def test_no_try_leaves_a_descriptor_open(tmp_path: Path) -> None:
    ways = (
        HookProgram(Hook("page", (str(tmp_path / "no"),), ())),
        hook(tmp_path, "echo bad >&2; exit 1"),
    )
    for way in ways:
        await send(way)  # the first one may open what stays
        before = os.listdir("/proc/self/fd")
        for _ in range(3):
            assert (await send(way)).outcome is Outcome.FAILED
        assert len(os.listdir("/proc/self/fd")) <= len(before)


async def test_a_manager_without_descriptors_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", full)
    answer = await send(hook(tmp_path, "exit 0"))
    assert answer.text == "it cannot be started: Too many open files"


async def test_a_background_process_does_not_delay_the_answer(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/pid; echo bad >&2; exit 1"
    try:
        assert (await send(hook(tmp_path, script))).text == "exit status 1: bad"
        assert psutil.pid_exists(int((tmp_path / "pid").read_text()))  # it was left alone
    finally:
        os.kill(int((tmp_path / "pid").read_text()), 9)


# Writes its process id, ignores SIGTERM, and leaves children, one of which has left its session.
HANGS = """
trap '' TERM
setsid sh -c 'echo $$ >> {pids}; (trap "" TERM; sleep 600) & echo $! >> {pids}; wait' &
sleep 600 & echo $! >> {pids}
echo $$ >> {pids}
sleep 600
"""


async def _pids(path: Path) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(line) for line in path.read_text().split()]
    return []


def _alive(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


async def test_a_hook_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hanging = hook(tmp_path, HANGS.format(pids=pids), timedelta(seconds=2))
    assert await send(hanging) == Answer(Outcome.FAILED, "it was killed after 2s")
    assert _alive(await _pids(pids)) == []


async def test_a_hook_is_killed_when_its_try_is_cancelled(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    running = asyncio.ensure_future(send(hook(tmp_path, HANGS.format(pids=pids))))

    async def look() -> list[int]:
        return await _pids(pids)

    found = await wait_until(look, lambda seen: len(seen) == 4)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert _alive(found) == []


async def test_a_hook_is_killed_when_its_try_is_cancelled_while_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    go_on = asyncio.Event()
    start = asyncio.create_subprocess_exec

    async def start_slowly(*arguments: Any, **given: Any) -> asyncio.subprocess.Process:
        process = await start(*arguments, **given)
        await go_on.wait()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_slowly)
    running = asyncio.ensure_future(send(hook(tmp_path, HANGS.format(pids=pids))))
    found = await wait_until(lambda: _pids(pids), lambda seen: len(seen) == 4)
    running.cancel()
    await asyncio.sleep(0)  # the try hears of it
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert _alive(found) == []


async def test_a_hook_that_reads_nothing_of_a_long_event_is_killed(tmp_path: Path) -> None:
    found = await send(hook(tmp_path, "sleep 600", SHORT))
    assert found.text == "it was killed after 300ms"
