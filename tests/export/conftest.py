"""What the tests of documents share: a task that has ended in all ways, in memory."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.cli.fake import LATER, NOW, FakeOperator
from tests.support.fake_operator.fake_operator import FakeOperator as Manager
from tui_manager.domain.presentation.export_format import Format
from tui_manager.domain.status import Reason, Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.transitions import Operation
from tui_manager.export.document import document

HOSTS = ("db01", "web01", "web02", "web03", "web04", "web05", "web06")
FINE = ("db01", "web01", "web02")
FORMULA = '=cmd|" /C calc"!A0'
BAD = b"\x1b[1;31mbad\x1b[0m \x00\xff <&>\n"


class Operator(FakeOperator):
    """Nothing runs before the test says so."""

    async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
        """Only what the manager does."""
        return await Manager.start_task(self, task_id, request_id)

    def end(  # type: ignore[override]
        self, host: str, step: int, how: Operation, reason: Reason = Reason.NONE, detail: str = ""
    ) -> None:
        """A step ends on a host, a second after it has begun."""
        execution_id = self.execution(1, host, step)
        code = {Reason.NONE: 0, Reason.EXIT_CODE: 3}.get(reason)
        if how is not Operation.SKIP:
            self.clock = NOW + timedelta(seconds=2 * step)
            self.apply(execution_id, Operation.START)
            self.clock += timedelta(seconds=1)
        self.apply(execution_id, how, reason, exit_code=code, detail=detail)


async def several_ends() -> Operator:
    """A manager with task 1, whose two steps have ended in different ways on seven hosts."""
    operator = Operator(*HOSTS)
    commands = (
        CommandSpec("systemctl restart 'nginx' && echo <ok>", name="restart"),
        CommandSpec("curl -f localhost/health"),
    )
    spec = TaskSpec("@all", commands, name="rolling <restart>", created_by="ana@pts/3")
    await operator.create_task(spec)
    await operator.start_task(1)
    for host in FINE:
        operator.end(host, 0, Operation.COMPLETE)
        operator.emit(operator.execution(1, host, 0), b"ok\n")
        operator.end(host, 1, Operation.COMPLETE)
    operator.end("web03", 0, Operation.FAIL, Reason.EXIT_CODE, FORMULA)
    operator.emit(operator.execution(1, "web03", 0), BAD)
    operator.emit(operator.execution(1, "web03", 0), b"=1+1 failed\n", Stream.STDERR)
    operator.end("web04", 0, Operation.LOSE_AGENT, Reason.AGENT_LOST)
    operator.end("web05", 0, Operation.TIME_OUT, Reason.TIMEOUT)
    operator.end("web06", 0, Operation.CONFIRM_CANCEL, Reason.CANCELED)
    for host in HOSTS[len(FINE) :]:
        operator.end(host, 1, Operation.SKIP, Reason.EARLIER_FAILED)
    return operator


@pytest.fixture
def operator() -> Operator:
    """See `several_ends`."""
    return asyncio.run(several_ends())


def exported(operator: FakeOperator, wanted: Format) -> str:
    """The document of task 1."""

    async def read() -> str:
        now = LATER + timedelta(minutes=5)
        return "".join([piece async for piece in document(operator, 1, wanted, now)])

    return asyncio.run(read())
