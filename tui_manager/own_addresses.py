"""The addresses and names of this machine: those of its interfaces, those that other machines can
reach, and those by which hosts dial the manager."""

import queue
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address

_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_DNS_NAME_MAX = 253  # characters
_DNS_TIMEOUT = 2.0  # seconds; a resolver that does not answer must not delay the start
_ELSEWHERE = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))  # belongs to nobody


def interface_addresses() -> Iterator[str]:
    """Every address of every interface, except those that are valid on one link only."""
    import psutil  # not at the top: most commands only read the settings

    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family in (socket.AF_INET, socket.AF_INET6) and "%" not in each.address:
                yield each.address


def reachable_addresses() -> tuple[str, ...]:
    """The addresses by which other machines may reach this one, at least one. The first is the
    source address of packets to other networks. A machine without addresses has its name."""
    others = (address for address in interface_addresses() if _may_be_reached(address))
    found = dict.fromkeys((*_source_addresses(), *sorted(others, key=lambda found: ":" in found)))
    return tuple(found) or (socket.gethostname(),)


def _source_addresses() -> Iterator[str]:
    for elsewhere, family in _ELSEWHERE:
        # No packet is sent: the kernel only chooses the source address.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            yield str(probe.getsockname()[0])


def _may_be_reached(address: str) -> bool:
    found = ip_address(address)
    return not (found.is_loopback or found.is_link_local)


def is_server_name(text: str) -> bool:
    """Whether a certificate can carry this as an address or a DNS name."""
    return _is_address(text) or (
        len(text) <= _DNS_NAME_MAX and _DNS_NAME.fullmatch(text) is not None
    )


def server_names(host: str, more: Sequence[str] = ()) -> tuple[str, ...]:
    """Addresses and DNS names by which hosts may dial a manager.

    If the manager listens on all addresses, this asks the resolver and may take 2 s. Do not call it
    on an event loop.

    Args:
        host: where the manager listens; an address or a name, without the port.
        more: what the operator adds, such as the name of a load balancer.
    """
    found = _of_all_interfaces() if _is_unspecified(host) else _of_host(host)
    return tuple(dict.fromkeys(name for name in (*found, *more) if is_server_name(name)))


def _of_host(host: str) -> Iterator[str]:
    yield host.partition("%")[0]
    if host == "localhost":
        yield from ("127.0.0.1", "::1")
    elif _is_address(host) and ip_address(host).is_loopback:
        yield "localhost"


def _of_all_interfaces() -> Iterator[str]:
    yield from interface_addresses()
    yield from ("localhost", socket.gethostname(), _full_name())


def _full_name() -> str:
    """This machine's name with its domain; empty if the resolver does not answer."""
    answer: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: answer.put(socket.getfqdn()), daemon=True).start()
    try:
        return answer.get(timeout=_DNS_TIMEOUT)
    except queue.Empty:
        return ""


def _is_address(text: str) -> bool:
    try:
        return "%" not in str(ip_address(text))
    except ValueError:
        return False


def _is_unspecified(host: str) -> bool:
    return _is_address(host) and ip_address(host).is_unspecified
