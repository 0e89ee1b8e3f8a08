"""The address that a host is told to dial, which is not always the one that is listened on."""

import ipaddress
import socket
from collections.abc import Callable

_ELSEWHERE = ("192.0.2.1", 9)  # an address of no network; nothing is sent there


def own_address() -> str:
    """The address with which this machine goes out to others; its name where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def dial_address(address: str, own: Callable[[], str] = own_address) -> str:
    """`address` (`host:port`) as another machine can dial it: of one that means all addresses of
    this machine, one of them."""
    host, _, port = address.rpartition(":")
    try:
        everywhere = ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        everywhere = host in ("", "*")
    return f"{own()}:{port}" if everywhere else address


def is_local(address: str) -> bool:
    """Whether only this machine can dial it."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
