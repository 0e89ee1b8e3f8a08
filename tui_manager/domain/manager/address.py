"""Addresses: where a manager listens, what its agents dial, the line that starts an agent."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from tui_manager.domain.errors import InvalidInputError

PORT_MAX = 65535
AGENT = "tui-manager-agent"


def split_address(address: str) -> tuple[str, int]:
    """Host and port of HOST:PORT; an IPv6 address stands in brackets.

    Raises:
        InvalidInputError: there is no host, or the port is not from 0 to 65535.
    """
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""  # an IPv6 address without brackets: its end is ambiguous
    # A port has at most 5 digits; int() would accept a million.
    known = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= PORT_MAX
    if not (colon and host and known):
        raise InvalidInputError(
            "listen",
            f"{address!r} is not an address: HOST:PORT, the port from 0 to 65535, "
            "an IPv6 address in brackets.",
        )
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_local(address: str) -> bool:
    """Whether only this machine can connect to `address` (`host:port`)."""
    return is_loopback(_host(address))


def dial_addresses(listened: str, own: Callable[[], Sequence[str]]) -> tuple[str, ...]:
    """The addresses to which agents can connect if the manager listens on `listened` (`host:port`),
    the likeliest first. If it listens on all addresses of this machine, these are all of them.

    Args:
        own: finds the addresses of this machine, at least one.
    """
    host = _host(listened)
    try:
        everywhere = ip_address(host).is_unspecified
    except ValueError:
        everywhere = host in ("", "*")
    if not everywhere:
        return (listened,)
    port = listened.rpartition(":")[2]
    return tuple(f"[{found}]:{port}" if ":" in found else f"{found}:{port}" for found in own())


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def join_parts(dial: str, security: str, token: str = "TOKEN") -> tuple[str, str]:
    """The line that starts an agent, in two parts; a line break may stand between them.

    Args:
        dial: the address to which the agent connects, `host:port`.
        security: of the manager, as its status says.
        token: the join token, or a placeholder for it; not used without TLS.
    """
    # Without TLS all agents run on this machine, so they cannot all have its name.
    admission = "--insecure --name NAME" if security == "insecure" else f"--join-token {token}"
    return f"{AGENT} run --manager {dial}", admission


def other_addresses(dials: Sequence[str]) -> str:
    """A sentence about other addresses that the line could contain; empty if there are none.

    Args:
        dials: addresses to which agents can connect; the first is in the line.
    """
    if len(dials) < 2:
        return ""
    others = ", ".join(dials[1:])
    return f"This machine has other addresses, which agents may have to use: {others}."


def join_line(dial: str, security: str, token: str = "TOKEN") -> str:
    """The line that starts an agent."""
    return " ".join(join_parts(dial, security, token))
