"""Detects messages of other managers that did not arrive.

Each message has a number, so the next message shows that one is missing. All of them may be lost.
Then the number of transactions of a manager grows in the database without a message.
"""

from collections.abc import Mapping
from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.service.managers.messages.bridge_message import BridgeMessage


class Missing(StrEnum):
    """Why this manager does not know all that another one has told, in words for the log."""

    NOTHING = ""
    BEFORE = "another manager has started, or sends again"
    MESSAGES = "a message was lost"


@dataclass(slots=True)
class _Sender:
    """What is known of one manager.

    Attributes:
        run, number: of its newest message.
        committed: transactions of which its messages have told.
        stored: transactions that the database had at the last comparison; None: there was none.
    """

    run: str = ""
    number: int = 0
    committed: int = -1
    stored: int | None = None


class MissedMessages:
    """Compares what other managers have said with what they have done."""

    def __init__(self) -> None:
        self._senders: dict[int, _Sender] = {}

    def check(self, message: BridgeMessage) -> Missing:
        """A message has come. Says whether others before it have not: a number is missing, or it is
        the first of a run. Before that its sender may have changed what it told nobody."""
        sender = self._senders.setdefault(message.gateway, _Sender())
        if message.run != sender.run:
            sender.run, missing = message.run, Missing.BEFORE
        elif message.number <= sender.number:
            return Missing.NOTHING  # it has come twice, or late
        else:
            follows = message.number == sender.number + 1
            missing = Missing.NOTHING if follows else Missing.MESSAGES
        sender.number, sender.committed = message.number, message.committed
        return missing

    def compare(self, stored: Mapping[int, int]) -> bool:
        """Whether a manager had committed, at the last comparison, what no message has told of
        since. Each such loss is found once.

        Args:
            stored: how many transactions each other manager has committed, by its number.
        """
        missed = False
        for gateway, committed in stored.items():
            sender = self._senders.setdefault(gateway, _Sender())
            if sender.stored is not None and sender.stored > sender.committed:
                missed = True
                sender.committed = sender.stored
            sender.stored = committed
        return missed
