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
        colon = ""  # an IPv6 address without brackets: where it ends is anybody's guess
    # Nobody's port has more than 5 digits; int() would take a million of them.
    known = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= PORT_MAX
    if not (colon and host and known):
        raise InvalidInputError(
            "listen",
            f"{address!r} is not an address: HOST:PORT, the port from 0 to 65535, "
            "an IPv6 address in brackets.",
        )
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine can reach `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_local(address: str) -> bool:
    """Whether only this machine can dial `address` (`host:port`)."""
    return is_loopback(_host(address))


def dial_addresses(listened: str, own: Callable[[], Sequence[str]]) -> tuple[str, ...]:
    """What agents may dial where the manager listens on `listened` (`host:port`), the likeliest
    first: of one that means all addresses of this machine, each of them.

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
