"""Runs a module of this package as a child program, whose memory is freed when it ends."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress

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


async def ask(module: str, *arguments: str, order: dict[str, str]) -> dict[str, str]:
    """Runs a module as a child, and returns its answer to the order.

    The order may hold secrets, and so goes through a pipe.

    Raises ChildError, OSError when there can be no child. Cancelling ends the child.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        *arguments,
        cwd="/",
        env={**os.environ, "GRPC_VERBOSITY": "NONE"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # ctrl-c is for the agent, which then ends its child
    )
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            said, _ = await process.communicate(record.encode(order))
    except TimeoutError as error:
        raise ChildError(f"{module}: no answer within {ANSWER_WITHIN:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    answer = record.decode(said)
    if process.returncode or not answer:
        raise ChildError(f"{module} ended with status {process.returncode} and no answer")
    if "problem" in answer:
        raise ProblemError(answer["problem"])
    return answer
