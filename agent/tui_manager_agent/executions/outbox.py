"""What waits to be said to the manager: which executions have news, gathered into reports."""

import asyncio

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions.execution import Execution

AGAIN = 2.0  # seconds until output is looked at again that could not be read
WINDOW = 1024 * 1024  # bytes of one execution under way, unless the manager says otherwise
REPORT = 768 * 1024  # bytes of a report, unless the manager's limit on messages is tighter


class Outbox:
    """Executions with news, in turn, each once."""

    def __init__(self) -> None:
        self._window = WINDOW
        self._limit = REPORT
        self._waiting: dict[str, Execution] = {}
        self._later: set[str] = set()
        self._news = asyncio.Event()

    def put(self, execution: Execution) -> None:
        """Something about an execution may have changed."""
        self._waiting[execution.id] = execution
        self._news.set()

    def drop(self, execution: Execution) -> None:
        """Nothing more is to be said about an execution."""
        self._waiting.pop(execution.id, None)
        self._later.discard(execution.id)

    def apply(self, *, window: int, max_message: int) -> None:
        """Takes the manager's limits in bytes, 0 for the usual ones; ends a wait under old ones.

        Args:
            window: of one execution, under way unacknowledged.
            max_message: of one message; half of it is left for what surrounds the output.
        """
        self._window = window or WINDOW
        self._limit = min(REPORT, max_message // 2) if max_message else REPORT
        self._news.set()

    def wake(self) -> None:
        """Ends a wait: there is something to say that does not lie here."""
        self._news.set()

    async def wait(self) -> None:
        """Until somebody has news."""
        await self._news.wait()

    def report(self) -> wire.Report:
        """What can be said now, a chunk of each execution in turn, up to the limit."""
        report = wire.Report()
        budget = self._limit
        while self._waiting and budget > 0:
            execution = self._waiting.pop(next(iter(self._waiting)))
            used = execution.tell(report, budget, self._window)
            budget -= used
            if used:
                self._waiting[execution.id] = execution
            elif execution.unread:
                self._put_later(execution)
        if not self._waiting:
            self._news.clear()
        return report

    def _put_later(self, execution: Execution) -> None:
        if execution.id not in self._later:
            self._later.add(execution.id)
            asyncio.get_running_loop().call_later(AGAIN, self._put_again, execution)

    def _put_again(self, execution: Execution) -> None:
        if execution.id in self._later:
            self._later.remove(execution.id)
            self.put(execution)
