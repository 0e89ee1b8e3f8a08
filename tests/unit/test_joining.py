"""Which address an agent dials, and the line that is pasted on its host."""

import socket

import pytest

from tui_manager.domain.address import dial_address, is_local, own_address
from tui_manager.domain.joining import join_line


@pytest.mark.parametrize(
    ("listened", "dialled"),
    [
        ("127.0.0.1:7443", "127.0.0.1:7443"),
        ("10.0.0.5:7443", "10.0.0.5:7443"),
        ("manager.example.org:7443", "manager.example.org:7443"),
        ("0.0.0.0:7443", "own:7443"),
        ("[::]:7443", "own:7443"),
        (":7443", "own:7443"),
        ("*:7443", "own:7443"),
        ("[::1]:7443", "[::1]:7443"),
        ("[fd00::1]:7443", "[fd00::1]:7443"),
    ],
)
def test_addresses_to_dial(listened: str, dialled: str) -> None:
    assert dial_address(listened, lambda: "own") == dialled


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert dial_address("0.0.0.0:1", lambda: "2001:db8::7") == "[2001:db8::7]:1"


def test_this_machine_has_an_address_of_its_own() -> None:
    assert own_address() not in ("", "0.0.0.0", "::")


def test_a_machine_without_a_way_out_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_args: object) -> socket.socket:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", unreachable)
    assert own_address() == socket.gethostname()


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1:1", True), ("[::1]:1", True), ("localhost:1", True),
        ("10.0.0.5:1", False), ("example.org:1", False), ("*:1", False), ("0.0.0.0:1", False),
    ],
)  # fmt: skip
def test_who_can_dial(address: str, local: bool) -> None:
    assert is_local(address) is local


def test_the_line_to_paste() -> None:
    start = "tui-manager-agent run --manager 10.0.0.5:7443"
    assert join_line("10.0.0.5:7443", "mTLS", "tm1.x") == f"{start} --join-token tm1.x"
    assert join_line("10.0.0.5:7443", "mTLS") == f"{start} --join-token TOKEN"
    assert join_line("10.0.0.5:7443", "insecure", "tm1.x") == f"{start} --insecure --name NAME"
