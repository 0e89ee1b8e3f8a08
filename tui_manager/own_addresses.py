"""The addresses of this machine, as its interfaces have them and as others may reach it."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address

_ELSEWHERE = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))  # nobody's


def interface_addresses() -> Iterator[str]:
    """Every address of every interface, but for those that mean something on one link only."""
    import psutil  # not for every command that only reads the settings

    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family in (socket.AF_INET, socket.AF_INET6) and "%" not in each.address:
                yield each.address


def reachable_addresses() -> tuple[str, ...]:
    """The addresses by which other machines may reach this one, at least one: the likeliest first,
    which its packets to elsewhere carry. A machine that has none has its name."""
    others = (address for address in interface_addresses() if _may_be_reached(address))
    found = dict.fromkeys((*_on_the_way_out(), *sorted(others, key=lambda found: ":" in found)))
    return tuple(found) or (socket.gethostname(),)


def _on_the_way_out() -> Iterator[str]:
    for elsewhere, family in _ELSEWHERE:
        # No packet is sent: the kernel only chooses the way.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            yield str(probe.getsockname()[0])


def _may_be_reached(address: str) -> bool:
    found = ip_address(address)
    return not (found.is_loopback or found.is_link_local)
