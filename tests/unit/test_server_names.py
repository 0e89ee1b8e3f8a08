"""The names that a server's certificate has to carry."""

import socket
import threading
from collections import namedtuple

import psutil
import pytest

from tui_manager import own_addresses as module
from tui_manager.own_addresses import is_server_name, server_names


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("192.0.2.7", ("192.0.2.7",)),
        ("fe80::1%eth0", ("fe80::1",)),
        ("web01.example.org", ("web01.example.org",)),
        ("127.0.0.1", ("127.0.0.1", "localhost")),
        ("::1", ("::1", "localhost")),
        ("localhost", ("localhost", "127.0.0.1", "::1")),
    ],
)
def test_a_place_is_called_by_its_name(host: str, names: tuple[str, ...]) -> None:
    assert server_names(host) == names


def test_the_operator_adds_names_and_none_comes_twice() -> None:
    assert server_names("192.0.2.7", ["lb.example.org", "192.0.2.7", "lb.example.org"]) == (
        "192.0.2.7",
        "lb.example.org",
    )


Address = namedtuple("Address", ["family", "address"])


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two interfaces and a name that no certificate can carry."""
    interfaces = {
        "lo": [Address(socket.AF_INET, "127.0.0.1"), Address(socket.AF_INET6, "::1")],
        "eth0": [
            Address(socket.AF_INET, "192.0.2.7"),
            Address(socket.AF_INET6, "2001:db8::7"),
            Address(socket.AF_INET6, "fe80::1%eth0"),
            Address(psutil.AF_LINK, "02:fc:00:00:00:01"),
        ],
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: interfaces)
    monkeypatch.setattr(socket, "gethostname", lambda: "my machine")
    monkeypatch.setattr(socket, "getfqdn", lambda: "web01.example.org")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_everywhere_is_called_by_all_names_of_the_machine(host: str) -> None:
    assert server_names(host, ["lb"]) == (
        "127.0.0.1",
        "::1",
        "192.0.2.7",
        "2001:db8::7",
        "localhost",
        "web01.example.org",
        "lb",
    )


@pytest.mark.usefixtures("machine")
def test_a_resolver_that_is_silent_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = threading.Event()

    def never() -> str:
        silent.wait()
        return ""

    monkeypatch.setattr(socket, "getfqdn", never)
    monkeypatch.setattr(module, "_DNS_TIMEOUT", 0.01)
    try:
        assert "192.0.2.7" in server_names("0.0.0.0")
    finally:
        silent.set()


@pytest.mark.parametrize(
    "name", ["web01", "a.b.example.org", "*.example.org", "my_host", "10.0.0.1", "::1", "1"]
)
def test_what_a_certificate_can_carry(name: str) -> None:
    assert is_server_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "a..b", "a b", "-a", "a-", "a.", "web01:1", "[::1]", "*", "a.*", "ä.org", "a" * 64,
     ".".join(["a" * 60] * 5), "fe80::1%eth0", "a\n"],
)  # fmt: skip
def test_what_it_cannot(name: str) -> None:
    assert not is_server_name(name)
