"""What a supervisor would have written of an emulated execution, in memory."""

from pathlib import Path

from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.journal.order_and_result import Result
from tui_manager_agent.supervisor import clock, record

from bench.swarm.emulated_command import Outcome, output

BOOT_ID = "emulated"
_NOWHERE = Path("/nonexistent")


class PretendSpool(ExecutionFolder):
    """The agent's `Execution` reads it as it would read an execution's folder."""

    def __init__(self, execution_id: str, outcome: Outcome) -> None:
        super().__init__(_NOWHERE)
        self.execution_id = execution_id
        self.outcome = outcome
        self._began = 0
        self._printed = 0
        self._result: Result | None = None

    def begin(self) -> None:
        """The command runs, and has printed half of what it will."""
        self._began = clock.now()
        self._printed = self.outcome.size // 2

    def complete(self) -> None:
        """It has come to its end by itself."""
        self._printed = self.outcome.size
        code = self.outcome.code
        if code:
            self._end("failed", "exit_code", exit_code=code)
        else:
            self._end("completed", exit_code=0)

    def fail(self, reason: str, detail: str) -> None:
        """It could not be run."""
        self._end("failed", reason, detail)

    def cancel(self) -> None:
        """It is killed, or never begins; what was printed until then is all."""
        self._end("canceled")

    def _end(
        self, status: str, reason: str = "", detail: str = "", exit_code: int | None = None
    ) -> None:
        self._result = Result(
            status=status,
            reason=reason,
            detail=detail,
            started=self._began,
            stored={record.STDOUT: self._printed},
            duration=clock.now() - self._began if self._began else None,
            exit_code=exit_code,
        ).ended_now(BOOT_ID)

    def started(self, boot_id: str) -> int:
        """See ExecutionFolder."""
        return self._began

    def result(self) -> Result | None:
        """See ExecutionFolder."""
        return self._result

    def size(self, stream: str) -> int:
        """See ExecutionFolder."""
        return self._printed if stream == record.STDOUT else 0

    def read(self, stream: str, offset: int, length: int) -> bytes:
        """See ExecutionFolder."""
        return output(self.execution_id, min(length, self._printed - offset), offset)
