"""The door to the agents: what the services ask of whoever holds the sessions."""

from typing import Protocol

from tui_manager.domain.report import Run


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
