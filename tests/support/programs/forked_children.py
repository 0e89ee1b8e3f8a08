"""Forks the child programs of an agent that was forked itself: see `program_forker.py`.

To import what enrols a host or renews its certificate takes ten times as long as its work.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from unittest.mock import patch

from tui_manager_agent.cli import main
from tui_manager_agent.identity import child_process
from tui_manager_agent.supervisor import record

from tests.support.programs.program_forker import CHILD
from tests.support.programs.warm_programs import ask_for_fork, read_number, umask_now

_STDERR = 2


def fork_from_now_on(control: socket.socket) -> None:
    """This agent forks its children, and does not start again once its host has enrolled.

    Args:
        control: leads to the process that forks them.
    """
    patch.object(child_process, "ask", partial(_ask, control)).start()
    patch.object(child_process, "ask_and_block", partial(_ask_and_block, control)).start()
    join = main._join
    patch.object(main, "_join", lambda chosen, token, _: join(chosen, token, False)).start()


async def _ask(
    control: socket.socket, module: str, *arguments: str, order: dict[str, str]
) -> dict[str, str]:
    child = _Child(control, module, *arguments)
    try:
        return await asyncio.to_thread(child.answer, order, child_process.ANSWER_WITHIN)
    finally:
        child.kill()


def _ask_and_block(
    control: socket.socket,
    module: str,
    *arguments: str,
    order: dict[str, str],
    within: float = child_process.ANSWER_WITHIN,
    on_start: Callable[[Callable[[], None]], None],
) -> dict[str, str]:
    child = _Child(control, module, *arguments)
    try:
        on_start(child.kill)
        return child.answer(order, within)
    finally:
        child.kill()


class _Child:
    """A child program, which reads its stdin and writes its stdout on one socket."""

    def __init__(self, control: socket.socket, module: str, *arguments: str) -> None:
        self._module = module
        self._stream, theirs = socket.socketpair()
        asked = {
            "program": CHILD,
            "arguments": [module, *arguments],
            "environment": {**os.environ, "GRPC_VERBOSITY": "NONE"},
            "umask": umask_now(),
            "folder": "/",
            "file": "",
            "terminal": False,
            "inside": 0,
        }
        with theirs:
            streams = [theirs.fileno(), theirs.fileno(), _STDERR]
            self._pid, self._status = ask_for_fork(control, asked, streams)
        self._has_ended = False

    def answer(self, order: dict[str, str], within: float) -> dict[str, str]:
        """Its answer to the order. Raises ChildError."""
        said = b""
        self._stream.settimeout(within)
        self._status.settimeout(within)
        try:
            with suppress(ConnectionError), self._stream.makefile("rb") as stdout:
                self._stream.sendall(record.encode(order))
                self._stream.shutdown(socket.SHUT_WR)
                said = stdout.read()
            status = read_number(self._status)
        except TimeoutError as error:
            raise child_process._too_late(self._module, within) from error
        self._has_ended = True
        return child_process._answer(self._module, said, status)

    def kill(self) -> None:
        """Ends it, unless it has ended."""
        if not self._has_ended:
            os.kill(self._pid, signal.SIGKILL)
