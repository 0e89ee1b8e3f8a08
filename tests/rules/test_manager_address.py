"""Which addresses of managers are good, and which are those of this machine."""

import pytest
from tui_manager_protos.rules.manager_address import check_manager_address, is_loopback


@pytest.mark.parametrize(
    "address",
    [
        "m1:1", "m1.example.org:65535", "a_b-c:7443", "192.0.2.7:7443", "[fd00::1]:7443",
        "[::ffff:192.0.2.7]:7443", f"{'m' * 253}:7443",
    ],
)  # fmt: skip
def test_what_an_agent_can_dial(address: str) -> None:
    check_manager_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "", ":", "m1", "m1:", ":7443", "m1:0", "m1:65536", "m1:07443", "m1:74433333", "m1:-1",
        "m1:\u0667", "m 1:7443", "m1:7443 ", "m1:7443\n", "m1\n:7443", "mönch:7443", "-m1:7443",
        "unix:/tmp/socket:1", "dns:///m1:7443", "http://m1:7443", "user@m1:7443", "m1,m2:7443",
        "::1:7443", "[::1:7443", "[:::]:7443", "[fe80::1%eth0]:7443", "[m1]:7443", "0.0.0.0:7443",
        "[::]:7443", "[0:0::0]:7443", f"{'m' * 254}:7443", "*:7443",
    ],
)  # fmt: skip
def test_what_no_agent_is_told(address: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        check_manager_address(address)


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("localhost:1", True), ("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True),
        ("127.example.com:1", False), ("[::2]:1", False), ("m1:1", False),
    ],
)  # fmt: skip
def test_what_only_this_machine_can_reach(address: str, own: bool) -> None:
    assert is_loopback(address) is own
