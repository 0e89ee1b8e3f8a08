"""How an agent is started so that its host joins: the line to paste there."""

from collections.abc import Sequence

AGENT = "tui-manager-agent"


def join_parts(dial: str, security: str, token: str = "TOKEN") -> tuple[str, str]:
    """The line in two parts: between them it may be broken.

    Args:
        dial: where the agent dials in, `host:port`.
        security: of the manager, as its status says.
        token: what stands for the join token, or the token itself; unused without TLS.
    """
    # Without TLS all agents are on this machine, and its name can be taken once.
    admission = "--insecure --name NAME" if security == "insecure" else f"--join-token {token}"
    return f"{AGENT} run --manager {dial}", admission


def other_addresses(dials: Sequence[str]) -> str:
    """A sentence on the addresses that could stand in the line as well; empty when there are none.

    Args:
        dials: where agents may dial in, first that of the line.
    """
    if len(dials) < 2:
        return ""
    others = ", ".join(dials[1:])
    return f"This machine has other addresses, which may be the ones to dial: {others}."


def join_line(dial: str, security: str, token: str = "TOKEN") -> str:
    """The whole line."""
    return " ".join(join_parts(dial, security, token))
