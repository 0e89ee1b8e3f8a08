"""The addresses of this machine that other machines may dial."""

import socket
from collections import namedtuple

import psutil
import pytest

from tui_manager.own_addresses import reachable_addresses

Address = namedtuple("Address", ["family", "address"])
INTERFACES = {
    "lo": [Address(socket.AF_INET, "127.0.0.1"), Address(socket.AF_INET6, "::1")],
    "eth0": [
        Address(socket.AF_INET6, "2001:db8::7"),
        Address(socket.AF_INET6, "fe80::1%eth0"),
        Address(socket.AF_INET, "192.0.2.7"),
        Address(psutil.AF_LINK, "02:fc:00:00:00:01"),
    ],
    "eth1": [Address(socket.AF_INET, "10.0.0.5"), Address(socket.AF_INET, "169.254.1.1")],
}


class _Probe:
    """A socket whose packets leave with the address of the second interface."""

    def __init__(self, family: int, _kind: int) -> None:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported")

    def __enter__(self) -> "_Probe":
        return self

    def __exit__(self, *_: object) -> None: ...

    def connect(self, _: object) -> None: ...

    def getsockname(self) -> tuple[str, int]:
        return "10.0.0.5", 1


def test_the_address_of_the_way_out_stands_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: INTERFACES)
    monkeypatch.setattr(socket, "socket", _Probe)
    assert reachable_addresses() == ("10.0.0.5", "192.0.2.7", "2001:db8::7")


def test_this_machine_has_an_address_of_its_own() -> None:
    found = reachable_addresses()
    assert found
    assert not set(found) & {"", "0.0.0.0", "::", "127.0.0.1", "::1"}


def test_a_machine_without_a_way_out_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_args: object) -> socket.socket:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"lo": INTERFACES["lo"]})
    monkeypatch.setattr(socket, "socket", unreachable)
    assert reachable_addresses() == (socket.gethostname(),)
