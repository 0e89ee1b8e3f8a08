"""Runs a module of this package as a child program, whose memory is freed when it ends."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tui_manager_agent.supervisor import record

ANSWER_WITHIN = 90.0  # seconds; more than the longest wait inside a child


class ChildError(Exception):
    """The child failed; the text is for the host's owner."""


class ProblemError(ChildError):
    """The child reports a problem of this host. To try again would not help."""


def answer_agent(answer: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Answers the order on stdin; called in the child. An agent that has ended needs no answer."""
    order = record.decode(sys.stdin.buffer.read())
    if order:
        with suppress(BrokenPipeError):
            record.write_all(1, record.encode(answer(order)))
    gc.freeze()  # so that the interpreter, when it ends, does not look for cycles


async def ask(module: str, *arguments: str, order: dict[str, str]) -> dict[str, str]:
    """Runs a module as a child, and returns its answer to the order.

    The order may hold secrets, and so goes through a pipe.

    Raises ChildError, OSError when there can be no child. Cancelling ends the child.
    """
    import asyncio  # not at the top: it would be half of what a child imports

    process = await asyncio.create_subprocess_exec(*_command(module, *arguments), **_options())
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            said, _ = await process.communicate(record.encode(order))
    except TimeoutError as error:
        raise _too_late(module, ANSWER_WITHIN) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _answer(module, said, process.returncode)


def ask_and_block(
    module: str,
    *arguments: str,
    order: dict[str, str],
    within: float = ANSWER_WITHIN,
    on_start: Callable[[Callable[[], None]], None],
) -> dict[str, str]:
    """As `ask`, for a thread that may block.

    Args:
        within: seconds for the answer.
        on_start: is called with what ends the child.
    """
    process = subprocess.Popen(_command(module, *arguments), **_options())
    try:
        on_start(process.kill)
        said, _ = process.communicate(record.encode(order), within)
    except subprocess.TimeoutExpired as error:
        raise _too_late(module, within) from error
    finally:
        if process.returncode is None:
            process.kill()
            process.communicate()
    return _answer(module, said, process.returncode)


def _command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command of Python, started as the agent itself was: that of a bundle has no other
    packages."""
    flags = ("-I", "-S") if sys.flags.isolated and sys.flags.no_site else ("-P",)
    return (sys.executable, *flags, "-m", module, *arguments)


def _options() -> dict[str, Any]:
    return {
        "cwd": "/",
        "env": {**os.environ, "GRPC_VERBOSITY": "NONE"},
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "start_new_session": True,  # ctrl-c is for the agent, which then ends its child
    }


def _too_late(module: str, within: float) -> ChildError:
    return ChildError(f"{module}: no answer within {within:.0f} s")


def _answer(module: str, said: bytes, status: int | None) -> dict[str, str]:
    """The answer in what a child has said. Raises ChildError."""
    answer = record.decode(said)
    if status or not answer:
        raise ChildError(f"{module} ended with status {status} and no answer")
    if "problem" in answer:
        raise ProblemError(answer["problem"])
    return answer
