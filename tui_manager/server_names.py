"""What hosts may call the manager: the names that its server certificate has to carry."""

import queue
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from tui_manager.own_addresses import interface_addresses

_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_DNS_NAME_MAX = 253  # characters
_DNS_PATIENCE = 2.0  # seconds; a resolver that is out of order must not hold up the start


def is_server_name(text: str) -> bool:
    """Whether a certificate can carry this as an address or a DNS name."""
    return _is_address(text) or (
        len(text) <= _DNS_NAME_MAX and _DNS_NAME.fullmatch(text) is not None
    )


def server_names(host: str, more: Sequence[str] = ()) -> tuple[str, ...]:
    """Addresses and DNS names by which hosts may dial a manager.

    Asks the resolver when it listens everywhere, for at most 2 s: not for an event loop.

    Args:
        host: where it listens, an address or a name without the port.
        more: what the operator adds, such as the name of a load balancer.
    """
    found = _everywhere() if _is_unspecified(host) else _here(host)
    return tuple(dict.fromkeys(name for name in (*found, *more) if is_server_name(name)))


def _here(host: str) -> Iterator[str]:
    yield host.partition("%")[0]
    if host == "localhost":
        yield from ("127.0.0.1", "::1")
    elif _is_address(host) and ip_address(host).is_loopback:
        yield "localhost"


def _everywhere() -> Iterator[str]:
    yield from interface_addresses()
    yield from ("localhost", socket.gethostname(), _full_name())


def _full_name() -> str:
    """This machine's name with its domain; empty when the resolver does not answer."""
    answer: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: answer.put(socket.getfqdn()), daemon=True).start()
    try:
        return answer.get(timeout=_DNS_PATIENCE)
    except queue.Empty:
        return ""


def _is_address(text: str) -> bool:
    try:
        return "%" not in str(ip_address(text))
    except ValueError:
        return False


def _is_unspecified(host: str) -> bool:
    return _is_address(host) and ip_address(host).is_unspecified
