"""The address of a manager, HOST:PORT, as managers tell it to agents."""

import re
import socket

ADDRESSES_MAX = 64  # that an agent is told, or told with --manager
_HOST_MAX = 253  # characters
_SHAPE = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*):([1-9][0-9]{0,4})"
_EVERYWHERE = ("0.0.0.0", "[::]")


def check_manager_address(address: str) -> None:
    """Raises ValueError unless an agent can dial it.

    It is a DNS name or an address (not 0.0.0.0), IPv6 in brackets, and a port from 1 to 65535.
    """
    match = re.fullmatch(_SHAPE, address)
    if not match or int(match[2]) > 65535 or len(match[1]) > _HOST_MAX or not _is_host(match[1]):
        raise ValueError(
            "expected HOST:PORT, a name or an address and a port from 1 to 65535, an IPv6 address "
            "in brackets"
        )


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach it, HOST:PORT."""
    host = address.rpartition(":")[0]
    try:
        return host in ("localhost", "[::1]") or socket.inet_pton(socket.AF_INET, host)[0] == 127
    except OSError:
        return False


def _is_host(host: str) -> bool:
    if host in _EVERYWHERE:
        return False
    if not host.startswith("["):
        return True
    try:
        return any(socket.inet_pton(socket.AF_INET6, host[1:-1]))  # all zeros: everywhere, too
    except OSError:
        return False
