"""How far the work on a host has come, for those who wait and for those who interrupt it. A file of
its own, because the work, the printing and an interrupt share it."""

from enum import StrEnum
from typing import Protocol

from tui_manager.agent_install.ssh.ssh_targets import SshTarget


class Stage(StrEnum):
    """How far it has come; the words are for people."""

    WAITING = "waits for its turn"
    CONNECTING = "connecting"
    LOOKING = "looking at the host"
    SENDING = "sending the agent"
    SETTING_UP = "setting up the agent"
    STARTED = "waiting for the agent"
    REMOVING = "removing the agent"

    @property
    def left_behind(self) -> str:
        """What is on the host if the work ends here."""
        match self:
            case Stage.WAITING | Stage.CONNECTING | Stage.LOOKING:
                return "nothing was changed there"
            case Stage.SENDING:
                return "nothing was started there; files of the agent may be there"
            case Stage.SETTING_UP:
                return "the agent is there, and may have been started"
            case Stage.STARTED:
                return "the agent is there and was started, and nobody waited for it"
            case Stage.REMOVING:
                return "a part of the agent may be there"


class Report(Protocol):
    """Is told how far the work on a host has come."""

    def __call__(self, target: SshTarget, stage: Stage, detail: str = "") -> None: ...
