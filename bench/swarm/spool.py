"""What a supervisor would have written of an emulated execution, in memory."""

from pathlib import Path

from tui_manager_agent.executions import result
from tui_manager_agent.journal.spool import Spool
from tui_manager_agent.supervisor import clock, record

from bench.swarm.work import Outcome, output

BOOT_ID = "emulated"
_NOWHERE = Path("/nonexistent")


class PretendSpool(Spool):
    """The agent's `Execution` reads it as it would read an execution's folder."""

    def __init__(self, execution_id: str, outcome: Outcome) -> None:
        super().__init__(_NOWHERE)
        self.execution_id = execution_id
        self.outcome = outcome
        self._began = 0
        self._printed = 0
        self._result: dict[str, str] = {}

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

    def _end(self, status: str, reason: str = "", detail: str = "", **more: object) -> None:
        if self._began:
            more["at"] = self._began
            more["duration"] = clock.now() - self._began
        fields = result.of_the_agent(
            BOOT_ID, status, reason, detail, stdout_stored=self._printed, **more
        )
        self._result = {key: str(value) for key, value in fields.items()}

    def started(self, boot_id: str) -> int:
        """See Spool."""
        return self._began

    def result(self) -> dict[str, str]:
        """See Spool."""
        return self._result

    def size(self, stream: str) -> int:
        """See Spool."""
        return self._printed if stream == record.STDOUT else 0

    def read(self, stream: str, offset: int, length: int) -> bytes:
        """See Spool."""
        return output(self.execution_id, min(length, self._printed - offset), offset)
