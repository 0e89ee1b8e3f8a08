"""How a stream ended, and the one place that decides what follows."""

import random
from dataclasses import dataclass
from enum import StrEnum

from tui_manager_protos.v1 import agent_pb2 as wire

FIRST_PAUSE = 1.0  # seconds
LONGEST_PAUSE = 30.0  # seconds
_COME_BACK = "to come back it needs a new --state-dir and a new --join-token"


class Ending(StrEnum):
    """Why there is no stream any more."""

    UNREACHABLE = "nobody answers"
    BROKEN = "the stream broke"
    CLOSED = "the manager ended the stream"
    BAD_WELCOME = "the manager did not say what it must"
    WRONG_MANAGER = (
        "this is not the manager that this agent belongs to (a host that moves to another manager "
        "needs a new --state-dir)"
    )
    SHUTTING_DOWN = "the manager shuts down"
    REPLACED = "a newer session took over"
    OVERLOADED = "the manager has too much to do"
    PROTOCOL_ERROR = "the manager did not understand this agent"
    PROTOCOL_VERSION = "this agent and the manager speak different versions"
    DUPLICATE_IDENTITY = "another live agent has this identity"
    NAME_TAKEN = "another known host has this name"
    INVALID_HELLO = "the manager refuses this agent's name, labels or ids"
    REJECTED = f"the operator rejected this host ({_COME_BACK})"
    REVOKED = f"the operator revoked this host ({_COME_BACK})"
    UNTRUSTED = "whoever answers is not proven to be the manager"
    CERTIFICATE_ENDED = "the manager hears nobody without a valid certificate"
    WRONG_PIN = "whoever answers is not the manager that made the join token"
    BAD_TOKEN = "the manager does not take the join token"
    KEY_REFUSED = f"the manager does not take this host's key ({_COME_BACK})"
    ENROLMENT_FAILED = "the enrolment failed"


FATAL = frozenset(
    {
        Ending.WRONG_MANAGER,
        Ending.PROTOCOL_VERSION,
        Ending.NAME_TAKEN,
        Ending.INVALID_HELLO,
        Ending.REJECTED,
        Ending.REVOKED,
        Ending.WRONG_PIN,
        Ending.BAD_TOKEN,
        Ending.KEY_REFUSED,
    }
)


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The end of one stream.

    Attributes:
        detail: what the other side or the system said about it.
        retry_after: seconds, at the earliest.
        was_steady: the stream had lasted; the next pause is a first one again.
    """

    ending: Ending
    detail: str = ""
    retry_after: float = 0.0
    was_steady: bool = False


class RefusedByManagerError(Exception):
    """Dialling again will not help; the text is for the host's owner."""


def ending_of(disconnect: wire.Disconnect, *, was_steady: bool) -> StreamEnd:
    """What the manager's last word means."""
    prefix = "DISCONNECT_REASON_"
    name = wire.DisconnectReason.Name(disconnect.reason).removeprefix(prefix)
    return StreamEnd(
        ending=Ending.__members__.get(name, Ending.CLOSED),
        detail=disconnect.detail,
        retry_after=disconnect.retry_after.ToNanoseconds() / 1e9,
        was_steady=was_steady,
    )


class Reconnect:
    """Counts failures in a row, and decides."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._failures = 0

    def pause_after(self, end: StreamEnd) -> float:
        """Seconds until the next dial, with full jitter. Raises RefusedByManagerError."""
        if end.ending in FATAL:
            raise RefusedByManagerError(sentence(end))
        if end.was_steady:
            self._failures = 0
        ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        return end.retry_after + self._dice.uniform(0, ceiling)


def sentence(end: StreamEnd) -> str:
    """Why the stream ended, for the host's owner."""
    text = f"{end.ending.value}: {end.detail}" if end.detail else end.ending.value
    return text[0].upper() + text[1:]
