"""Why there was no TLS with the manager, in words; gRPC gives only OpenSSL's."""

from tui_manager_agent.identity.credentials import Credentials
from tui_manager_agent.link.reconnect import Ending, StreamEnd

_AGAIN = "enrol again with a new --join-token"
_UNTRUSTED = (  # what gRPC's text holds, and what that means; the first that is found
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
            f"its operator has changed that, {_AGAIN}",
        )
        for text in ("CERTIFICATE_VERIFY_FAILED", "certificate signature failure")
    ),
)


def explain(detail: str, credentials: Credentials) -> StreamEnd:
    """How a dial ended that came to nothing, from the text that gRPC gives."""
    for text, meaning in _UNTRUSTED:
        if text in detail:
            return StreamEnd(Ending.UNTRUSTED, meaning)
    if "Tls handshake failed" in detail or "Ssl handshake failed" in detail:
        return StreamEnd(Ending.UNTRUSTED, detail)
    if credentials.ended:  # the manager hangs up without a word, or is away
        ended = f"this host's certificate ended on {credentials.end}; {_AGAIN}"
        return StreamEnd(Ending.CERTIFICATE_ENDED, ended)
    if not credentials.begun:
        early = (
            f"this host's certificate begins on {credentials.beginning}, later than this host's "
            "clock says; one of the two clocks is or was wrong"
        )
        return StreamEnd(Ending.CERTIFICATE_ENDED, f"{early}; {detail}")
    return StreamEnd(Ending.UNREACHABLE, detail)
