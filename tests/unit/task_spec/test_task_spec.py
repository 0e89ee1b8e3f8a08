"""What is checked of a step with a script or with stdin before its task is created."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.script_and_stdin import (
    CONTENT_LENGTH,
    CONTENTS_LENGTH,
    FIRST_LINE_LENGTH,
    Content,
    content_of,
)
from tui_manager.domain.task_spec.task_spec import NAME_LENGTH, CommandSpec, TaskSpec
from tui_manager.domain.task_spec.text_and_variables import COMMAND_LENGTH

SCRIPT = content_of(b"#!/bin/sh\necho hello\n")
LARGEST = content_of(b"#!/bin/sh\n".ljust(CONTENT_LENGTH, b"#"))


def step(script: bytes | Content = SCRIPT, **given: object) -> CommandSpec:
    """A step with a script."""
    content = content_of(script) if isinstance(script, bytes) else script
    return replace(CommandSpec("", script=content), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "command",
    [
        step(),
        step(LARGEST, stdin=LARGEST),
        step(b"#!/usr/bin/env -S python3 -u"),
        step(b"#! /bin/sh -e\n"),
        step(b"#!/bin/sh\n\xff\0\r\n"),  # what follows the first line is the program's business
        step(b"#!/" + b"x" * (FIRST_LINE_LENGTH - 3) + b"\n"),
        step(arguments=("", "two words", "--flag", "$HOME", "ü" * (COMMAND_LENGTH // 2))),
        step(arguments=("",) * 100_000),
        CommandSpec("cat", stdin=content_of(b"")),
    ],
    ids=lambda command: command.title[:20],
)
def test_a_step_that_a_host_can_run_is_accepted(command: CommandSpec) -> None:
    command.check()


@pytest.mark.parametrize(
    ("command", "field", "message"),
    [
        (step(text="true"), "script", "a command or a script, not both"),
        (step(b""), "script", "must name the program that runs it.* is ''"),
        (step(b"echo hello\n"), "script", "is 'echo hello'"),
        (step(b"\xef\xbb\xbf#!/bin/sh\n"), "script", "must name the program"),
        (step(b"x" * 5000), "script", "is 'x{80}'"),
        (step(b"\n#!/bin/sh\n"), "script", "is ''"),
        (step(b"#! \t\n"), "script", "must name the program"),
        (step(b"#!/bin/sh\r\necho hello\r\n"), "script", "carriage return, as in files of Windows"),
        (step(b"#!/" + b"x" * FIRST_LINE_LENGTH), "script", "at most 255 bytes"),
        (step(b"#!/bin/\0sh\n"), "script", "no NUL"),
        (step(LARGEST.data + b"#"), "script", "has 1048577 bytes; at most 1048576"),  # type: ignore[operator]
        (step(Content(1, "0" * 64)), "script", "bytes of the script are missing"),
        (CommandSpec("cat", stdin=Content(1, "0" * 64)), "stdin", "bytes of the stdin are missing"),
        (
            CommandSpec("cat", stdin=content_of(bytes(CONTENT_LENGTH + 1))),
            "stdin",
            "The stdin has 1048577 bytes",
        ),
        (CommandSpec("true", arguments=("x",)), "arguments", "Only a script has arguments"),
        (step(arguments=("a\0b",)), "arguments", "NUL"),
        (step(arguments=("\udc80",)), "arguments", "UTF-8"),
        (step(arguments=("ü" * COMMAND_LENGTH,)), "arguments", "longer than 131071 bytes"),
        (step(arguments=("x" * 131_000,) * 9), "arguments", "together are longer than 1048576"),
        (step(arguments=("",) * 200_000), "arguments", "together are longer than 1048576"),
        (
            step(arguments=("x" * 131_000,) * 7, environment={"A": "x" * 131_000, "B": "x" * 9999}),
            "env",
            "longer than 1048576 bytes",
        ),
        (step(name="x" * (NAME_LENGTH + 1)), "name", "at most 200 characters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_step_that_no_host_can_run_is_refused(
    command: CommandSpec, field: str, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        command.check()
    assert caught.value.field == field


def test_a_task_that_is_run_again_has_its_bytes_stored() -> None:
    without = CommandSpec("", script=Content(9, "0" * 64), stdin=Content(9, "1" * 64))
    TaskSpec("@all", (without,)).check(stored=True)
    with pytest.raises(InvalidInputError, match="has 1048577 bytes"):
        TaskSpec("@all", (step(Content(CONTENT_LENGTH + 1, "0" * 64)),)).check(stored=True)


def test_the_contents_of_all_steps_together_are_bounded() -> None:
    most = CONTENTS_LENGTH // CONTENT_LENGTH
    TaskSpec("@all", (step(LARGEST),) * most).check()
    TaskSpec("@all", (step(LARGEST, stdin=LARGEST),) * (most // 2)).check()
    more = (*(step(LARGEST),) * most, CommandSpec("cat", stdin=content_of(b"x")))
    with pytest.raises(InvalidInputError, match=f"have {CONTENTS_LENGTH + 1} bytes; at most"):
        TaskSpec("@all", more).check()


@pytest.mark.parametrize(
    ("command", "title"),
    [
        (CommandSpec("\n  uptime\ndate"), "uptime"),
        (CommandSpec("uptime", name="Look"), "Look"),
        (step(name="deploy.sh"), "deploy.sh"),
        (step(), f"script {SCRIPT.sha256[:12]}"),
    ],
)
def test_a_task_without_a_name_is_called_like_its_first_step(
    command: CommandSpec, title: str
) -> None:
    assert TaskSpec("@all", (command, CommandSpec("later"))).shown_name == title


@pytest.mark.parametrize("make", [lambda: LARGEST, lambda: step(LARGEST)])
def test_the_bytes_are_not_in_what_is_logged(make: Callable[[], object]) -> None:
    assert len(repr(make())) < 1000
