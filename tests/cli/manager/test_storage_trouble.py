"""Results that cannot be stored: commands say so on stderr, once, and once when they can again."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.script import scripted
from tui_manager.cli.main import main
from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes

FULL = "The disk is full; free some space."
SAID = f"tui-manager: results cannot be stored now: {FULL} The hosts keep them until then."
AGAIN = "tui-manager: results can be stored again"
DONE = "tui-manager: 1 completed"

Capture = pytest.CaptureFixture[str]
Script = Callable[[FakeOperator], Awaitable[None]]


def fails(operator: FakeOperator, error: str) -> None:
    """The manager's figures of now."""
    operator.health = replace(operator.health, storage_error=error)
    operator.publish(Changes(manager=True))


async def until_said(capsys: Capture, operator: FakeOperator, words: str) -> list[str]:
    """The lines on stderr, once the words are among them."""
    said = ""
    while words not in said:
        said += capsys.readouterr().err
        await operator.a_moment()
    return said.splitlines()


def run(connect_to: Connect, script: Script, *options: str) -> int:
    operators: list[FakeOperator] = []
    connect_to(lambda: scripted(operators, script, "web01"))
    return main(["run", "web01", *options, "--", "true"])


@pytest.mark.parametrize("options", [(), ("--json",), ("--gather",)])
def test_run_says_it_once_and_when_it_is_over(
    connect_to: Connect, capsys: Capture, options: tuple[str, ...]
) -> None:
    said: list[str] = []

    async def script(operator: FakeOperator) -> None:
        while not operator.calls.count("get_task_progress"):
            await operator.a_moment()
        for _ in range(3):
            fails(operator, FULL)
            said.extend(await until_said(capsys, operator, "" if said else FULL))
        fails(operator, "")
        said.extend(await until_said(capsys, operator, "again"))
        operator.end_on("web01")

    assert run(connect_to, script, *options) == 0
    assert said == [SAID, AGAIN]


def test_a_task_that_ends_meanwhile_was_stored(connect_to: Connect, capsys: Capture) -> None:
    async def script(operator: FakeOperator) -> None:
        while not operator.calls.count("get_task_progress"):
            await operator.a_moment()
        fails(operator, FULL)
        assert await until_said(capsys, operator, FULL) == [SAID]
        operator.end_on("web01")

    assert run(connect_to, script) == 0
    assert capsys.readouterr().err.splitlines() == [AGAIN, DONE]


def test_what_cannot_be_read_is_waited_for(connect_to: Connect, capsys: Capture) -> None:
    async def script(operator: FakeOperator) -> None:
        operator.failure = StorageError(FULL)
        operator.say("web01", "one\n")
        assert await until_said(capsys, operator, FULL) == [SAID]
        operator.failure = None
        operator.end_on("web01")

    assert run(connect_to, script) == 0
    out, err = capsys.readouterr()
    assert out == "web01: one\n"
    assert err.splitlines() == [AGAIN, DONE]


@pytest.mark.parametrize(
    "arguments",
    [
        *(["hosts"], ["hosts", "--json"], ["task", "list"], ["task", "show", "1"]),
        *(["managers"], ["managers", "--json"]),
    ],
)
def test_lists_say_it_beside_what_they_show(
    connect_to: Connect, capsys: Capture, arguments: list[str]
) -> None:
    operator = FakeOperator("web01")
    connect_to(lambda: operator)
    assert main(["run", "web01", "--no-start", "--", "true"]) == 0
    capsys.readouterr()
    assert main(arguments) == 0
    whole, said = capsys.readouterr()
    assert said == ""
    operator.health = replace(operator.health, storage_error=FULL)
    assert main(arguments) == 0
    assert capsys.readouterr() == (whole, f"{SAID}\n")
