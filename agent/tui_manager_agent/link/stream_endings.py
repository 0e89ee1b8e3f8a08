"""How a stream or a dial ended, in the words that the owner of the host reads."""

from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.identity.credentials import Credentials

_COME_BACK = "to come back it needs a new --state-dir and a new --join-token"
_ENROL_AGAIN = "enrol again with a new --join-token"
_NOTHING_LISTENS = "Connection refused"  # of the system, within gRPC's text
_UNTRUSTED = (  # a part of gRPC's text, and its meaning; the first that is found counts
    (
        "certificate has expired",
        "the manager's certificate has ended by this host's clock; one of the two clocks may be "
        "wrong",
    ),
    (
        "certificate is not yet valid",
        "the manager's certificate is not valid yet by this host's clock; one of the two clocks "
        "may be wrong",
    ),
    (
        "Hostname Verification Check failed",
        "the manager's certificate is made out for another name",
    ),
    ("WRONG_VERSION_NUMBER", "it speaks no TLS, as a manager does that runs with --insecure"),
    *(
        (
            text,
            "the manager's certificate is not signed by the authority this host enrolled with; if "
            f"its operator has changed that, {_ENROL_AGAIN}",
        )
        for text in ("CERTIFICATE_VERIFY_FAILED", "certificate signature failure")
    ),
)


class Ending(StrEnum):
    """Why a stream or a dial ended."""

    UNREACHABLE = "the manager does not answer"
    BROKEN = "the stream broke"
    CLOSED = "the manager ended the stream"
    BAD_WELCOME = "the manager did not answer as the protocol demands"
    WRONG_MANAGER = (
        "this is not the manager that this agent belongs to (a host that moves to another manager "
        "needs a new --state-dir)"
    )
    SHUTTING_DOWN = "the manager shuts down"
    REPLACED = "a newer session took over"
    OVERLOADED = "the manager has too much to do"
    NO_DATABASE = "the manager cannot use its database"
    PROTOCOL_ERROR = "the manager did not understand this agent"
    PROTOCOL_VERSION = "this agent and the manager speak different versions"
    DUPLICATE_IDENTITY = "another live agent has this identity"
    NAME_TAKEN = "another known host has this name"
    INVALID_HELLO = "the manager refuses this agent's name, labels or ids"
    REJECTED = f"the operator rejected this host ({_COME_BACK})"
    REVOKED = f"the operator revoked this host ({_COME_BACK})"
    UNTRUSTED = "the server that answers cannot prove that it is the manager"
    CERTIFICATE_ENDED = "the manager accepts no host without a valid certificate"
    WRONG_PIN = "the server that answers is not the manager that made the join token"
    BAD_TOKEN = "the manager does not take the join token"
    KEY_REFUSED = f"the manager does not take this host's key ({_COME_BACK})"
    ENROLMENT_FAILED = "the enrolment failed"


# Dialing again would not help, at no address: all managers of a database know the same hosts.
FATAL = frozenset(
    {
        Ending.NAME_TAKEN,
        Ending.INVALID_HELLO,
        Ending.REJECTED,
        Ending.REVOKED,
        Ending.BAD_TOKEN,
        Ending.KEY_REFUSED,
    }
)
# The same, but only of this address: it may be that of another manager, or of a newer one.
FATAL_FROM_ALL = frozenset({Ending.WRONG_MANAGER, Ending.PROTOCOL_VERSION, Ending.WRONG_PIN})
# Another address would give the same answer, so the pause that it asks for is for all of them. Not
# so DUPLICATE_IDENTITY: after a restart of the host, the manager that it was connected to knows
# first that the old agent is gone.
SAME_FROM_ALL = frozenset({Ending.REPLACED, Ending.PROTOCOL_ERROR})


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The end of one stream.

    Attributes:
        detail: the reason from the other side or the system.
        retry_after: seconds, at the earliest.
        was_steady: the stream lasted for long enough to reset the pauses.
    """

    ending: Ending
    detail: str = ""
    retry_after: float = 0.0
    was_steady: bool = False

    @property
    def nothing_listens(self) -> bool:
        """Whether the machine of the manager has answered that no program listens there."""
        return self.ending is Ending.UNREACHABLE and _NOTHING_LISTENS in self.detail


class RefusedByManagerError(Exception):
    """Dialling again will not help; the text is for the host's owner."""


def ending_of(disconnect: wire.Disconnect, *, was_steady: bool) -> StreamEnd:
    """How the manager ended the stream. A newer manager may give a reason that is not known
    here."""
    found = wire.DisconnectReason.DESCRIPTOR.values_by_number.get(disconnect.reason)
    name = found.name.removeprefix("DISCONNECT_REASON_") if found else ""
    return StreamEnd(
        ending=Ending.__members__.get(name, Ending.CLOSED),
        detail=disconnect.detail,
        retry_after=disconnect.retry_after.ToNanoseconds() / 1e9,
        was_steady=was_steady,
    )


def explain_failed_dial(detail: str, credentials: Credentials) -> StreamEnd:
    """Why there was no TLS with the manager, from the text that gRPC gives, which is OpenSSL's."""
    for text, meaning in _UNTRUSTED:
        if text in detail:
            return StreamEnd(Ending.UNTRUSTED, meaning)
    if "Tls handshake failed" in detail or "Ssl handshake failed" in detail:
        return StreamEnd(Ending.UNTRUSTED, detail)
    if credentials.ended:  # the manager closes the connection, or does not answer
        ended = f"this host's certificate ended on {credentials.end}; {_ENROL_AGAIN}"
        return StreamEnd(Ending.CERTIFICATE_ENDED, ended)
    if not credentials.begun:
        early = (
            f"this host's certificate begins on {credentials.beginning}, later than this host's "
            "clock says; one of the two clocks is or was wrong"
        )
        return StreamEnd(Ending.CERTIFICATE_ENDED, f"{early}; {detail}")
    return StreamEnd(Ending.UNREACHABLE, detail)


def describe(end: StreamEnd) -> str:
    """Why the stream ended, as a sentence for the host's owner."""
    text = f"{end.ending.value}: {end.detail}" if end.detail else end.ending.value
    return text[0].upper() + text[1:]
