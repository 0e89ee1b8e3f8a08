"""The door to the agents: what the services ask of whoever holds the sessions."""

from typing import Protocol

from tui_manager.domain.errors import Refusal
from tui_manager.domain.report import Run
from tui_manager.domain.status import Admission


class TaskDispatcher(Protocol):
    """Hands commands and cancels to the sessions of agents."""

    def room(self, host_id: str) -> int:
        """How many more commands the session of this host takes now; 0 when it has none."""
        ...

    async def send_command_to_agent(self, host_id: str, run: Run) -> None:
        """Hands one command to the host's session, which sends it in order.

        Raises:
            AgentUnavailableError: the host has no session, or its queue is full; the command has
                not left the manager.
        """
        ...

    async def send_cancel_to_agent(self, host_id: str, execution_id: str) -> None:
        """Tells the host's agent to end an execution.

        Raises:
            AgentUnavailableError: the host has no session; the next one learns of the cancel when
                it resumes.
        """
        ...


class SessionDoor(Protocol):
    """Tells the session of a host what became of its admission. A host without a session is told
    nothing: its next Hello is answered by what is stored."""

    def tell_admission(self, host_id: str, admission: Admission) -> None:
        """Sends the host's agent where it stands now."""
        ...

    def turn_away(self, host_id: str, refusal: Refusal, why: str) -> None:
        """Ends the host's session at once; `why` is a sentence for the host's owner."""
        ...
