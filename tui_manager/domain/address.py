"""Addresses that a manager listens on, and those that its agents dial."""

import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from tui_manager.domain.errors import InvalidInputError

PORT_MAX = 65535
_ELSEWHERE = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))  # nobody's


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


def own_address() -> str:
    """The address that this machine's packets to elsewhere carry; its name where there is no way
    to elsewhere."""
    for elsewhere, family in _ELSEWHERE:
        # No packet is sent: the kernel only chooses the way.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
    return socket.gethostname()


def dial_address(listened: str, own: Callable[[], str] = own_address) -> str:
    """What agents should dial where the manager listens on `listened` (`host:port`): of one that
    means all addresses of this machine, one of them."""
    host = _host(listened)
    try:
        everywhere = ip_address(host).is_unspecified
    except ValueError:
        everywhere = host in ("", "*")
    if not everywhere:
        return listened
    found, port = own(), listened.rpartition(":")[2]
    return f"[{found}]:{port}" if ":" in found else f"{found}:{port}"


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")
