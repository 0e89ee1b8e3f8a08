"""Commands that are under way when a stream breaks: the next Hello names them, or they never
start."""

import asyncio
import os
import signal
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, cast

from grpc import aio
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.link.link import Link, MessageHandlers
from tui_manager_agent.link.stream_endings import Ending
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_manager import FakeManager

COMMANDS = 20


async def test_what_the_next_hello_does_not_name_never_begins(
    manager: FakeManager, agent: AgentProcess, tmp_path: Path
) -> None:
    """The stream breaks while the agent stands still with commands in front of it."""
    trace = tmp_path / "trace"
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        sent = [str(uuid.uuid4()) for _ in range(COMMANDS)]
        for execution_id in sent:
            manager.run(f"echo {execution_id} >> {trace}", execution_id=execution_id)
        await manager.all_sent()
        await manager.stop()
        await manager.start()
    finally:
        os.kill(agent.pid, signal.SIGCONT)
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    held = {execution.execution_id for execution in manager.hellos[1].executions}
    for execution_id in sent:
        if execution_id in held:
            assert (await manager.result(execution_id)).status == wire.RESULT_STATUS_COMPLETED
        else:
            manager.cancel(execution_id, wire.CANCEL_MODE_ONLY_IF_NOT_STARTED)
            result = await manager.result(execution_id)
            assert result.status == wire.RESULT_STATUS_CANCELED
            assert not result.HasField("duration")
    begun = Counter(trace.read_text().split() if trace.exists() else ())
    assert begun == Counter(held)


class _Call:
    """A stream whose first message is a Welcome, then come two commands; writing fails."""

    def __init__(self) -> None:
        runs = [wire.RunCommand(execution_id=str(number)) for number in range(2)]
        self._messages = [
            wire.ManagerMessage(welcome=wire.Welcome()),
            *(wire.ManagerMessage(run_command=run) for run in runs),
        ]
        self.canceled = asyncio.Event()

    async def write(self, message: wire.AgentMessage) -> None:
        if not message.HasField("hello"):
            raise asyncio.InvalidStateError

    async def read(self) -> wire.ManagerMessage:
        if self.canceled.is_set():
            raise asyncio.CancelledError
        return self._messages.pop(0)

    def cancel(self) -> None:
        self.canceled.set()


async def test_a_stream_that_breaks_ends_only_when_what_it_brought_is_taken_in() -> None:
    """The next Hello, which is said after it, then names that."""
    call, taken, go_on = _Call(), list[str](), asyncio.Event()

    async def take(run: wire.RunCommand) -> None:
        await call.canceled.wait()
        await go_on.wait()
        taken.append(run.execution_id)

    def welcome(_: wire.Welcome) -> MessageHandlers:
        return {"run_command": take}

    link = Link("", Outbox(), wire.Vitals, welcome, credentials=None)
    talking = asyncio.create_task(
        link._exchange(cast("aio.StreamStreamCall[Any, Any]", call), wire.Hello())
    )
    await call.canceled.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not talking.done()
    go_on.set()
    assert (await talking).ending is Ending.BROKEN
    assert taken == ["0"]
