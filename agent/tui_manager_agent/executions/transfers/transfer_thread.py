"""One transfer that runs, and the thread in which its work runs, which may hang.

A call to a file system may not return for a long time: a network disk whose server is away, or
one that a program of the host's users serves. No thread can be ended from outside.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import field
from typing import Any, TypeVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager_agent.executions.execution import Execution
from tui_manager_agent.files.transfer_work import StopSignal, TransferWork
from tui_manager_agent.journal.order_and_result import Order
from tui_manager_agent.policy.policy import LONGEST_GRACE
from tui_manager_agent.supervisor import clock

END_WITHIN = 60.0  # seconds, beside the kill grace, for a work to end once it was told to
HANGS = "The file system does not answer, so a call of the agent to it has not ended."
_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class Transfer:
    """One transfer that runs.

    Attributes:
        started: boot-time ns.
        ending: the status for which its work was told to stop; empty: it was not.
    """

    execution: Execution
    order: Order
    stop: StopSignal = field(default_factory=StopSignal)
    started: int = 0
    ending: str = ""

    @property
    def left(self) -> float:
        """Seconds until its timeout."""
        return (self.started + self.order.timeout - clock.now()) / clock.SECOND

    @property
    def grace(self) -> float:
        """Seconds that its work has to end, once it was told to."""
        return min(self.order.kill_grace, LONGEST_GRACE) / clock.SECOND + END_WITHIN

    def end(self, status: str) -> None:
        """Tells its work to stop. The first status counts."""
        self.ending = self.ending or status
        self.stop.set()


class NoAnswerFromDiskError(Exception):
    """A thread has not ended in time: a call to the system does not return.

    Attributes:
        running: is done when the thread has ended after all.
    """

    def __init__(self, running: "asyncio.Future[Any]") -> None:
        super().__init__(HANGS)
        self.running = running
        running.add_done_callback(lambda late: late.exception())  # nobody else asks for it


def start_thread(transfer: Transfer, call: Callable[[], _T]) -> "asyncio.Future[_T]":
    """Runs a call of its work in a thread."""
    future = Future[_T]()
    name = f"transfer {transfer.execution.id}"
    # Not a thread of an executor: Python would wait for it at its end, however long that is.
    threading.Thread(target=_run, args=(call, future), name=name, daemon=True).start()
    return asyncio.wrap_future(future)


async def discard_later(
    transfer: Transfer, work: TransferWork, running: "asyncio.Future[Any]"
) -> None:
    """Removes what the work has left, as soon as a call that hung has returned."""
    await asyncio.wait((running,))
    discarding = start_thread(transfer, work.discard)
    await asyncio.wait((discarding,))
    _LOG.info(
        "its file system answers again: execution_id=%s error=%s",
        transfer.execution.id,
        discarding.exception(),
    )


def _run(call: Callable[[], _T], future: "Future[_T]") -> None:
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
