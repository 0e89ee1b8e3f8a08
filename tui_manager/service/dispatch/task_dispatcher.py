"""How the services reach agents. The transport implements both Protocols with its sessions."""

from typing import Protocol

from tui_manager.domain.errors import Refusal
from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.domain.status import Admission


class TaskDispatcher(Protocol):
    """Hands commands and cancels to the sessions of agents."""

    def room(self, host_id: str) -> int:
        """How many more commands the session of this host takes now; 0: it has no session."""
        ...

    async def send_command_to_agent(self, host_id: str, run: Run) -> None:
        """Hands one command to the host's session, which sends it in order.

        Raises:
            AgentUnavailableError: the host has no session, or its queue is full. The command has
                not left the manager.
        """
        ...

    async def send_cancel_to_agent(self, host_id: str, execution_id: str) -> None:
        """Tells the host's agent to end an execution.

        Raises:
            AgentUnavailableError: the host has no session. The next one is told of the cancel when
                it resumes.
        """
        ...


class SessionControl(Protocol):
    """Brings a decision about the admission of a host to its session. A host without a session
    learns of it from the answer to its next Hello."""

    def tell_admission(self, host_id: str, admission: Admission) -> None:
        """Sends the admission to the agent of the host."""
        ...

    def end_replaced(self, host_id: str, generation: int) -> None:
        """Ends a session because the host has a newer one, with another manager."""
        ...

    def turn_away(self, host_id: str, refusal: Refusal, why: str) -> None:
        """Ends the session of the host at once; `why` is a sentence for the owner of the host."""
        ...


class AgentConnections(Protocol):
    """Sends all agents to other managers, and accepts them again later."""

    def disconnect_all(self, why: str) -> None:
        """Ends all sessions, and opens none until `accept_again`.

        Args:
            why: a sentence for the owners of the hosts.
        """
        ...

    def accept_again(self) -> None:
        """The end of `disconnect_all`."""
        ...
