"""Which address an agent dials, and the line that is pasted on its host."""

import pytest

from tui_manager.domain.manager.address import dial_addresses, is_local, join_line, other_addresses


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
    assert dial_addresses(listened, lambda: ("own",)) == (dialled,)


def test_of_several_addresses_each_may_be_dialled() -> None:
    own = ("10.0.0.5", "2001:db8::7")
    dials = dial_addresses("0.0.0.0:1", lambda: own)
    assert dials == ("10.0.0.5:1", "[2001:db8::7]:1")
    assert other_addresses(dials).endswith(": [2001:db8::7]:1.")
    assert other_addresses(dials[:1]) == ""


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
