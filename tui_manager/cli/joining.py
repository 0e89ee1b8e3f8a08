"""How an agent is started so that its host joins: the line to paste there."""

import socket
from contextlib import suppress
from ipaddress import ip_address

from tui_manager.domain.health import ManagerStatus
from tui_manager.settings import is_loopback, split_address

AGENT = "tui-manager-agent"
_ELSEWHERE = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))  # nobody's


def join_line(status: ManagerStatus, token: str = "TOKEN") -> str:
    """What to paste on a host.

    Args:
        token: what stands for the join token, or the token itself; unused without TLS.
    """
    admission = "--insecure" if status.security == "insecure" else f"--join-token {token}"
    return f"{AGENT} run --manager {dialed(status.address)} {admission}"


def only_here(status: ManagerStatus) -> bool:
    """Whether agents of other machines cannot reach the manager."""
    return is_loopback(split_address(status.address)[0])


def dialed(address: str) -> str:
    """What agents should dial where the manager listens on `address`: of one that means all
    addresses of this machine, the one that its packets to elsewhere carry."""
    host, port = split_address(address)
    with suppress(ValueError):
        if ip_address(host).is_unspecified:
            own = _own_address()
            return f"[{own}]:{port}" if ":" in own else f"{own}:{port}"
    return address


def _own_address() -> str:
    for elsewhere, family in _ELSEWHERE:
        # No packet is sent: the kernel only chooses the way.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
    return socket.gethostname()
